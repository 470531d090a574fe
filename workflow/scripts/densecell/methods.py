"""The paragraph on methods of a run, filled from its configuration and its tables: what a paper has to say.

Sentences are made by rule from the values; a text cites with marks (citations.py). Sources: docs/method.md.
"""

from itertools import combinations

from densecell.comparison import is_exact
from densecell.ensembling import COLLAPSE_IOU
from densecell.passport_words import plural, ranges

NETWORKS = {
    "hybrid_2d3d_333": "the hybrid 2D-3D network with 3 x 3 x 3 convolutions [@guay2021]",
    "hybrid_2d3d_no_333": "the hybrid 2D-3D network without 3 x 3 x 3 convolutions in its encoder and decoder [@guay2021]",
    "hybrid_2d3d_no_pyramid": "the hybrid 2D-3D network without its spatial pyramid [@guay2021]",
    "hybrid_2d3d": "the plain hybrid 2D-3D network, the forerunner of the published one [@guay2021]",
    "unet_2d": "the 2D U-Net, slice by slice [@ronneberger2015]",
    "unet_3d_thick": "a 3D U-Net for thick blocks [@cicek2016]",
    "unet_3d_thin": "a 3D U-Net for thin blocks [@cicek2016]",
    "deepvess": "DeepVess [@haftjavaherian2019]",
    "medicalnet": "a dilated 3D ResNet after MedicalNet [@chen2019], not pretrained",
    "deeplab_drn": "DeepLab v3+ over a dilated residual network, slice by slice [@chen2018; @yu2017], not pretrained",
    "deeplab_resnet101": "DeepLab v3+ over ResNet-101, slice by slice [@chen2018; @he2016], not pretrained",
}
NORMS = {"instance": "instance normalization [@ulyanov2016]", "batch": "batch normalization [@ioffe2015]"}
OPTIMIZERS = {"adam": "Adam [@kingma2015]", "adamw": "AdamW [@loshchilov2019]"}
DECAYS = {"adam": "weight decay (L2, in the gradient)", "adamw": "weight decay (decoupled)"}
SWITCHES = {"predictor_relu": "a ReLU on the predictors", "pyramid_z_upsampling": "upsampling in z in the pyramid"}
SWITCHES |= {"z_downsampling": "downsampling in z", "gray_to_rgb": "three equal input channels"}
ALIGNMENTS = {
    "global": "the cross-correlation of whole slices",
    "tiles": "the cross-correlation of 16 random tiles, of which those that agree with their median are averaged",
}
NORMALIZATIONS = {
    "zscore": "to mean 0 and standard deviation 1",
    "percentile": "so that the 1 % percentile became 0 and the 99 % percentile 1, clipped",
}
ROLES = {
    "train": "trained on",
    "eval": "used to choose checkpoints, networks and the size of ensembles",
    "test": "used for the scores that are reported, and for nothing else",
    "compare": "used to compare label sources with each other and with networks",
}


# ------------------------------------------------------------------------------------------------------------- words
def sizes(values):
    """(z, y, x) in words: 50 x 10 x 10."""
    return " x ".join(f"{value:g}" for value in values)


def listed(words):
    """a, b and c."""
    words = [str(word) for word in words]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def by_value(records, value):
    """{value of a record: [names of the records that have it]}, in order of appearance."""
    found = {}
    for record in records:
        found.setdefault(value(record), []).append(record["name"])
    return found


# ---------------------------------------------------------------------------------------------------------- sections
def data(config):
    """Volumes, binning, alignment, normalization, classes and regions."""
    volumes, sentences = config["volumes"], []
    phantoms = [v["name"] for v in volumes if v["name"] in config["phantoms"]]
    if phantoms:
        what = "is a synthetic stack (phantom)" if len(phantoms) == 1 else "are synthetic stacks (phantoms)"
        sentences.append(
            f"{listed(phantoms)} {what} with known truth, not {'a micrograph' if len(phantoms) == 1 else 'micrographs'}."
        )
    for size, names in by_value(volumes, lambda v: sizes(v["voxel_size_nm"])).items():
        sentences.append(f"The voxels of {listed(names)} measured {size} nm (z, y, x).")
    for binning, names in by_value(volumes, lambda v: sizes(v["binning"])).items():
        if binning != "1 x 1 x 1":
            sentences.append(
                f"{listed(names)} {'was' if len(names) == 1 else 'were'} binned by {binning}: images by the mean, labels by the majority."
            )
    for aligned, names in by_value(
        volumes, lambda v: (v["alignment"]["method"], v["alignment"].get("detrend_window"))
    ).items():
        sentences.append(alignment(names, *aligned))
    normalized = config["normalization"]
    if normalized["method"] in NORMALIZATIONS:
        whose = (
            "each region by itself" if normalized["scope"] == "region" else "with the statistics of the whole volume"
        )
        sentences.append(f"Gray values were normalized {NORMALIZATIONS[normalized['method']]}, {whose}.")
    names = [c["name"].replace("_", " ") for c in config["classes"]]
    sentences.append(f"Each voxel belongs to one of {len(names)} classes: {listed(names)}.")
    for role, text in ROLES.items():
        regions = [f"{r['name']} (of {r['volume']})" for r in config["regions"] if r["role"] == role]
        if regions:
            verb = "Region {} was" if len(regions) == 1 else "Regions {} were"
            sentences.append(f"{verb.format(listed(regions))} {text}.")
    return sentences


