"""Write what a run took beside what was planned: a table (csv) and a page for the report (html).

Measured is what the run records of all results tell, of earlier and resumed runs too; planned is run/plan.run.json, kept when
a run starts. Both files hold times, hence `.run.` in their names: no comparison of two runs looks at them.
"""

import csv
import json
from html import escape
from io import StringIO
from pathlib import Path

from command_line import Arguments, run
from densecell import costs, files, passport
from densecell.passport_words import plural

STYLE = """<meta charset="utf-8">
<style>
.costs {font-family: sans-serif; max-width: 75em; line-height: 1.45}
.costs table {border-collapse: collapse; margin: 0.8em 0}
.costs th, .costs td {padding: 0.2em 0.8em; border-bottom: 1px solid #ccc; text-align: right}
.costs th:nth-child(-n+2), .costs td:nth-child(-n+2) {text-align: left}
.costs .total td {font-weight: bold}
</style>"""
HEADS = ("stage", "step", "jobs", "planned", "measured", "measured / planned", "longest job", "processor time")
HEADS += ("memory, planned", "memory", "disk, planned", "disk")


def read_plan(path):
    """(device, {name: planned job}) of a kept plan; without one, nothing is planned."""
    try:
        plan = json.loads(path.read_text())
        return plan["device"], plan["jobs"]
    except (OSError, ValueError, KeyError):
        return "", {}


def size_on_disk(path):
    """Bytes of a file or a store; 0 for what is gone."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size if path.exists() else 0


def digits(value):
    """A number with two digits: 0.0042, 12, 250, 12,000."""
    return f"{float(f'{value:.2g}'):,g}"


def duration(seconds):
    """Seconds in words, two digits."""
    for unit, factor in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * factor:
            return f"{digits(seconds / factor)} {unit}"
    return f"{digits(seconds)} s"


def size(n_bytes):
    """Bytes in words, two digits."""
    if n_bytes is None:
        return "?"
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{digits(n_bytes / factor)} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


def cells(record):
    """The texts of one row of the page."""
    ratio = record["measured_to_planned"]
    n_jobs = f"{record['jobs_measured']} of {record['jobs_planned']}"
    return (
        record["stage"],
        record["step"],
        str(record["jobs_measured"]) if record["jobs_planned"] == record["jobs_measured"] else n_jobs,
        duration(record["planned_s"]) if record["jobs_compared"] else "?",
        duration(record["measured_s"]),
        "?" if ratio is None else digits(ratio),
        duration(record["longest_s"]),
        duration(record["cpu_s"]),
        size(record["planned_memory_bytes"]),
        size(record["memory_bytes"]),
        size(record["planned_disk_bytes"]),
        size(record["disk_bytes"]),
    )


def sentences(whole):
    """What the page says above its table, of the row of all together."""
    at_once = whole["measured_s"] / whole["elapsed_s"] if whole["elapsed_s"] else 0
    yield (
        f"{plural(whole['jobs_measured'], 'job')} took {duration(whole['measured_s'])}, counted one after the other. At least one of them ran for "
        f"{duration(whole['elapsed_s'])}, so that {digits(at_once)} ran at once on average; pauses between two runs do not count."
    )
    if whole["jobs_compared"]:
        yield (
            f"The plan gave {duration(whole['planned_s'])} for the {whole['jobs_compared']} of them that it knew. It counts an idle "
            "machine; jobs that share one take longer by the clock, and processor time tells the work itself."
        )
    yield (
        "Planned and measured are those of all jobs whose results lie here, of earlier and resumed runs too. What an interrupted "
        "attempt took before it was resumed is not in it."
    )


def page(rows):
    """The page (html) of a table of costs."""
    *steps, whole = rows
    lines = ["<tr>" + "".join(f"<th>{head}</th>" for head in HEADS) + "</tr>"]
    for stage, members in costs.by_stage(steps).items():
        for i, record in enumerate(members):
            texts = [stage or "not planned" if i == 0 else "", *cells(record)[1:]]
            lines.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>")
    lines.append('<tr class="total">' + "".join(f"<td>{escape(text)}</td>" for text in cells(whole)) + "</tr>")
    told = "".join(f"<p>{escape(sentence)}</p>\n" for sentence in sentences(whole))
    return (
        f'{STYLE}\n<div class="costs">\n<h2>What the run took</h2>\n{told}<table>\n'
        + "\n".join(lines)
        + "\n</table>\n</div>\n"
    )


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.setting("results", "folder of the results")
    arguments.output("table", "one row for each step (csv)")
    arguments.output("page", "the same as a page (html)")
    args = arguments.parse(argv)

    folder = Path(args.results)
    results = passport.Results(folder)
    device, plan = read_plan(folder / "run" / "plan.run.json")
    jobs = costs.jobs_of(results.records, results.relative)
    sizes = {output: size_on_disk(folder / output) for job in jobs for output in job["outputs"]}
    rows = costs.table(jobs, plan, device, sizes)
    text = StringIO()
    writer = csv.DictWriter(text, costs.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: round(v, 3) if isinstance(v, float) else v for k, v in record.items()} for record in rows)
    files.write_text(args.table, text.getvalue())
    files.write_text(args.page, page(rows))


if __name__ == "__main__":
    run(main)
