"""What each script does, in words: the sentences of `./run.sh explain`, filled from the parameters in the sidecars.

A template may use every parameter (`{settings.method}`), `{part[0]}`, `{part[1]}`, ... (the folders of the output and its
name), `{folder}` (all of them), `{stem}` (its name without suffix) and `{n_parents}`; `{edges}` of a weight map, `{budget}` and
`{sparse}` of a training and `{tiles}` of a prediction. A value that an older sidecar lacks is said to be unknown.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatch

TILES = {
    "halo": "tiles with a margin that is cut off",
    "depth": "overlapping tiles, each voxel from where it lies deepest",
    "blend": "overlapping tiles, averaged with a tapered window",
}
SUFFIXES = (".ome.zarr", ".safetensors", ".tif", ".csv", ".json", ".png", ".html", ".mp4", ".md", ".bib")


@dataclass(frozen=True)
class Words:
    """The words of one script.

    name: what tells one job from its siblings. how: what it did. story: one sentence for all siblings, with {names}, {how},
    {each} (names and how) and {n_jobs:one|several} (a number and the word after it), or "" for a step that needs none. makes: what the output holds (or is, with "a" before
    it), where FILES doesn't tell. idle: a parameter and the value with which the step leaves things as they are, so that its
    story is not told.
    """

    name: str
    how: str
    story: str
    makes: str
    idle: tuple = ()


WORDS = {
    "make_phantom": Words(
        "{part[1]}",
        "{settings.shape:x} voxels of {settings.voxel_size_nm:x} nm, preset {settings.preset}, seed {settings.seed}",
        "No microscope took part: the stacks are phantoms of blood platelets, synthesized with known truth ({how}).",
        "a synthetic stack",
    ),
    "make_tumor_phantom": Words(
        "{part[1]}",
        "{settings.shape:x} voxels of {settings.voxel_size_nm:x} nm, preset {settings.preset}, seed {settings.seed}, cells "
        "{settings.miniature} times smaller than in life",
        "No microscope took part: the stacks are phantoms of tumors, synthesized with known truth ({how}).",
        "a synthetic stack",
    ),
    "draw_sparse_labels": Words(
        "{drawn.name} of {part[1]}",
        "slices {drawn.slices}",
        "The true classes were copied for single slices, as if someone had drawn them: {names} ({how}).",
        "a mask of one class in one slice of a synthetic stack, from its true classes",
    ),
    "import_volume": Words(
        "{part[1]}",
        "voxels of {voxel_size_nm:x} nm in z, y and x",
        "The image stacks of {names} were read ({how}).",
        "a raw image stack, as it was, in the format of densecell",
    ),
    "import_labels": Words(
        "{labels}",
        "{kind} labels, drawn on the {frame} stack",
        "Labels were read: {names} ({how}).",
        "labels of a stack, as they were, in the format of densecell",
    ),
    "check_volume": Words(
        "{part[1]}",
        "every slice once",
        "The slices of {names} were looked at for what stands out.",
        "what a look at each slice of a raw stack found",
    ),
    "check_inputs": Words(
        "{stem}",
        "volumes, labels and regions",
        "Volumes, labels and regions were checked against each other.",
        "what is odd about the inputs",
    ),
    "plot_checks": Words("{stem}", "drawn", "", "a picture of what the checks saw of a raw stack"),
    "bin_volume": Words(
        "{part[1]}",
        "the mean of each block of {binning:x} voxels",
        "Images were binned: {how}.",
        "a binned image stack",
        ("binning", [1, 1, 1]),
    ),
    "bin_labels": Words(
        "{labels}",
        "the most frequent class of each block of {binning:x} voxels",
        "Labels were binned: {how}.",
        "binned labels of a stack",
        ("binning", [1, 1, 1]),
    ),
    "align_volume": Words(
        "{part[1]}",
        "method {settings.method}",
        "The slices of {names} were aligned to each other by shifts of whole pixels ({how}).",
        "an image stack whose slices are aligned",
        ("settings.method", "none"),
    ),
    "align_labels": Words(
        "{labels}",
        "frame {frame}",
        "",
        "labels of an aligned stack",
    ),
    "correct_intensity": Words(
        "{part[1]}",
        "method {method}",
        "The gray values of the slices of {names} were made even, each slice by itself ({how}).",
        "an image stack whose slices have even gray values",
    ),
    "measure_intensity": Words(
        "{part[1]}",
        "method {method}",
        "The gray values of the whole volume {names} were measured ({how}).",
        "the numbers that normalize the gray values of a whole volume",
    ),
    "normalize_region": Words(
        "{region.name}",
        "method {method} with the statistics of the {scope}",
        "Regions were cut out ({names}) and their gray values normalized ({how}).",
        "the normalized image of a region",
    ),
    "extract_labels": Words(
        "{part[1]} ({role})",
        "labels cut out",
        "Labelled regions and their roles: {names}.",
        "the labels of a region",
    ),
    "extract_targets": Words(
        "{target} of {part[1]}",
        "the class with all that lies in it against the rest, where its label sources tell",
        "Targets were made of the labels: {names} ({how}).",
        "where a class is, where it is not, and where that is unknown, in a region",
    ),
    "draw_slices": Words(
        "{experiment}",
        "{draw.n_slices} slices, {draw.pick}, of {regions}",
        "Training slices were drawn from the labelled ones, another draw for each seed: {names} ({how}).",
        "which slices each seed of an experiment is trained on, and how far the others are from them",
    ),
    "build_weight_map": Words(
        "{settings.name} of {stem}",
        "class balance to the power {settings.class_weight_power}, {edges}, floor {settings.floor}",
        "For training each voxel got a weight, higher for rare classes and at borders ({names}: {how}).",
        "the weight of each voxel of a train region in the loss",
    ),
    "import_weight_map": Words(
        "{part[1]} of {stem}",
        "floor {floor}",
        "For training each voxel got a weight that was read from a file ({names}).",
        "the weight of each voxel of a train region in the loss",
    ),
    "train_network": Words(
        "{experiment} seed {seed}",
        "{settings.network}, {budget} on windows of {settings.window:x} voxels, {settings.training.optimizer}{sparse}",
        "{n_jobs:network was|networks were} trained ({each}); of each run with eval regions the state with the best mean IoU on them was kept.",
        "a trained network",
    ),
    "rank_networks": Words(
        "{folder}",
        "by the best eval score of each run",
        "The runs were ranked by mean IoU over all classes on the eval regions.",
        "the ranking of the trained networks by their score on the eval regions",
    ),
    "build_ensemble": Words(
        "{name}",
        "the best {top_k}",
        "",
        "a list of the best networks of an ensemble",
    ),
    "choose_ensemble": Words(
        "{name}",
        "one of k = {top_k}",
        "How many of the best runs an ensemble averages was chosen by the score on the eval regions ({how}).",
        "the list of networks whose number the eval regions chose",
    ),
    "predict_volume": Words(
        "{part[2]} in {part[1]}",
        "{tiles}",
        "Predicted tile by tile ({how}): {names}; an ensemble averages the probabilities of its networks.",
        "the classes that one network or an ensemble predicts for each voxel",
    ),
    "gather_slabs": Words(
        "{part[2]} in {part[1]}",
        "slabs joined",
        "The slabs of {names} were joined.",
        "the classes that an ensemble predicts for each voxel of a whole volume",
    ),
    "compose_classes": Words(
        "{part[2]} in {part[1]}",
        "targets at or above {threshold}, painted over each other",
        "The targets of several ensembles were joined into one class map ({how}); a class inside another covers it.",
        "the classes that several ensembles, each of its own targets, predict for each voxel of a whole volume",
    ),
    "export_tiff": Words(
        "{part[1]}, {stem}",
        "as TIFF",
        "The prediction was exported as TIFF.",
        "the predicted classes of a whole volume, as TIFF",
    ),
    "compute_confusion_matrix": Words(
        "{keys.experiment} in {keys.region} against {keys.reference}",
        "voxels counted slice by slice",
        "In each scored region the predictions were compared with the labels, voxel by voxel.",
        "how many voxels of each class were predicted as which class",
    ),
    "score_held_out": Words(
        "{experiment} seed {seed}",
        "slice by slice, {tiles}",
        "{n_jobs:network was|networks were} scored on the labelled slices that they were not trained on ({names}).",
        "how the targets that a network predicts on held-out slices overlap with those drawn, or the probabilities of a target there",
    ),
    "compute_overlap": Words(
        "{keys.experiment} in {keys.region} against {keys.reference}",
        "voxels counted slice by slice",
        "In each scored region the predicted targets were compared with the labels, voxel by voxel.",
        "how predicted targets overlap with those drawn, slice by slice",
    ),
    "summarize_draws": Words(
        "{stem}",
        "pooled over the voxels of all slices, and as means over slices",
        "From these sums Dice, precision and recall of each target were computed ({how}), and their mean and spread over draws.",
        "Dice, precision and recall of targets, of each draw or over draws",
    ),
    "compute_metrics": Words(
        "{folder}",
        "from the counts of voxels",
        "From the counts of right and wrong voxels the scores were computed.",
        "the scores (IoU, Dice, precision, recall, ...) of every prediction",
    ),
    "compute_volume_fractions": Words(
        "{keys.experiment} in {place}",
        "margins of {settings.margins_nm} nm around the reference's cells",
        "The volume of each class was counted in labels and predictions and divided by the volume of the cells, in whole volumes by that of "
        "all tissue ({how}).",
        "the share that each class has of the volume of the cells",
    ),
    "gather_tables": Words(
        "{stem}",
        "one below the other",
        "",
        "a table gathered from those of the regions",
    ),
    "compare_networks": Words(
        "{stem}",
        "rank tests, {confidence:%} intervals from {n_bootstrap} bootstrap samples, seed {seed}",
        "The experiments were compared by the scores of all their runs ({how}).",
        "the experiments against each other, by the scores of all their runs",
    ),
    "compute_ensemble_gain": Words(
        "{stem}",
        "ensembles against their size",
        "The scores of ensembles were set against their size.",
        "what averaging more networks gains",
    ),
    "compare_annotators": Words(
        "{stem}",
        "people against people and networks",
        "The agreement of people with each other was set against that of networks with people.",
        "how people agree with each other and networks with people",
    ),
    "compare_weight_maps": Words(
        "{stem}",
        "imported against computed weights",
        "Imported and computed weights were compared.",
        "how imported weights and computed ones agree",
    ),
    "compute_foreground": Words(
        "{part[2]} in {part[1]}",
        "thresholds {settings.thresholds}, borders within {settings.boundary_tolerance_nm} nm",
        "Tissue was scored against background, at several thresholds of the probability.",
        "scores of tissue against background",
    ),
    "choose_threshold": Words(
        "{stem}",
        "by the eval regions",
        "The threshold of the probability was chosen on the eval regions.",
        "scores of tissue against background, with the threshold that the eval regions chose",
    ),
    "sweep_small_regions": Words(
        "{part[2]} in {part[1]}",
        "regions below {min_sizes_voxels} voxels removed",
        "Small connected regions were removed from the predictions and the scores computed again ({how}).",
        "scores after small regions were removed from the prediction",
    ),
    "write_summary": Words(
        "{stem}",
        "volume fractions within {margin_nm} nm",
        "The numbers of the test regions were put into words by fixed rules.",
        "what the tables say about the test regions, in words and numbers",
    ),
    "make_methods_text": Words(
        "{stem}",
        "from the configuration, tables and sidecars",
        "The paragraph on methods was filled from the configuration and the tables.",
        "the paragraph on methods of this run, or its citations",
    ),
    "make_paper_tables": Words(
        "{stem}",
        "beside the published numbers",
        "The numbers were set beside those published.",
        "a table of the paper with the numbers of this run",
    ),
    "write_paper_index": Words(
        "{stem}",
        "all tables and figures of the paper",
        "Tables and figures of the paper were put on one page.",
        "every table and figure of the paper on one page",
    ),
    "plot_alignment": Words("{stem}", "drawn", "", "a picture of a vertical section before and after alignment"),
    "plot_intensity": Words(
        "{stem}", "drawn", "", "a picture of the gray values of the slices, before and after they were made even"
    ),
    "plot_held_out_slices": Words("{stem}", "drawn", "", "a picture of held-out slices, as drawn and as predicted"),
    "plot_label_budget": Words("{stem}", "drawn", "", "a picture of scores against the number of labelled slices"),
    "plot_held_out_distance": Words(
        "{stem}", "drawn", "", "a picture of scores against the distance to the training slices"
    ),
    "plot_held_out_comparison": Words("{stem}", "drawn", "", "a picture of the held-out scores of several experiments"),
    "plot_weight_map": Words("{stem}", "drawn", "", "a picture of labels and their error weights"),
    "plot_weight_map_comparison": Words("{stem}", "drawn", "", "a picture of imported and computed error weights"),
    "plot_training_curves": Words("{stem}", "drawn", "", "a picture of loss and eval score of every run"),
    "plot_network": Words(
        "{title}",
        "{network} with a window of {window:x}",
        "The network was built without training and drawn from its layers; no data took part.",
        "a drawing of a network as it is built",
    ),
    "plot_ranking": Words("{stem}", "drawn", "", "a picture of the runs by score, and what averaging them gains"),
    "plot_network_comparison": Words("{stem}", "drawn", "", "a picture of how the runs of every experiment scatter"),
    "plot_ensemble_gain": Words("{stem}", "drawn", "", "a picture of ensembles against their size"),
    "plot_segmentation": Words("{stem}", "drawn", "", "a picture of image, reference and predictions"),
    "plot_confusion": Words("{stem}", "drawn", "", "a picture of what is taken for what"),
    "plot_volume_fractions": Words("{stem}", "drawn", "", "a picture of the volume fractions"),
    "plot_foreground": Words("{stem}", "drawn", "", "a picture of tissue against background"),
    "plot_small_regions": Words("{stem}", "drawn", "", "a picture of what removing small regions changes"),
    "plot_annotators": Words("{stem}", "drawn", "", "a picture of the agreement of people and networks"),
    "plot_paper_members": Words("{stem}", "drawn", "", "a figure of the paper: single networks beside ensembles"),
    "plot_paper_overview": Words("{stem}", "drawn", "", "a figure of the paper: the data and their segmentation"),
    "plot_paper_panels": Words("{stem}", "drawn", "", "a figure of the paper, put together from pictures"),
    "render_surfaces": Words(
        "{part[2]} of {part[1]}",
        "surfaces by marching cubes",
        "Surfaces were computed from the labels and rendered in 3D.",
        "a picture of the surfaces in 3D",
    ),
    "render_rotation": Words(
        "{stem}",
        "{seconds} s at {frames_per_second} pictures a second",
        "Surfaces were computed from the labels and filmed turning once around the z axis.",
        "a video of the surfaces, turning",
    ),
    "render_training": Words(
        "{stem}",
        "{seconds} s at {frames_per_second} pictures a second",
        "What the network in training made of one slice was filmed.",
        "a video of one slice while the network learns",
    ),
}

# what an output holds, where its script writes several kinds
FILES = (
    ("phantom/*/image.tif", "a synthetic image stack"),
    ("phantom/*/labels.tif", "the true classes of a synthetic stack"),
    ("phantom/*/annotator_*.tif", "labels of a synthetic stack with mistakes as people make them"),
    ("phantom/*/sparse/*", "a mask of one class in one slice of a synthetic stack, from its true classes"),
    ("phantom/*/features.csv", "a table of the true objects of a synthetic stack"),
    ("phantom/*/truth.csv", "the true drift and the destroyed slices of a synthetic stack"),
    ("phantom/*", "one number for each true object of a synthetic stack"),
    ("aligned/*/shifts.csv", "by how much each slice of a stack was shifted, and which slices are left out"),
    ("aligned/*/score.csv", "how well a stack could be aligned"),
    ("models/*/history.csv", "how the training of a network went: loss and scores at each evaluation"),
    ("models/*/last.safetensors", "a trained network in its last state"),
    ("models/*/best.safetensors", "a trained network in the state that scored best on the eval regions"),
    ("ensembles/*/candidates.json", "a list of the networks of an ensemble that are predicted"),
    ("ensembles/*/eval_metrics.csv", "the scores on the eval regions alone, by which k is chosen"),
    ("predictions/*/seed*", "the classes that one network predicts for each voxel of a region"),
    ("predictions/*/top*", "the classes that the mean of the best networks predicts for each voxel of a region"),
    (
        "predictions/*/random*",
        "the classes that the mean of networks drawn at random predicts for each voxel of a region",
    ),
    ("*probabilities/*", "the probability of a class in each voxel, times 255"),
    ("volumes/*/members/*", "the classes that one network predicts for each voxel of a whole volume"),
    ("volumes/*.tif", "the classes that an ensemble predicts for each voxel of a whole volume, as TIFF"),
    ("volumes/*", "the classes that an ensemble predicts for each voxel of a whole volume"),
    ("snapshots/*", "what a network in training makes of one slice"),
    (
        "tables/confusion.csv",
        "how many voxels of each class were predicted as which class, by slice, region and predictor",
    ),
    ("tables/metrics.csv", "the scores (IoU, Dice, precision, recall, ...) of every prediction"),
    ("tables/network_comparison_text.csv", "the comparison of the experiments in words"),
    (
        "tables/volume_fractions.csv",
        "the share that each class has of the volume of the cells, in the labels and in every prediction",
    ),
    ("tables/small_regions.csv", "the scores after small connected regions were removed from the predictions"),
    ("tables/summary.csv", "the numbers behind the summary"),
    ("methods.bib", "the citations of the paragraph on methods"),
)

UNTOLD = Words("{stem}", "no run record tells by which step", "", "a result of a step that no run record tells")


class Values(dict):
    """Parameters by name, nested ones by attribute, as a person would write them; what is missing is `unknown`."""

    def __getattr__(self, key):
        return said(self[key]) if key in self else UNKNOWN

    def __format__(self, spec):
        return ", ".join(f"{key} {said(value)}" for key, value in self.items()) or "unknown"


class Text(str):
    """A text that takes any format of a list; a number also as a percentage: `{confidence:%}` 95 %."""

    def __format__(self, spec):
        return f"{100 * float(self):g} %" if spec == "%" else str(self)


class Count(int):
    """A number with the word that belongs to it: `{n_jobs:network was|networks were}` 1 network was, 2 networks were."""

    def __format__(self, spec):
        one, several = spec.split("|")
        return f"{int(self)} {one if self == 1 else several}"


class Several(list):
    """A list in a template: `{window:x}` 1 x 2 x 3, `{z:to}` 0 to 16, else 1, 2, 3."""

    def __format__(self, spec):
        return {"x": " x ", "to": " to "}.get(spec, ", ").join(str(said(value)) for value in self)


UNKNOWN = Values()


class Parts(list):
    """The parts of a path; what is missing is empty."""

    def __getitem__(self, index):
        return list.__getitem__(self, index) if index < len(self) else ""


def said(value):
    """A parameter as a person would write it: None as "all", numbers short; records and lists as `Values` and `Several`."""
    if isinstance(value, dict):
        return Values(value)
    if isinstance(value, list):
        return Several(value)
    if value is None:
        return Text("all")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(f"{value:g}" if isinstance(value, float) else value)


def makes(path, script):
    """What the output at `path` is or holds, as a predicate."""
    files = () if script == "compose_classes" else FILES  # its output lies where an ensemble's does
    what = next((text for pattern, text in files if fnmatch(path, pattern)), WORDS.get(script, UNTOLD).makes)
    return f"{'is' if what.startswith(('a ', 'an ')) else 'holds'} {what}"


def is_idle(words, params):
    """Whether a step left things as they are."""
    if not words.idle:
        return False
    value = params
    for key in words.idle[0].split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value == words.idle[1]


def stem(name):
    """A file's name without its suffix."""
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def budget(params):
    """How long a training lasted, in words."""
    training = (params.get("settings") or {}).get("training") or {}
    unit = "steps" if training.get("steps") else "epochs"
    return f"{training.get(unit, 'an unknown number of')} {unit}"