def alignment(names, method, detrend_window):
    """The sentence on the alignment of some volumes."""
    if method not in ALIGNMENTS:
        return f"{listed(names)} {'was' if len(names) == 1 else 'were'} not aligned further."
    detrended = (
        f"; of the summed shifts a moving average over {detrend_window} slices was subtracted" if detrend_window else ""
    )
    return (
        f"The slices of {listed(names)} were aligned by whole pixels [@machireddy2023], with shifts from {ALIGNMENTS[method]} "
        f"after a band-pass, refined to 1/20 pixel [@guizar2008]{detrended}."
    )


def weights(config):
    """The error weights of the loss."""
    sentences = []
    for w in config["weight_maps"]:
        if w["is_file"]:
            sentences.append(f"Weight map {w['name']}: read from a file, plus a floor of {w['floor']:g}.")
            continue
        balance = f"the class balance (rarest class 1) to the power {w['class_weight_power']:g}"
        if not w["edge_amplitude"]:
            sentences.append(f"Weight map {w['name']}: a floor of {w['floor']:g} and {balance}.")
            continue
        scaled = f", times {w['edge_scale']:g}" if w["edge_scale"] != 1 else ""
        sentences.append(
            f"Weight map {w['name']}: a floor of {w['floor']:g}, {balance}, and edges between background, cell and organelles "
            f"(Gaussian of {w['edge_sigma_px']:g} px, amplitude {w['edge_amplitude']:g}, threshold {w['edge_threshold']:g}{scaled})."
        )
    return ["The loss of each voxel was weighted [@guay2021].", *sentences]


def option(key, value):
    """An option of a network in words."""
    if isinstance(value, bool):
        return f"{'with' if value else 'without'} {SWITCHES.get(key, key.replace('_', ' '))}"
    return f"{key} {value}".replace("_", " ")


def networks(config, parameters):
    """One sentence per experiment. parameters: {experiment: number of trained values}."""
    sentences = []
    for e in config["experiments"]:
        norm = NORMS.get(e["options"].get("norm"))
        more = [option(key, value) for key, value in e["options"].items() if key != "norm"]
        more += [f"with {norm}"] if norm else []
        tile = f", evaluated in tiles of {sizes(e['tile'])}" if e.get("tile") else ""
        about = f" ({', '.join(more)})" if more else ""
        seeds = f"seed{'' if len(e['seeds']) == 1 else 's'} {ranges(sorted(e['seeds']))}"
        sentences.append(
            f"Experiment {e['name']}: {NETWORKS.get(e['network'], e['network'])}{about}, {parameters[e['name']]:,} parameters, on windows "
            f"of {sizes(e['window'])} voxels{tile}, corners drawn anew for each epoch in bins of {sizes(e['spacing'])}, weight map "
            f"{e['weight_map']}, {plural(len(e['seeds']), 'run')} ({seeds})."
        )
    return sentences


def schedule(t):
    """The learning rate in words."""
    warm = f" after a linear warm-up over {t['warmup_steps']} steps" if t["warmup_steps"] else ""
    shapes = {
        "staircase": f"multiplied by {t['decay_factor']:g} every {t['decay_steps']:g} steps",
        "polynomial": f"falling to 0 at the last step by a polynomial of power {t['polynomial_power']:g}",
        "constant": "constant",
    }
    return f"learning rate {t['learning_rate']:g}{warm}, {shapes.get(t['schedule'], t['schedule'])}"


def augmentation(a):
    """What was done to windows, in words."""
    words = ["flips"] * a["flip"] + ["quarter turns"] * a["rot90"]
    words += [f"brightness (up to {a['brightness']:g} of the range)"] * (a["brightness"] > 0)
    words += [f"contrast (up to {a['contrast']:g})"] * (a["contrast"] > 0)
    if a["elastic"]:
        words.append(
            f"elastic deformation (displacements up to {a['elastic_amplitude_px']:g} px before smoothing, one point per "
            f"{a['elastic_grid_px']:g} px, smoothed by {a['elastic_smoothing']:g} grid cells)"
        )
    return f"were augmented by {listed(words)}" if words else "were not augmented"


