"""What a run will cost, told before it starts: networks, windows, steps, parameters, GPU-hours and disk.

Everything follows from the resolved configuration and the headers of the files; no torch, no library, no pixels.
Training counts three forward passes a step (forward, and a backward pass of twice that) and the evaluations.
"""

import math
import textwrap

import data_checks
import seeds
from network_costs import forward_flops, parameters
from network_sizes import output_size

# The authors trained the 2D-3D network at about 1 step/s on a GTX 1080, 450,000 voxels x 2.95 MFLOP x 3 = 4.0 TFLOP a
# step; their U-Net ran at 5.9 steps/s, 0.9 TFLOP a step, which is 5.3 (notebooks of github.com/leapmanlab/examples).
CARD, CARD_FLOPS = "GTX 1080", 4e12
THREAD_FLOPS = 1e11  # of one thread of the processor in docs/benchmarks.md: 0.06 (U-Net) to 0.11 TFLOP/s (2D-3D)
SLICE_NETWORKS = ("unet_2d", "deeplab_drn", "deeplab_resnet101")  # need no margin in z
VALID_NETWORKS = ("unet_2d", "deepvess")  # outputs are smaller than inputs, so that tiles need no overlap
HEADERS = ("experiment", "network", "seeds", "windows/epoch", "steps", "parameters", "GPU-hours", "checkpoints")


def is_shown(workflow):
    """Whether Snakemake was called with --dry-run and without --quiet all, asked while it still reads the rules (9.27:
    `workflow.dryrun` is only set later). Jobs read the rules too, in processes of their own, and are never dry runs."""
    settings = workflow.output_settings
    quiet = {kind.name for kind in settings.quiet or ()}
    return workflow.is_main_process and settings.dryrun and "ALL" not in quiet


