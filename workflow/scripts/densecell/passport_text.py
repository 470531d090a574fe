"""The text of `./run.sh explain`: a paragraph that tells how a file came about, the steps with all that matters, and what is
not known. The words of each step: passport_words.py."""

import textwrap
from dataclasses import dataclass

from densecell.passport_words import UNTOLD, WORDS, Count, fill, is_idle, join_names, listed, makes, said

WIDTH = 110
# parameters that are the same everywhere, told elsewhere, or of the look alone
LEFT_OUT = {"classes", "colors", "dpi", "keys", "name", "experiment", "seed", "title", "truth"}
MAX_NAMES = 12
TRAINING = ("build_weight_map", "import_weight_map", "train_network")  # with them a new paragraph begins
PREDICTING = ("choose_ensemble", "predict_volume")  # after them another one


@dataclass
class Group:
    """Sibling outputs of one kind of step: their script (None: not known) and Steps."""

    script: str | None
    steps: list

    @property
    def words(self):
        return WORDS.get(self.script, UNTOLD)

    def filled(self, template):
        """The template, filled for each step."""
        return [fill(template, s.path, s.params, len(s.parents)) for s in self.steps]

    @property
    def jobs(self):
        """Facts of the jobs behind these outputs, each once."""
        found = {(j["started"], j["host"], j["wall_s"], j["cpu_s"]): j for s in self.steps for j in s.jobs}
        return list(found.values())

    def names(self):
        """What the siblings are called, in words, cut off where they are many."""
        names = list(dict.fromkeys(self.filled(self.words.name)))
        kept = join_names(names)
        return (
            kept
            if kept.count(",") < MAX_NAMES
            else f"{join_names(names[:MAX_NAMES])} and {len(names) - MAX_NAMES} more"
        )

    def how(self, named=False):
        """What they did: by name, but once where all did the same and no names are asked for."""
        by_how = {}
        for name, how in zip(self.filled(self.words.name), self.filled(self.words.how)):
            by_how.setdefault(how, []).append(name)
        if len(by_how) == 1 and not named:
            return next(iter(by_how))
        return "; ".join(f"{join_names(names)}: {how}" for how, names in by_how.items())

    def story(self):
        """The sentence about them, "" for none."""
        if all(is_idle(self.words, step.params) for step in self.steps):
            return ""
        n_jobs = Count(len(set(self.filled(self.words.name))))
        return self.words.story.format(names=self.names(), how=self.how(), each=self.how(named=True), n_jobs=n_jobs)


def groups_of(chain):
    """Sibling steps of a chain ({path: Step}, parents first) as Groups, parents first; raw data and folders left out."""
    keys = {}
    for path, step in chain.items():
        if step.kind == "output":
            keys.setdefault((step.script, path.split("/")[0]), []).append(step)
    group_of = {step.path: key for key, steps in keys.items() for step in steps}
    behind = {
        key: {group_of[p] for s in steps for p in _outputs_behind(s, chain)} - {key} for key, steps in keys.items()
    }
    order, done = list(WORDS), []
    while len(done) < len(keys):  # of the groups whose parents are done, the one whose words come first
        waiting = [key for key in keys if key not in done]
        ready = [key for key in waiting if behind[key] <= set(done)] or waiting[:1]
        done.append(min(ready, key=lambda key: order.index(key[0]) if key[0] in WORDS else len(order)))
    return [Group(script, sorted(keys[script, folder], key=lambda step: step.path)) for script, folder in done]


def _outputs_behind(step, chain):
    """The outputs among a step's parents; those of a folder in its place."""
    for parent in step.parents:
        if chain[parent].kind == "output":
            yield parent
        elif chain[parent].kind == "folder":
            yield from _outputs_behind(chain[parent], chain)


def wrap(text, first="", rest=None):
    """Text in lines of `WIDTH` characters."""
    rest = first if rest is None else rest
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )


# ------------------------------------------------------------------------------------------------------- paragraph
def paragraph(name, target, groups, chosen):
    """What the file is and how it came about, for a reader who knows the tissue and not the program.

    name: of the file, as it was asked for; target: its Step; groups: of its chain; chosen: {ensemble: k}, of its chain.
    """
    what = makes(target.path, target.script) if target.kind == "output" else "is a folder of results"
    scripts = [group.script for group in groups]
    networks = min((scripts.index(script) for script in TRAINING if script in scripts), default=len(groups))
    measuring = max((i + 1 for i, script in enumerate(scripts) if script in PREDICTING), default=len(groups))
    parts = [[f"{name} {what}."], [], []]  # data, networks, measuring
    for i, group in enumerate(groups):
        part = parts[(i >= networks) + (i >= max(measuring, networks))]
        part.append(group.story())
        if group.script == "choose_ensemble" and chosen:
            best = [
                f"the best {k} of {name}" if k > 1 else f"the best one of {name} alone" for name, k in chosen.items()
            ]
            part.append(f"The eval regions chose {listed(best)}.")
    return "\n\n".join(wrap(" ".join(filter(None, part))) for part in parts if any(part))


# ------------------------------------------------------------------------------------------------------------- steps
def duration(seconds):
    """Seconds, minutes or hours with two digits."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def memory(n_bytes):
    """Bytes as MB or GB."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def values_of(jobs, key):
    """Different values of a fact of these jobs, in words; "" for none."""
    return listed(dict.fromkeys(str(job[key]) for job in jobs if job.get(key) is not None))


def costs(group):
    """Device, precision, time, memory and code of a group's jobs."""
    jobs = group.jobs
    codes = listed(sorted({(s.sidecar or {}).get("code") or "unknown" for s in group.steps}))
    if not jobs:
        return f"code {codes}; no run record"
    where = " in ".join(filter(None, [values_of(jobs, "device"), values_of(jobs, "precision")]))
    threads = values_of(jobs, "threads")
    time = duration(sum(job["wall_s"] for job in jobs)) + (" together" if len(jobs) > 1 else "")
    return (
        f"{len(jobs)} job{'s' if len(jobs) > 1 else ''} on {where}{'' if threads == '1' else f' with {threads} threads'}, {time}, "
        f"up to {memory(max(job['peak_memory_bytes'] for job in jobs))}, code {codes}"
    )


def flattened(params, prefix=""):
    """{dotted name: value} of nested parameters; records of a list stay whole, empty ones are left out."""
    found = {}
    for key, value in params.items():
        if not prefix and key in LEFT_OUT:
            continue
        if isinstance(value, dict):
            found |= flattened(value, f"{prefix}{key}.")
        elif value not in (None, [], ""):
            found[prefix + key] = value
    return found


def settings(group):
    """The parameters that all steps of a group share, record by record; the names of those in which they differ."""
    each = [flattened(step.params) for step in group.steps]
    keys = list(dict.fromkeys(key for params in each for key in params))
    same = [key for key in keys if all(params.get(key) == each[0].get(key) for params in each)]
    by_prefix = {}
    for key in same:
        prefix, _, name = key.removeprefix("settings.").rpartition(".")
        by_prefix.setdefault(prefix, []).append(f"{name}={_short(each[0][key])}")
    shown = [f"{prefix}: {', '.join(pairs)}" if prefix else ", ".join(pairs) for prefix, pairs in by_prefix.items()]
    if other := [key.removeprefix("settings.") for key in keys if key not in same]:
        shown.append(f"each its own: {', '.join(other)}")
    return "; ".join(shown)


def _short(value):
    text = f"[{', '.join(map(_short, value))}]" if isinstance(value, list) else str(said(value))
    return text if len(text) <= 60 else text[:57] + "..."