def one_training(names, t):
    """The sentences on the settings that some experiments share: t as of `settings_of`."""
    budget = f"{t['steps']} steps" if t["steps"] else f"{t['epochs']} epochs"
    decay = listed(f"{value:g} ({group.replace('_', '-')})" for group, value in t["l2"].items())
    clip = f", the gradient clipped at norm {t['gradient_clip']:g}" if t["gradient_clip"] else ""
    main = f", that of the main output counting {t['main_weight']:g}" if t["main_weight"] != 1 else ""
    auxiliary = f", that of the 2D output counting {t['auxiliary_weight']:g}" if t["auxiliary_weight"] else ""
    stopped = (
        f" Runs below a mean IoU of {t['stop_below_miou']:g} after {t['stop_after_epochs']} epochs were stopped."
        if t["stop_below_miou"] is not None
        else ""
    )
    return (
        f"{listed(names)} {'was' if len(names) == 1 else 'were'} trained for {budget} in batches of {plural(t['batch_size'], 'window')} with "
        f"{OPTIMIZERS.get(t['optimizer'], t['optimizer'])} (beta {t['betas'][0]:g} and {t['betas'][1]:g}, epsilon {t['epsilon']:g}; {schedule(t)}"
        f"{clip}) on the {t['loss_reduction']} of the weighted cross-entropy{main}{auxiliary}; {DECAYS.get(t['optimizer'], 'weight decay')} of "
        f"{decay}; computed in {t['precision']}.{stopped}"
    )


def settings_of(experiment, facts):
    """Its training settings as far as its network has use for them, and the number format."""
    t, name = experiment["training"], experiment["name"]
    return {
        **{key: t[key] for key in t if key not in ("augmentation", "evaluate_every_steps")},
        "l2": {group: value for group, value in t["l2"].items() if group in facts["groups"][name]},
        "auxiliary_weight": t["auxiliary_weight"] if facts["outputs"][name] > 1 else 0,
        "precision": facts["precisions"][name],
    }


def training(config, facts):
    """facts: {"groups", "outputs", "precisions"}, as of `sections`."""
    experiments = config["experiments"]
    told = {e["name"]: settings_of(e, facts) for e in experiments}
    groups = by_value(experiments, lambda e: repr(told[e["name"]]))
    sentences = [one_training(names, told[names[0]]) for names in groups.values()]
    for text, names in by_value(experiments, lambda e: augmentation(e["training"]["augmentation"])).items():
        sentences.append(f"Windows{of_some(names, experiments)} {text}.")
    for steps, names in by_value(experiments, lambda e: e["training"]["evaluate_every_steps"]).items():
        every = f"every {steps} steps" if steps else "at most once per epoch"
        sentences.append(f"The eval regions were scored {every}{of_some(names, experiments, 'in the training')}.")
    return [
        *sentences,
        "Of each run the state with the highest mean IoU over all classes on the eval regions was kept.",
    ]


def of_some(names, experiments, what=""):
    """ "of hybrid and unet", or nothing where these are all experiments."""
    return "" if len(names) == len(experiments) else f"{what and ' ' + what} of {listed(names)}"


def ensembles(config, runs, chosen):
    """runs: {experiment: (number, number that collapsed)}; chosen: {ensemble: k}."""
    counts = listed(f"{plural(n, 'run')} of {name} ({collapsed} collapsed)" for name, (n, collapsed) in runs.items())
    sentences = [
        f"The runs trained were {counts}; collapsed runs (fewer than half of the classes above an IoU of {COLLAPSE_IOU:g} at the last "
        "evaluation) are included in all statistics.",
        "Runs were ranked by their mean IoU on the eval regions; ensembles average the probabilities of the best k [@guay2021].",
    ]
    for e in config["ensembles"]:
        sentences.append(
            f"Ensemble {e['name']}: of {listed(e['experiments'])}, k = {ranges(sorted(e['top_k']))}; the eval regions chose k = {chosen[e['name']]}."
        )
    return sentences


def by_axis(values, words):
    """(z, y, x) or one word for all axes: "z 5 voxels, y and x ...". words: {a word of the configuration: what it means}."""
    values = [values] * 3 if isinstance(values, str) else values
    axes = by_value([{"name": axis, "value": value} for axis, value in zip("zyx", values)], lambda a: a["value"])
    return ", ".join(f"{listed(names)} {words.get(value) or plural(value, 'voxel')}" for value, names in axes.items())


