"""The plan of a run in words, told before it starts: networks, windows, steps, GPU-hours and disk."""

import math
import re
import textwrap

import grids
import seeds
from plan import Costs

# The authors trained the 2D-3D network at about 1 step/s on a GTX 1080, 450,000 voxels x 2.95 MFLOP x 3 = 4.0 TFLOP a
# step; their U-Net ran at 5.9 steps/s, 0.9 TFLOP a step, which is 5.3 (notebooks of github.com/leapmanlab/examples).
CARD, CARD_FLOPS = "GTX 1080", 4e12
THREAD_FLOPS = 1e11  # of one thread of the processor in docs/benchmarks.md: 0.06 (U-Net) to 0.11 TFLOP/s (2D-3D)
HEADERS = ("experiment", "network", "seeds", "windows/epoch", "steps", "parameters", "GPU-hours", "checkpoints")


def is_shown(workflow):
    """Whether Snakemake was called with --dry-run and without --quiet all, asked while it still reads the rules (9.27:
    `workflow.dryrun` is only set later). Jobs read the rules too, in processes of their own, and are never dry runs."""
    settings = workflow.output_settings
    quiet = {kind.name for kind in settings.quiet or ()}
    return workflow.is_main_process and settings.dryrun and "ALL" not in quiet


def number(value):
    return "?" if value is None else f"{value:,}"


def hours(flops, rate=CARD_FLOPS):
    """Hours on the card, with two digits."""
    if flops is None:
        return "?"
    value = flops / rate / 3600
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else "< 0.01"


def plural(n, noun):
    """1 job, 2 jobs."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def digits(value):
    """A number with two digits: 0.0042, 12, 250, 12,000."""
    return f"{float(f'{value:.2g}'):,g}"


def duration(seconds):
    """Seconds in words, two digits: 40 s, 12 min, 3.4 h, 12 days."""
    if seconds is None:
        return "?"
    for name, factor in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * factor:
            return f"{digits(seconds / factor)} {name}"
    return f"{max(1, round(seconds))} s"


def about(text):
    return text if text.startswith("<") else f"about {text}"


def size(n_bytes):
    """Bytes as MB, GB or TB."""
    if n_bytes is None:
        return "?"
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{math.ceil(n_bytes / 1e6):,} MB"


def _total(values):
    """The sum of what is known; None if nothing is."""
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def rows(costs):
    """One row for each experiment, as in HEADERS, of numbers: (name, network, seeds, windows, steps, parameters, flops,
    bytes); operations and bytes of all its runs."""
    for experiment in costs.config["experiments"]:
        run, n = costs.training(experiment), len(experiment["seeds"])
        total = run["flops"] and n * run["flops"]
        checkpoints = run["parameters"] and n * 2 * 4 * run["parameters"]  # best and last, float32
        yield (
            experiment["name"],
            experiment["network"],
            n,
            run["windows"],
            run["steps"],
            run["parameters"],
            total,
            checkpoints,
        )


def line(config):
    """The plan in one line, for the start of a run; finished jobs count too."""
    costs = Costs(config)
    found = list(rows(costs))
    flops = _total([*[row[6] for row in found], costs.predictions()[0]])
    runs = sum(row[2] for row in found)
    jobs = plural(runs, "training job")
    return f"plan: {jobs} in all, {about(hours(flops))} hours on a {CARD}, results in {config['results_dir']}"


def report(config, requested, on_gpu=True):
    """The plan as text. requested: the configuration before it was resolved, for what seeds_scale left out; on_gpu:
    whether networks are trained on a GPU."""
    costs = Costs(config)
    found = list(rows(costs))
    cells = [HEADERS]
    for name, network, n, windows, steps, n_parameters, flops, n_bytes in found:
        counted = about(number(windows)) if costs.cropped and windows else number(windows)
        counts = (str(n), counted, number(steps), number(n_parameters))
        cells.append((name, network, *counts, hours(flops), size(n_bytes)))
    training, (predicting, labels) = _total([row[6] for row in found]), costs.predictions()
    checkpoints, stacks = _total([row[7] for row in found]), costs.stacks()
    rate = f"{CARD_FLOPS / 1e12:g}"
    lines = [
        "The plan",
        *_table(cells),
        "",
        f"  {plural(sum(row[2] for row in found), 'training job')}, {about(hours(training))} GPU-hours, and "
        f"{about(hours(predicting))} for the predictions,",
        f"  on a card that sustains {rate} TFLOP/s; the authors' {CARD} trained the 2D-3D network at about 1 step/s, i.e. about {rate}.",
    ]
    if not on_gpu:
        total = _total([training, predicting])
        lines.append(
            f"  No GPU here: {about(hours(total, THREAD_FLOPS))} hours of one CPU thread at {THREAD_FLOPS / 1e12:g} TFLOP/s (docs/benchmarks.md)."
        )
    lines.append(
        f"  Disk: {size(_total([checkpoints, stacks, labels]))} at most in {config['results_dir']}: checkpoints {size(checkpoints)}, "
        f"volumes and regions {size(stacks)}, predictions {size(labels)} before compression."
    )
    evaluations = evaluation_texts(costs)
    if evaluations:
        text = f"An evaluation, as a share of the training between two: {', '.join(evaluations)}."
        lines += _wrapped(text)
    lines += prediction_lines(config["prediction"])
    filmed = costs.filmed()
    if filmed:
        more = f"{len(filmed)} more training job{'s' * (len(filmed) > 1)}, {about(hours(_total(filmed)))} GPU-hours"
        lines.append(f"  The targets videos and paper_figures film trainings: {more}.")
    for text in left_out(config, requested):
        lines += _wrapped(text)
    return "\n".join(lines) + "\n"


def _wrapped(text):
    """Lines of at most 110 characters; spaces that do not break become plain ones."""
    lines = textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="    ")
    return [line.replace("\xa0", " ") for line in lines]


def prediction_lines(settings):
    """How predictions are made, where that is not the paper's way in one job."""
    if settings["full_volumes"] and settings["slabs"] > 1:
        yield f"  Each whole volume is predicted in {settings['slabs']} slabs, one job each (prediction.slabs)."
    if settings["flips"]:
        passes = 2 ** len(settings["flips"])
        yield f"  Predictions are the mean over {passes} flips ({', '.join(settings['flips'])}), at {passes} times the cost."
    if settings["stitch"] == "halo":
        budget = settings["memory_gb"]
        budget = "the machine's memory" if budget == "auto" else f"{budget:g} GB of memory"
        yield f"  Predictions are counted without the margins of tiles in y and x, which are as large as {budget} allows."


