"""The sentences of `./run.sh explain`, filled from the parameters in the sidecars; the words of each script: words_of_*.py.

A template may use every parameter (`{settings.method}`), `{part[0]}`, `{part[1]}`, ... (the folders of the output and its
name), `{folder}` (all of them), `{stem}` (its name without suffix) and `{n_parents}`; `{edges}` of a weight map, `{budget}` and
`{sparse}` of a training and `{tiles}` of a prediction. A value that an older sidecar lacks is said to be unknown.
"""

import re
from fnmatch import fnmatch

from densecell import words_of_data, words_of_pictures, words_of_results
from densecell.step_words import Words

TILES = {
    "halo": "tiles with a margin that is cut off",
    "depth": "overlapping tiles, each voxel from where it lies deepest",
    "blend": "overlapping tiles, averaged with a tapered window",
}
SUFFIXES = (".ome.zarr", ".safetensors", ".tif", ".nii.gz", ".csv", ".json", ".png", ".html", ".mp4", ".md", ".bib")
SUFFIXES += (".glb", ".ply", ".stl", ".obj")
# in the order of the chain, in which the steps are told
WORDS = {**words_of_data.WORDS, **words_of_results.WORDS, **words_of_pictures.WORDS}

# what an output holds, where its script writes several kinds
FILES = (
    ("phantom/*/image.tif", "a synthetic image stack"),
    ("phantom/*/labels.tif", "the true classes of a synthetic stack"),
    ("phantom/*/annotator_*.tif", "labels of a synthetic stack with mistakes as people make them"),
    (
        "phantom/*/sparse/*",
        "a mask of one class, or the numbers of the cells, in one slice of a synthetic stack, from its truth",
    ),
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
    ("instances/*/objects.csv", "where the objects of a volume lie and how large they are"),
    ("meshes/*.csv", "a table of the surfaces of all objects of a volume"),
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
    ("tables/objects.csv", "where the objects of all volumes lie and how large they are"),
    ("tables/parents.csv", "which object lies in which, of all volumes"),
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
    parts = path.split("/")
    keys, settings = (found if isinstance(found, dict) else {} for found in map(params.get, ("keys", "settings")))
    name = stem(parts[-1])
    about = {
        "part": parts + [""] * 3,
        "stem": name,
        "labels": name.removeprefix("labels_"),
        "n_parents": n_parents,
        "budget": budget(params),
        "sparse": sparse(params),
        "edges": edges(params),
        "tiles": TILES.get(settings.get("stitch"), "tiles of an unknown kind"),
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
