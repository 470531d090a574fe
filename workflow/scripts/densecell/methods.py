"""The paragraph on methods of a run, filled from its configuration and its tables: what a paper has to say.

Sentences are made by rule from the values; a text cites with marks (citations.py). Sources: docs/method.md.
"""

from itertools import combinations

from densecell.comparison import is_exact
from densecell.ensembling import COLLAPSE_IOU
from densecell.methods_objects import objects
from densecell.methods_training import draws, networks, training
from densecell.methods_words import ALIGNMENTS, NORMALIZATIONS, ROLES, SLICE_METHODS, by_value, listed, sizes
from densecell.passport_words import plural, ranges


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
    if normalized["slices"] in SLICE_METHODS:
        sentences.append(f"The gray values of each slice were made even {SLICE_METHODS[normalized['slices']]}.")
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
    return ["The loss of each voxel was weighted [@guay2021].", *sentences] if sentences else []


def ensembles(config, runs, chosen):
    """runs: {experiment: (number, number that collapsed)} of those that eval regions rank; chosen: {ensemble: k}."""
    counts = listed(f"{plural(n, 'run')} of {name} ({collapsed} collapsed)" for name, (n, collapsed) in runs.items())
    sentences = [
        f"The runs trained were {counts}; collapsed runs (fewer than half of the classes above an IoU of {COLLAPSE_IOU:g} at the last "
        "evaluation) are included in all statistics.",
        "Runs were ranked by their mean IoU on the eval regions; ensembles average the probabilities of the best k [@guay2021].",
    ] * bool(runs)
    others = [e for e in config["experiments"] if e["name"] not in runs]
    if others:
        counts = listed(f"{plural(len(e['seeds']), 'run')} of {e['name']}" for e in others)
        sentences.append(f"No eval region ranks {counts}.")
    for e in config["ensembles"]:
        if not set(e["experiments"]) <= set(runs):
            k = chosen[e["name"]]
            sentences.append(
                f"Ensemble {e['name']} averages the probabilities of {plural(k, 'run')} of {listed(e['experiments'])}."
            )
            continue
        if not predicts_all(config, e):  # no class maps choose between sizes
            sentences.append(f"Ensemble {e['name']}: of {listed(e['experiments'])}, k = {chosen[e['name']]}.")
            continue
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
    if p["stitch"] == "blend":
        return blended_tiles(p, usual)
    tile, halo = tile or ("auto" if halo else defaults["tile"]), halo or defaults["halo"]
    size = by_axis(tile, {"auto": "as large as memory allowed", "window": f"as in {usual}"})
    limit = f"; at most {defaults['largest_statistics_voxels']:,} voxels for networks with statistics of their window"
    margin = by_axis(halo, {"auto": "as far as the network sees"})
    return f"in tiles ({size}{limit * ('auto' in tile)}) with a margin that was cut off ({margin})"


def decisions(p):
    """How targets that don't exclude each other became classes."""
    sentences = []
    for (threshold, nested, ties), names in by_value(
        p.get("sigmoid", ()), lambda e: (e["threshold"], e["nested"], e["ties"])
    ).items():
        inside = ", and a class inside another counts only where that one does" if nested == "within" else ""
        wins = "the likeliest is taken" if ties == "probability" else "the last in a fixed order is taken"
        sentences.append(
            f"The networks of {listed(names)} gave the probability of each target by itself (sigmoid); a target is where it is at least "
            f"{threshold:g}, in steps of 1/255; where several are, {wins}{inside}."
        )
    for record in p.get("boundaries", ()):
        sentences.append(
            f"The target {record['name']} is the contour of each object of class {record['class']} in a slice, drawn "
            f"{record['width_px']} px wide [@machireddy2023]; it belongs to no class."
        )
    for record in p.get("compositions", ()):
        sentences.append(
            f"Composition {record['name']} joined the targets of {listed(record['ensembles'])} in the same way, at {record['threshold']:g}."
        )
    return sentences


def blended_tiles(p, usual):
    """The same of tiles that are blended."""
    size = (
        by_axis(p["tile"], {"auto": "as many as memory allowed", "window": f"as in {usual}"})
        if p["tile"]
        else f"as in {usual}"
    )
    return (
        f"in tiles ({size}) that overlap by {p['overlap']:.0%} in y and x and were averaged with a tapered cosine window (alpha "
        f"{p['taper']:g}) [@machireddy2023]"
    )