def steps_text(groups, chain):
    """One block per group: its number, script, names, the groups and raw data it is from, parameters and costs."""
    number = {step.path: i for i, group in enumerate(groups, 1) for step in group.steps}
    lines = []
    for i, group in enumerate(groups, 1):
        behind = {number[p] for s in group.steps for p in _outputs_behind(s, chain)} - {i}
        kinds = {chain[p].kind for s in group.steps for p in s.parents}
        sources = [str(n) for n in sorted(behind)]
        sources += [words for kind, words in (("raw", "raw data"), ("lost", "deleted results")) if kind in kinds]
        origin = f"from {', '.join(sources)}" if sources else "from nothing"
        gone = sum(not s.exists for s in group.steps)
        state = f" [{gone} of {len(group.steps)} files deleted since]" if gone else ""
        indent = "     "
        title = f"{i:3d}  {group.script or 'unknown step'}  ({origin})  {len(group.steps)} file{'s' if len(group.steps) > 1 else ''}{state}"
        lines += [title, wrap(group.names(), indent + "what      ", indent + " " * 10)]
        if text := settings(group):
            lines.append(wrap(text, indent + "settings  ", indent + " " * 10))
        lines.append(wrap(costs(group), indent + "made by   ", indent + " " * 10))
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------- raw data and versions
def raw_text(chain, downloads):
    """The raw data with their checksums; downloads: {path: address it was downloaded from}."""
    lines = []
    for step in [s for s in chain.values() if s.kind == "raw"]:
        state = "" if step.exists else "  (gone)"
        lines.append(
            f"  {step.path}{state}\n    SHA-256 when it was read: {step.content or 'not computed by that step'}"
        )
        if step.path in downloads:
            lines.append(f"    downloaded from {downloads[step.path]}")
    return "\n".join(lines)


def versions_text(groups):
    """Versions, machines, commits and configurations of all jobs of a chain."""
    jobs, packages = [job for group in groups for job in group.jobs], {}
    for job in jobs:
        for name, version in (job.get("packages") or {}).items():
            packages.setdefault(name, {})[version] = None
    versions = ", ".join(f"{name} {listed(found)}" for name, found in sorted(packages.items()))
    commits = {f"{j['git_commit']}{' with uncommitted changes' if j.get('git_dirty') else ''}": None for j in jobs}
    lines = [
        ("versions", f"Python {values_of(jobs, 'python')}; {versions}"),
        ("machine", f"{values_of(jobs, 'host')}; {values_of(jobs, 'platform')}"),
        (
            "commit",
            f"{listed(commits)}" + ("; the code hashes above identify the code" if "unknown" in commits else ""),
        ),
        ("configuration", listed(f"run/config.{h}.yaml" for h in dict.fromkeys(j["config_hash"] for j in jobs))),
        ("made", _between(sorted(j["started"] for j in jobs))),
    ]
    return (
        "\n".join(wrap(text, f"  {name:14s}", " " * 16) for name, text in lines)
        if jobs
        else "  no run record tells them"
    )


def _between(times):
    return times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"


def unknown_text(chain, groups):
    """What the records don't tell, and what no longer fits; "" for nothing."""
    found = [
        f"{step.path} was made from an earlier version of {parent}; the next run makes it again."
        for step in chain.values()
        for parent in step.earlier
    ]
    for kind, text in (
        ("raw", "gone since; only the checksum is left."),
        ("lost", "densecell's, its records were deleted, so how it was made is not known."),
    ):
        if gone := [s.path for s in chain.values() if s.kind == kind and not s.exists]:
            found.append(f"{listed(gone[:5])}{' and others' * (len(gone) > 5)}: {text}")
    untold = [s.path for g in groups if g.script is None for s in g.steps]
    if untold:
        found.append(
            f"{listed(untold[:5])}{f' and {len(untold) - 5} others' * (len(untold) > 5)}: no run record, so script, machine and versions are not known."
        )
    if any(job["git_commit"] == "unknown" for group in groups for job in group.jobs):
        found.append("The commit: the code ran outside a git repository.")
    return "\n".join(wrap(text, "  - ", "    ") for text in found)


def explain(name, target, chain, chosen, downloads, changed):
    """The whole text. changed: whether the file's bytes are no longer those that densecell wrote."""
    groups = groups_of(chain)
    parts = [paragraph(name, target, groups, chosen)]
    if changed:
        parts.insert(
            0, wrap("CAUTION: this file was changed since densecell wrote it; what follows tells of the one it wrote.")
        )
    parts += ["How it was made, first step first", steps_text(groups, chain)]
    if raw := raw_text(chain, downloads):
        parts += ["Raw data", raw]
    parts += ["With what", versions_text(groups)]
    if unknown := unknown_text(chain, groups):
        parts += ["Not known, or no longer true", unknown]
    return "\n\n".join(parts)