def evaluation_texts(costs):
    """What evaluations cost, how often they come, and the experiments of which that is known: of all eval regions."""
    names = {}
    for experiment in costs.config["experiments"]:
        run, n_known = costs.training(experiment), len(list(costs.evaluation_tiles(experiment)))
        if run["steps_per_epoch"] and 0 < n_known == len(costs.eval_shapes(experiment)):
            every, share = costs.evaluations(experiment, run["steps_per_epoch"])
            when = f"every\xa0{every:,}\xa0steps"
            if every >= run["steps"]:  # of the whole training then
                when, share = "once,\xa0at\xa0the\xa0end", share * every / run["steps"]
            names.setdefault(f"{float(f'{100 * share:.2g}'):g}\xa0%\xa0{when}", []).append(experiment["name"])
    return [f"{text} ({', '.join(group)})" for text, group in names.items()]


def _table(cells):
    """Rows of text in columns, the first two aligned on the left and the others on the right."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        texts = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        yield "  " + "  ".join(texts)


def left_out(config, requested):
    """What seeds_scale leaves out, in words: seeds of experiments and sizes of ensembles."""
    scale = requested.get("seeds_scale", 1)
    if scale == 1:
        return
    before = {}
    for e in requested["experiments"]:
        ns = (e.get("draw") or {}).get("n_slices")
        for name in [grids.named(e["name"], n) for n in ns] if isinstance(ns, list) else [e["name"]]:
            before[name] = len(seeds.expanded(e["seeds"]))
    parts = [f"{e['name']}\xa0{len(e['seeds'])}\xa0of\xa0{before[e['name']]}" for e in config["experiments"]]
    yield f"seeds_scale {scale:g} keeps seeds: {', '.join(parts)}."
    sizes = {e["name"]: e["top_k"] for e in config["ensembles"]}
    gone = {}  # sizes that are left out -> the ensembles
    for ensemble in requested["ensembles"]:
        kept = next(ks for name, ks in sizes.items() if re.fullmatch(rf"{ensemble['name']}(_n\d+)?", name))
        lost = ", ".join(str(k) for k in ensemble["top_k"] if k not in kept)
        gone.setdefault(lost, []).append(ensemble["name"])
    texts = [f"k = {lost} of {', '.join(names)}" for lost, names in gone.items() if lost]
    if texts:
        yield f"Sizes of ensembles left out with them: {'; '.join(texts)}."
