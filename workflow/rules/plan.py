"""What networks cost: windows, steps, parameters, operations and bytes of a configuration (plan_text.py says it in words).

Everything follows from the resolved configuration and the headers of the files; no torch, no library, no pixels.
Training counts three forward passes a step (forward, and a backward pass of twice that) and the evaluations.
"""

import math

import data_checks
import draw_checks
import labelled_slices
import seeds
from network_costs import forward_flops, parameters
from network_sizes import output_size

SLICE_NETWORKS = (  # need no margin in z
    "unet_2d",
    "deeplab_drn",
    "deeplab_resnet101",
    "resunet",
    "setr_pup",
    "transunet",
)
VALID_NETWORKS = ("unet_2d", "deepvess")  # outputs are smaller than inputs, so that tiles need no overlap


def windows_per_epoch(shape, output, spacing):
    """Bins of output-window corners over a region, 828 for (50, 800, 800), (5, 296, 296), (2, 100, 100)."""
    return math.prod(max(0, -(-(n - o + 1) // s)) for n, o, s in zip(shape, output, spacing))


def n_tiles(shape, output, overlapping):
    """Tiles of a prediction: a third of overlap, the last one flush with the end (densecell/tiling.py)."""
    spacing = [o - o // 3 if overlapping else o for o in output]
    return math.prod(1 if o >= n else -(-(n - o) // s) + 1 for n, o, s in zip(shape, output, spacing))


def n_blended(shape, output, overlap):
    """Tiles (y, x) of a slice that overlap by this share, the last one flush with the end (densecell/tiling.py)."""
    spacing = [max(1, int(round(o * (1 - overlap), 6))) for o in output]
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
        self.config, self.sizes = config, {}
        shapes = self.sizes  # of whole files, by (section, name)
        list(data_checks.check_files(config, shapes))
        volumes = {v["name"]: v for v in config["volumes"]}
        self.volumes = {
            name: data_checks.region_shape({"z": None, "y": None, "x": None, "frame": "aligned"}, volume, shapes)
            for name, volume in volumes.items()
        }
        self.regions = [(r, data_checks.region_shape(r, volumes[r["volume"]], shapes)) for r in config["regions"]]
        self.eval_images = {  # with the context around them
            r["name"]: data_checks.image_shape(r, volumes[r["volume"]], shapes, config["normalization"]["context"])
            for r in config["regions"]
            if r["role"] == "eval"
        }
        self.cropped = any(
            volumes[r["volume"]]["alignment"]["method"] != "none" and None in (r["y"], r["x"]) for r, _ in self.regions
        )
        self.experiments = {e["name"]: e for e in config["experiments"]}
        self.n_classes = len(config["classes"])

    def shapes(self, *roles, names=None):
        """Sizes of the regions with these roles, those that are known; names: of these regions only."""
        own = [(r, shape) for r, shape in self.regions if r["role"] in roles and (names is None or r["name"] in names)]
        return [shape for _, shape in own if None not in shape]

    def n_outputs(self, experiment):
        """Number of outputs of its network: of its targets, or of all classes."""
        return len(experiment["targets"] or ()) or self.n_classes

    def n_labelled(self, experiment):
        """Labelled slices of its train regions, as far as the configuration tells, else all of their slices; None for none."""
        known = labelled_slices.n_labelled(self.config, experiment, self.sizes)
        return known or sum(shape[0] for shape in self.shapes("train", names=experiment["regions"])) or None

    def n_slices(self, experiment):
        """Slices that one run is trained on."""
        n = (experiment["draw"] or {}).get("n_slices", "all")
        return self.n_labelled(experiment) if n == "all" else n

    def windows(self, experiment):
        """Windows per epoch of one run; None or 0 where they aren't known."""
        output = output_size(experiment["network"], experiment["window"], experiment["options"])
        train = self.shapes("train", names=experiment["regions"])
        if experiment["training"]["sampler"] == "foreground":
            return (self.n_slices(experiment) or 0) * experiment["training"]["batch_size"]
        if not output or not train:
            return None
        known = (
            labelled_slices.n_labelled(self.config, experiment, self.sizes) and experiment["activation"] == "sigmoid"
        )
        if experiment["draw"] is None and not known:
            return sum(windows_per_epoch(shape, output, experiment["spacing"]) for shape in train)
        # each slice by itself, with the windows that reach it (training_inputs.py joins those that overlap)
        thin = [(2 * output[0] - 1, *shape[1:]) for shape in train]
        one = sum(windows_per_epoch(shape, output, experiment["spacing"]) for shape in thin) / len(thin)
        return round((self.n_slices(experiment) or 0) * one)

    def n_held_out(self, experiment):
        """Slices that score one run after its training; 0 for none."""
        known = self.n_labelled(experiment) if experiment["evaluate"] == "held_out" else None
        return max(0, known - self.n_slices(experiment)) if known else 0

    def held_out(self, experiment):
        """Operations of scoring one run on its held-out slices; None where they aren't known."""
        n, train = self.n_held_out(experiment), self.shapes("train", names=experiment["regions"])
        one = self.prediction(experiment, (1, *train[0][1:])) if train else None
        return one and n * one

    def training(self, experiment):
        """Windows per epoch, steps, parameters and operations of one run; None for what isn't known."""
        network, options, settings = experiment["network"], experiment["options"], experiment["training"]
        window, windows, n_outputs = experiment["window"], self.windows(experiment), self.n_outputs(experiment)
        per_epoch = -(-windows // settings["batch_size"]) if windows else None
        steps = settings["steps"] or (per_epoch and settings["epochs"] * per_epoch)
        forward = forward_flops(network, window, n_outputs, options)
        flops = None
        if steps and forward:
            every = settings["evaluate_every_steps"] or (per_epoch and self.evaluations(experiment, per_epoch)[0])
            evaluations = -(-steps // every) if every and experiment["evaluate"] == "eval" else 0
            flops = 3 * forward * settings["batch_size"] * steps + evaluations * self.evaluation_flops(experiment)
        return {
            "windows": windows or None,
            "steps_per_epoch": per_epoch,
            "steps": steps,
            "parameters": parameters(network, n_outputs, options),
            "flops": flops,
        }

    def eval_shapes(self, experiment):
        """Sizes of the regions that evaluate it in training, with their context."""
        names = draw_checks.of_role(experiment, {r["name"]: r for r, _ in self.regions}, "eval")
        return [self.eval_images[name] for name in names if experiment["evaluate"] == "eval"]

    def evaluation_tiles(self, experiment):
        """(input (z, y, x) of a tile, tiles) of each eval region with its context, where both are known."""
        network, options = experiment["network"], experiment["options"]
        overlapping = network not in VALID_NETWORKS or options.get("padding") == "same"
        for shape in self.eval_shapes(experiment):
            if None not in shape:
                taken = evaluation_input(network, experiment["tile"] or experiment["window"], shape[0], options)
                output = output_size(network, taken, options)
                if output:
                    yield taken, n_tiles(shape, output, overlapping)

    def evaluation_flops(self, experiment):
        """Operations of one evaluation, of the regions where they are known."""
        network, options = experiment["network"], experiment["options"]
        tiles = self.evaluation_tiles(experiment)
        n_outputs = self.n_outputs(experiment)
        return sum(n * (forward_flops(network, taken, n_outputs, options) or 0) for taken, n in tiles)

    def evaluations(self, experiment, steps_per_epoch):
        """(steps between evaluations, share of the training that they cost) of an experiment, as the training counts;
        regions of unknown size are left out."""
        voxels = sum(n * math.prod(taken) for taken, n in self.evaluation_tiles(experiment))
        return evaluation_schedule(experiment["training"], steps_per_epoch, experiment["window"], voxels)

    def prediction(self, experiment, shape):
        """Operations of predicting a box of `shape` with one network of the experiment; None if not known."""
        network, options = experiment["network"], experiment["options"]
        tile, settings = experiment["tile"] or experiment["window"], self.config["prediction"]
        with_halo, blended = (settings["stitch"] == word for word in ("halo", "blend"))
        if blended:
            tile = [n if isinstance(n, int) else own for n, own in zip(settings["tile"] or tile, tile)]
        elif not with_halo:
            tile = settings["tile"] or tile
        forward = forward_flops(network, tile, self.n_outputs(experiment), options)
        output = output_size(network, tile, options)
        if not output or not forward or None in shape:
            return None
        passes = 2 ** len(settings["flips"])
        if with_halo:  # margins in y and x are left out: they depend on the memory of the machine
            margin = int(not (settings["tile"] or settings["halo"]) and network not in SLICE_NETWORKS and tile[0] > 2)
            return passes * forward * math.prod(shape) / math.prod(output) * tile[0] / (tile[0] - 2 * margin)
        if blended:
            margin = int(not settings["halo"] and network not in SLICE_NETWORKS and tile[0] > 2)
            layers = -(-shape[0] // max(1, output[0] - 2 * margin))
            return passes * forward * layers * n_blended(shape[1:], output[1:], settings["overlap"])
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

    def n_targets(self, ensemble):
        """Classes that the networks of an ensemble predict."""
        return self.n_outputs(self.experiments[ensemble["experiments"][0]])

    def predictions(self):
        """(operations, bytes at most) of all predictions of regions and whole volumes; labels take 1 byte a voxel."""
        flops = n_bytes = 0
        ensembles = {e["name"]: e for e in self.config["ensembles"]}
        for ensemble in ensembles.values():
            networks, kept = self.predicted(ensemble)
            scored = self.scored(ensemble)
            n_bytes += kept * sum(map(math.prod, scored))
            flops += networks * sum(self._mean(ensemble, shape) for shape in scored)
        for full in self.config["prediction"]["full_volumes"]:
            ensemble, shape = ensembles[full["ensemble"]], self.volumes[full["volume"]]
            if None not in shape:
                k = max(ensemble["top_k"])
                flops += k * self._mean(ensemble, shape)
                n_outputs = self.n_outputs(self.experiments[ensemble["experiments"][0]])
                copies = 1 + full["tiff"] + full["keep_members"] * k + full["probabilities"] * n_outputs
                n_bytes += copies * math.prod(shape)
        for experiment in self.experiments.values():
            flops += len(experiment["seeds"]) * (self.held_out(experiment) or 0)
        return flops, n_bytes

    def scored(self, ensemble):
        """Sizes of the regions that an ensemble is scored on: those of all its experiments."""
        own = [self.experiments[e]["regions"] for e in ensemble["experiments"]]
        common = [r["name"] for r, _ in self.regions if all(names is None or r["name"] in names for names in own)]
        return self.shapes("eval", "test", "compare", names=common)

    def _mean(self, ensemble, shape):
        costs = [self.prediction(self.experiments[name], shape) or 0 for name in ensemble["experiments"]]
        return sum(costs) / len(costs)

    def filmed(self):
        """Operations of each training that is run once more for a video; None where they aren't known."""
        records = self.config["videos"]["training"]
        return [self.training(self.experiments[record["experiment"]])["flops"] for record in records]

    def stacks(self):
        """Bytes at most of the volumes (imported, binned, aligned, corrected) and regions (image, labels, weight maps)."""
        copies = 3 if self.config["normalization"]["slices"] == "none" else 4
        volumes = copies * sum(math.prod(shape) for shape in self.volumes.values() if None not in shape)
        maps = len({e["weight_map"] for e in self.config["experiments"]} - {"none"})
        regions = sum((4 + len(r["labels"])) * math.prod(s) for r, s in self.regions if None not in s)
        return volumes + regions + 4 * maps * sum(map(math.prod, self.shapes("train")))