def prediction(config, defaults):
    """Tiles, margins, flips, precision, whole volumes. defaults: as for `tiles`."""
    p = config["prediction"]
    usual = "evaluation" if any(e["tile"] for e in config["experiments"]) else "training"
    said = f"Regions and volumes were predicted {tiles(p, usual, defaults)}"
    said += f", averaged over flips along {listed(p['flips'])}" if p["flips"] else ""
    said += f", in {p['precision']}" if p["precision"] != "auto" else ""
    sentences = [f"{said}.", *decisions(p)]
    for job in p["full_volumes"]:
        sentences.append(
            f"The whole volume {job['volume']} was predicted with ensemble {job['ensemble']} at its chosen k."
        )
    return sentences


def predicts_all(config, ensemble):
    """Whether the targets of an ensemble are all classes."""
    names = {c["name"] for c in config["classes"]}
    targets = {e["name"]: set(e.get("targets") or names) for e in config["experiments"]}
    return all(targets[name] == names for name in ensemble["experiments"])


def has_class_maps(config):
    """Whether an ensemble predicts all classes, so that class maps are scored."""
    return any(predicts_all(config, ensemble) for ensemble in config["ensembles"])


def evaluation(config, runs):
    """Scores, comparison, volume fractions and what else was switched on. runs: as for `ensembles`."""
    analysis = config["analysis"]
    masked = [r["name"] for r in config["regions"] if r.get("mask") == "reference"]
    only = f" In {listed(masked)} only voxels that the reference does not call background count." if masked else ""
    sentences = [
        "Predictions were scored by IoU and Dice per class, from voxels counted over all slices of a region, and by their means over "
        f"all classes and over organelles; a class that reference and prediction lack is left out of the mean.{only}"
    ] * has_class_maps(config)
    if len(runs) > 1:
        c = analysis["comparison"]
        exact = all(is_exact(first, second) for (first, _), (second, _) in combinations(runs.values(), 2))
        test = "exact rank sum test" + " (normal approximation for pairs with too many runs)" * (not exact)
        sentences.append(
            f"Experiments were compared by the scores of their runs: {test} [@mann1947], corrected for several pairs "
            f"[@holm1979; @tarone1990], and {100 * c['confidence']:g} % bootstrap intervals from {c['n_bootstrap']:,} samples [@efron1979] (seed {c['seed']})."
        )
    margins = listed(f"{m:g}" for m in analysis["volume_fractions"]["margins_nm"])
    sentences += has_class_maps(config) * [
        "Volume fractions are the voxels of a class over those of the cell; of a prediction those within a margin around the "
        f"reference's cells ({margins} nm) [@guay2021], in whole volumes over all predicted tissue."
    ]
    scored = [
        e["name"] for e in config["experiments"] if e.get("activation") == "sigmoid" or e.get("evaluate") == "held_out"
    ]
    if scored:
        sentences.append(
            f"Of {listed(scored)} each target was scored by Dice, precision and recall, from voxels pooled over all scored slices "
            "[@machireddy2023]."
        )
    sentences += held_out(config)
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


def held_out(config):
    """What the scores on held-out slices are of."""
    scored = [e for e in config["experiments"] if e.get("evaluate") == "held_out"]
    if not scored:
        return []
    sentences = [
        f"These slices of {listed(e['name'] for e in scored)} are labelled ones that a run was not trained on; means and standard "
        "deviations (n - 1) are over runs."
    ]
    for region, names in by_value(scored, lambda e: e.get("scored_on")).items():
        if region:
            sentences.append(
                f"The probabilities of {listed(names)} were interpolated bilinearly to the voxels of region {region} and scored there."
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
        ("Training", [*draws(config), *training(config, facts)]),
        ("Ensembles", ensembles(config, facts["runs"], facts["chosen"])),
        ("Prediction", prediction(config, facts["tiles"])),
        ("Evaluation", evaluation(config, facts["runs"])),
        ("Objects", objects(config)),
        ("Software", software(facts["versions"])),
    ]