def tiles(p, usual, defaults):
    """How a prediction was cut into tiles, in words.

    usual: where tiles have the size that networks are used to; defaults: tile and halo where none are given, and the
    largest_statistics_voxels of a tile.
    """
    tile, halo = p["tile"], p["halo"]
    if p["stitch"] == "depth":
        size = f"of {sizes(tile)} voxels" if tile else f"of the size used in {usual}"
        return f"in overlapping tiles {size}, each voxel from the tile in which it lies deepest [@guay2021]"
    tile, halo = tile or ("auto" if halo else defaults["tile"]), halo or defaults["halo"]
    size = by_axis(tile, {"auto": "as large as memory allowed", "window": f"as in {usual}"})
    limit = f"; at most {defaults['largest_statistics_voxels']:,} voxels for networks with statistics of their window"
    margin = by_axis(halo, {"auto": "as far as the network sees"})
    return f"in tiles ({size}{limit * ('auto' in tile)}) with a margin that was cut off ({margin})"


def prediction(config, defaults):
    """Tiles, margins, flips, precision, whole volumes. defaults: as for `tiles`."""
    p = config["prediction"]
    usual = "evaluation" if any(e["tile"] for e in config["experiments"]) else "training"
    said = f"Regions and volumes were predicted {tiles(p, usual, defaults)}"
    said += f", averaged over flips along {listed(p['flips'])}" if p["flips"] else ""
    said += f", in {p['precision']}" if p["precision"] != "auto" else ""
    sentences = [f"{said}."]
    for job in p["full_volumes"]:
        sentences.append(
            f"The whole volume {job['volume']} was predicted with ensemble {job['ensemble']} at its chosen k."
        )
    return sentences


def evaluation(config, runs):
    """Scores, comparison, volume fractions and what else was switched on. runs: as for `ensembles`."""
    analysis = config["analysis"]
    masked = [r["name"] for r in config["regions"] if r.get("mask") == "reference"]
    only = f" In {listed(masked)} only voxels that the reference does not call background count." if masked else ""
    sentences = [
        "Predictions were scored by IoU and Dice per class, from voxels counted over all slices of a region, and by their means over "
        f"all classes and over organelles; a class that reference and prediction lack is left out of the mean.{only}"
    ]
    if len(config["experiments"]) > 1:
        c = analysis["comparison"]
        exact = all(is_exact(first, second) for (first, _), (second, _) in combinations(runs.values(), 2))
        test = "exact rank sum test" + " (normal approximation for pairs with too many runs)" * (not exact)
        sentences.append(
            f"Experiments were compared by the scores of their runs: {test} [@mann1947], corrected for several pairs "
            f"[@holm1979; @tarone1990], and {100 * c['confidence']:g} % bootstrap intervals from {c['n_bootstrap']:,} samples [@efron1979] (seed {c['seed']})."
        )
    margins = listed(f"{m:g}" for m in analysis["volume_fractions"]["margins_nm"])
    sentences.append(
        "Volume fractions are the voxels of a class over those of the cell; of a prediction those within a margin around the "
        f"reference's cells ({margins} nm) [@guay2021], in whole volumes over all predicted tissue."
    )
    foreground, small = analysis["foreground"], analysis["small_regions"]
    if foreground["regions"]:
        sentences.append(
            "Tissue was scored against background at several thresholds by IoU, variation of information [@meila2007] and boundary F1 "
            f"[@csurka2013] (tolerance {foreground['boundary_tolerance_nm']:g} nm)."
        )
    if small["ensembles"]:
        sentences.append(
            f"Scores were computed again after connected regions below {listed(small['min_sizes_voxels'])} voxels were removed [@guay2021]."
        )
    return sentences


def software(versions):
    """versions: {name: version} of densecell, snakemake, torch, numpy, scipy and what else there is."""
    known = {
        "densecell": "",
        "snakemake": " [@molder2021]",
        "torch": " [@paszke2019]",
        "numpy": " [@harris2020]",
        "scipy": " [@virtanen2020]",
    }
    names = {"snakemake": "Snakemake", "torch": "PyTorch", "numpy": "NumPy", "scipy": "SciPy", "python": "Python"}
    said = [
        f"{names.get(name, name)} {version}{known.get(name, '')}"
        for name, version in versions.items()
        if version != "unknown"
    ]
    return [f"The workflow carries out a published method [@guay2021]. Software: {listed(said)}."]


def sections(config, facts):
    """[(title, [sentences])] of the whole text.

    config: the parts of the resolved configuration that are told. facts: of each experiment "parameters", "precisions" (number
    format), "groups" (names of its network's parameter groups), "outputs" (their number), "runs"; "chosen", "tiles" (defaults) and "versions" as above.
    """
    return [
        ("Data", data(config)),
        ("Error weights", weights(config)),
        ("Networks", networks(config, facts["parameters"])),
        ("Training", training(config, facts)),
        ("Ensembles", ensembles(config, facts["runs"], facts["chosen"])),
        ("Prediction", prediction(config, facts["tiles"])),
        ("Evaluation", evaluation(config, facts["runs"])),
        ("Software", software(facts["versions"])),
    ]
