"""What the checks of the inputs found: how bad, where, what was expected, which key of the configuration, what to do."""

from typing import NamedTuple

SEVERITIES = ("error", "warning", "note")  # error: stops the run before training (checks.stop_at)


class Finding(NamedTuple):
    """One thing that was found in the inputs.

    finding: its name in docs/checks.md; severity: one of SEVERITIES; place: slices, values or a range, in words; key: the
    key of the configuration to look at; to_do: one sentence. volume and region are '' where it is about neither.
    """

    finding: str
    severity: str
    place: str
    expected: str
    found: str
    key: str
    to_do: str
    volume: str = ""
    region: str = ""
    slices: tuple = ()  # the slices of `place`, where it is about slices


COLUMNS = ("volume", "region", "finding", "severity", "place", "expected", "found", "key", "to_do")


def at_slices(finding, severity, slices, *texts):
    """A finding about slices, whose numbers become its place; texts: expected, found, key, to_do."""
    slices = tuple(sorted({int(z) for z in slices}))
    return Finding(finding, severity, slices_text(slices), *texts, slices=slices)


def slices_text(slices, most=8):
    """Slice numbers as people write them: 'slice 3', 'slices 3, 7 to 9'; more than `most` parts are counted."""
    slices = sorted({int(z) for z in slices})
    runs = []
    for z in slices:
        if runs and z == runs[-1][1] + 1:
            runs[-1][1] = z
        else:
            runs.append([z, z])
    texts = [str(a) if a == b else f"{a} to {b}" if b > a + 1 else f"{a}, {b}" for a, b in runs]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return f"slice{'s' * (len(slices) != 1)} {', '.join(texts[:most])}{more}"


def accepted(findings, names):
    """The findings, those whose name is in `names` (checks.accept) as notes."""
    return [f._replace(severity="note", to_do=f"Accepted (checks.accept). {f.to_do}") if f.finding in names else f for f in findings]  # fmt: skip


def in_order(findings):
    """Findings without repetitions, the worst first, else in the order given."""
    return sorted(dict.fromkeys(findings), key=lambda f: SEVERITIES.index(f.severity))


def rows(findings):
    """One dict for each finding, with COLUMNS."""
    return [{c: getattr(f, c) for c in COLUMNS} for f in findings]


def summary(findings):
    """How many of each severity, in words."""
    counts = [(sum(f.severity == s for f in findings), s) for s in SEVERITIES]
    texts = [f"{n} {severity}{'s' * (n != 1)}" for n, severity in counts if n]
    return ", ".join(texts) if texts else "nothing found"


def report(findings):
    """The findings as numbered blocks of text, the worst first."""
    blocks = []
    for i, f in enumerate(in_order(findings), 1):
        where = ", ".join(part for part in (f.volume, f.region and f"region {f.region}", f.place) if part)
        lines = [f"{i}. {f.severity.upper()}  {f.finding}{': ' * bool(where)}{where}"]
        lines += [f"   {name:<10}{text}" for name, text in
                  (("found:", f.found), ("expected:", f.expected), ("key:", f.key), ("to do:", f.to_do)) if text]  # fmt: skip
        blocks.append("\n".join(lines))
    return "\n\n".join([f"Checks of the inputs: {summary(findings)}.", *blocks])