def sparse(params):
    """What a training says of itself where no eval region chooses its state: its targets and loss; nothing otherwise."""
    settings = params.get("settings") or {}
    if settings.get("evaluate", "eval") == "eval":
        return ""
    loss = (settings.get("training") or {}).get("loss", UNKNOWN).replace("_", " ")
    return f", {loss} loss of {listed(settings.get('targets') or ['all classes'])}, the last step kept"


def edges(params):
    """The edges of a weight map in words; those without an amplitude are none."""
    settings = Values(params.get("settings") or {})
    return (
        "no edges"
        if settings.get("edge_amplitude") == 0
        else f"edges blurred by a Gaussian of {settings.edge_sigma_px} px"
    )


def fill(template, path, params, n_parents=0):
    """A template with the parameters of one output at `path`."""
    parts, keys = path.split("/"), params.get("keys") or {}
    name = stem(parts[-1])
    about = {
        "part": parts + [""] * 3,
        "stem": name,
        "labels": name.removeprefix("labels_"),
        "n_parents": n_parents,
        "budget": budget(params),
        "sparse": sparse(params),
        "edges": edges(params),
        "tiles": TILES.get((params.get("settings") or {}).get("stitch"), "tiles of an unknown kind"),
        "folder": "/".join(parts[:-1]),
        "place": keys.get("region") or f"the whole volume {keys.get('volume', '')}",
    }
    return template.format_map(_Lookup({**params, **about}))


class _Lookup(dict):
    def __missing__(self, key):
        return UNKNOWN

    def __getitem__(self, key):
        return said(super().__getitem__(key)) if key in self else UNKNOWN


def join_names(names):
    """Names as a list in words; those that differ by a last number alone as one: hybrid seed 1 to 30."""
    numbered = {}
    for name in dict.fromkeys(names):
        found = re.fullmatch(r"(.*?)(\d+)", name)
        numbered.setdefault(found[1] if found else name, []).append(int(found[2]) if found else None)
    words = []
    for base, numbers in numbered.items():
        if numbers == [None]:
            words.append(base)
        elif not base.endswith(" "):
            words += [f"{base}{n}" if n is not None else base for n in numbers]
        else:
            words.append(base + ranges(sorted(n for n in numbers if n is not None)))
    return listed(words)


def plural(n, noun):
    """1 run, 2 runs."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def ranges(numbers):
    """Sorted numbers in words: 1 to 3, 7."""
    runs = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    words = [w for r in runs for w in ([f"{r[0]} to {r[-1]}"] if len(r) > 2 else map(str, r))]
    return listed(words)


def listed(words):
    """a, b and c."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