# --------------------------------------------------------------------------------------------------------- counting
def windows_per_epoch(shape, output, spacing):
    """Bins of output-window corners over a region, 828 for (50, 800, 800), (5, 296, 296), (2, 100, 100)."""
    return math.prod(max(0, -(-(n - o + 1) // s)) for n, o, s in zip(shape, output, spacing))


def n_tiles(shape, output, overlapping):
    """Tiles of a prediction: a third of overlap, the last one flush with the end (densecell/tiling.py)."""
    spacing = [o - o // 3 if overlapping else o for o in output]
    return math.prod(1 if o >= n else -(-(n - o) // s) + 1 for n, o, s in zip(shape, output, spacing))


def evaluation_input(network, tile, depth, options):
    """The input (z, y, x) of a tile where a region of `depth` slices is evaluated: no deeper than the region, if the
    network gives as many slices for that (densecell/tile_choice.py)."""
    thin = (min(tile[0], depth), *tile[1:])
    output = output_size(network, thin, options)
    return thin if output and output[0] == depth else tuple(tile)


def evaluation_schedule(settings, steps_per_epoch, window, evaluation):
    """(steps between evaluations, cost of one as a share of the training between two), as in densecell/training.py."""
    epoch = 3 * settings["batch_size"] * math.prod(window) * steps_per_epoch
    epochs = max(1, math.ceil(evaluation / (settings["evaluation_share"] * epoch)))
    every = settings["evaluate_every_steps"] or epochs * steps_per_epoch
    return every, evaluation * steps_per_epoch / (epoch * every)


class Costs:
    """Sizes of the regions and volumes of a configuration, and what its experiments cost."""

    def __init__(self, config):
        self.config, shapes = config, {}
        list(data_checks.check_files(config, shapes))
        volumes = {v["name"]: v for v in config["volumes"]}
        self.volumes = {
            name: data_checks.region_shape({"z": None, "y": None, "x": None, "frame": "aligned"}, volume, shapes)
            for name, volume in volumes.items()
        }
        self.regions = [(r, data_checks.region_shape(r, volumes[r["volume"]], shapes)) for r in config["regions"]]
        self.eval_images = [  # with the context around them
            data_checks.image_shape(r, volumes[r["volume"]], shapes, config["normalization"]["context"])
            for r in config["regions"]
            if r["role"] == "eval"
        ]
        self.cropped = any(
            volumes[r["volume"]]["alignment"]["method"] != "none" and None in (r["y"], r["x"]) for r, _ in self.regions
        )
        self.experiments = {e["name"]: e for e in config["experiments"]}
        self.n_classes = len(config["classes"])

    def shapes(self, *roles):
        """Sizes of the regions with these roles, those that are known."""
        return [shape for region, shape in self.regions if region["role"] in roles and None not in shape]

    def training(self, experiment):
        """Windows per epoch, steps, parameters and operations of one run; None for what isn't known."""
        network, options, settings = experiment["network"], experiment["options"], experiment["training"]
        window = experiment["window"]
        output, train = output_size(network, window, options), self.shapes("train")
        windows = output and train and sum(windows_per_epoch(s, output, experiment["spacing"]) for s in train)
        per_epoch = -(-windows // settings["batch_size"]) if windows else None
        steps = settings["steps"] or (per_epoch and settings["epochs"] * per_epoch)
        forward = forward_flops(network, window, self.n_classes, options)
        flops = None
        if steps and forward:
            every = settings["evaluate_every_steps"] or (per_epoch and self.evaluations(experiment, per_epoch)[0])
            evaluations = -(-steps // every) if every else 0
            flops = 3 * forward * settings["batch_size"] * steps + evaluations * self.evaluation_flops(experiment)
        return {
            "windows": windows or None,
            "steps_per_epoch": per_epoch,
            "steps": steps,
            "parameters": parameters(network, self.n_classes, options),
            "flops": flops,
        }

    def evaluation_tiles(self, experiment):
        """(input (z, y, x) of a tile, tiles) of each eval region with its context, where both are known."""
        network, options = experiment["network"], experiment["options"]
        overlapping = network not in VALID_NETWORKS or options.get("padding") == "same"
        for shape in self.eval_images:
            if None not in shape:
                taken = evaluation_input(network, experiment["tile"] or experiment["window"], shape[0], options)
                output = output_size(network, taken, options)
                if output:
                    yield taken, n_tiles(shape, output, overlapping)

    def evaluation_flops(self, experiment):
        """Operations of one evaluation, of the regions where they are known."""
        network, options = experiment["network"], experiment["options"]
        tiles = self.evaluation_tiles(experiment)
        return sum(n * (forward_flops(network, taken, self.n_classes, options) or 0) for taken, n in tiles)

    def evaluations(self, experiment, steps_per_epoch):
        """(steps between evaluations, share of the training that they cost) of an experiment, as the training counts;
        regions of unknown size are left out."""
        voxels = sum(n * math.prod(taken) for taken, n in self.evaluation_tiles(experiment))
        return evaluation_schedule(experiment["training"], steps_per_epoch, experiment["window"], voxels)

    def prediction(self, experiment, shape):
        """Operations of predicting a box of `shape` with one network of the experiment; None if not known."""
        network, options = experiment["network"], experiment["options"]
        tile, settings = experiment["tile"] or experiment["window"], self.config["prediction"]
        with_halo = settings["stitch"] == "halo"
        if not with_halo:
            tile = settings["tile"] or tile
        output, forward = output_size(network, tile, options), forward_flops(network, tile, self.n_classes, options)
        if not output or not forward or None in shape:
            return None
        passes = 2 ** len(settings["flips"])
        if with_halo:  # margins in y and x are left out: they depend on the memory of the machine
            margin = int(not (settings["tile"] or settings["halo"]) and network not in SLICE_NETWORKS and tile[0] > 2)
            return passes * forward * math.prod(shape) / math.prod(output) * tile[0] / (tile[0] - 2 * margin)
        overlapping = network not in VALID_NETWORKS or options.get("padding") == "same"
        return passes * forward * n_tiles(shape, output, overlapping)

    def predicted(self, ensemble):
        """(networks that are predicted, label volumes that are kept) of an ensemble on each scored region, the random
        ensembles, which are not made of compare regions, included."""
        n = seeds.runs(ensemble, self.config["experiments"])
        largest, singles = max(ensemble["top_k"]), 0
        if len(ensemble["experiments"]) == 1:
            singles = min(n, ensemble["n_singles"] or n)
        drawn = sum(min(ensemble["random_draws"], math.comb(singles, k)) for k in ensemble["top_k"] if 1 < k < singles)
        return min(n, singles + largest), singles + len(ensemble["top_k"]) + drawn

    def predictions(self):
        """(operations, bytes at most) of all predictions of regions and whole volumes; labels take 1 byte a voxel."""
        scored = self.shapes("eval", "test", "compare")
        flops = n_bytes = 0
        ensembles = {e["name"]: e for e in self.config["ensembles"]}
        for ensemble in ensembles.values():
            networks, kept = self.predicted(ensemble)
            n_bytes += kept * sum(map(math.prod, scored))
            flops += networks * sum(self._mean(ensemble, shape) for shape in scored)
        for full in self.config["prediction"]["full_volumes"]:
            ensemble, shape = ensembles[full["ensemble"]], self.volumes[full["volume"]]
            if None not in shape:
                k = max(ensemble["top_k"])
                flops += k * self._mean(ensemble, shape)
                copies = 1 + full["tiff"] + full["keep_members"] * k + full["probabilities"] * self.n_classes
                n_bytes += copies * math.prod(shape)
        return flops, n_bytes

    def _mean(self, ensemble, shape):
        costs = [self.prediction(self.experiments[name], shape) or 0 for name in ensemble["experiments"]]
        return sum(costs) / len(costs)

    def filmed(self):
        """Operations of each training that is run once more for a video; None where they aren't known."""
        records = self.config["videos"]["training"]
        return [self.training(self.experiments[record["experiment"]])["flops"] for record in records]

    def stacks(self):
        """Bytes at most of the volumes (imported, binned, aligned) and regions (image, labels, weight maps)."""
        volumes = 3 * sum(math.prod(shape) for shape in self.volumes.values() if None not in shape)
        maps = len({e["weight_map"] for e in self.config["experiments"]})
        regions = sum((4 + len(r["labels"])) * math.prod(s) for r, s in self.regions if None not in s)
        return volumes + regions + 4 * maps * sum(map(math.prod, self.shapes("train")))


# ---------------------------------------------------------------------------------------------------------- wording
def number(value):
    return "?" if value is None else f"{value:,}"


def hours(flops, rate=CARD_FLOPS):
    """Hours on the card, with two digits."""
    if flops is None:
        return "?"
    value = flops / rate / 3600
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else "< 0.01"


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
    return f"plan: {runs:,} training jobs in all, {about(hours(flops))} hours on a {CARD}, results in {config['results_dir']}"


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
        f"  {sum(row[2] for row in found):,} training jobs, {about(hours(training))} GPU-hours, and "
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
        if run["steps_per_epoch"] and 0 < n_known == len(costs.eval_images):
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
    before = {e["name"]: len(seeds.expanded(e["seeds"])) for e in requested["experiments"]}
    parts = [f"{e['name']}\xa0{len(e['seeds'])}\xa0of\xa0{before[e['name']]}" for e in config["experiments"]]
    yield f"seeds_scale {scale:g} keeps seeds: {', '.join(parts)}."
    sizes = {e["name"]: e["top_k"] for e in config["ensembles"]}
    gone = {}  # sizes that are left out -> the ensembles
    for ensemble in requested["ensembles"]:
        lost = ", ".join(str(k) for k in ensemble["top_k"] if k not in sizes[ensemble["name"]])
        gone.setdefault(lost, []).append(ensemble["name"])
    texts = [f"k = {lost} of {', '.join(names)}" for lost, names in gone.items() if lost]
    if texts:
        yield f"Sizes of ensembles left out with them: {'; '.join(texts)}."
