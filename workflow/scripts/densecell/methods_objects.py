"""What the paragraph on methods tells of objects: how they were separated, tracked, assigned and measured."""

from densecell.methods_words import by_value, listed

FLOW = ("flow", "overlay", "selective", "frames")  # combinations that move labelled cells by optical flow
CUTS = {
    "mask": "as they are",
    "border": "along the predicted borders",
    "flow": "as the moved cells of the nearest labelled slice lie",
    "overlay": "along the contours of the moved cells",
    "selective": "along the predicted borders, and along the contours of the moved cells where no border is near",
    "frames": "along the predicted borders and, where none is near, along the contours of the cells of the slice before, moved on "
    "from slice to slice",
}
VOTES = {"most": "overlaps with most", "first": "meets first", "last": "meets last"}
CONNECTED = {6: "faces", 18: "faces or edges", 26: "faces, edges or corners"}


def told(name):
    """A name of the configuration as words."""
    return name.replace("_", " ")


def components(records):
    """Objects that are connected components, and those that a watershed cuts."""
    sentences = []
    plain = [r for r in records if r["method"] == "components" and not r["is_drawn"]]
    for (name, connectivity), names in by_value(plain, lambda r: (r["class"], r["connectivity"])).items():
        sentences.append(
            f"{listed(map(told, names))} are the connected components of the class {told(name)} in 3D (voxels that share "
            f"{CONNECTED[connectivity]})."
        )
    for record in records:
        if record["method"] == "watershed":
            w = record["watershed"]
            over, depth = ("distance to their border, in nm", f"{w['min_depth_nm']:g} nm")
            if w["from"] == "probability":
                over, depth = "probability", f"{w['min_depth']:g}"
            smoothed = f" (smoothed by a Gaussian of {w['smoothing_nm']:g} nm)" if w["smoothing_nm"] else ""
            sentences.append(
                f"{told(record['name'])} are the connected components of the class {told(record['class'])}, divided by a watershed of the "
                f"{over}{smoothed}; parts whose peaks a dip of less than {depth} divides are one."
            )
        if record["is_drawn"]:
            sentences.append(f"{told(record['name'])} were drawn.")
        if record["min_volume_um3"]:
            sentences.append(f"Of {told(record['name'])}, those below {record['min_volume_um3']:g} µm³ were left out.")
    return sentences


def cells(record):
    """Cells that were split with labelled slices and tracked."""
    s, t, name = record["split"], record["track"], told(record["name"])
    sentences = [
        f"{name} were split in each slice by a watershed from the middles of the cells in the nearest labelled slice, after their mask "
        f"was cut {CUTS[s['main']]} [@machireddy2023]."
    ]
    if s["main"] in FLOW:
        f = s["flow"]
        window = f"{'Gaussian ' if f['gaussian'] else ''}window {f['window']} px"
        sentences.append(
            f"The optical flow [@farneback2003] had {f['levels']} levels of scale {f['pyramid_scale']:g}, a {window}, {f['iterations']} "
            f"iterations and a neighborhood of {f['neighborhood']} px."
        )
    compared = "the slice before, outward from the labelled ones" if t["match"] == "previous" else "the labelled slice"
    window = f", within a window of {t['window']} px" if t["window"] else ""
    sentences.append(
        f"A part of a slice is the cell with which it has an IoU above {t['min_iou']:g} in {compared}; other parts were tracked through "
        f"the slices by their overlap{window} and became part of the cell that their track {VOTES[t['vote']]} [@machireddy2023]."
    )
    others = [c for c in s["combinations"] if c != s["main"]]
    if others and record["reference"]:
        sentences.append(f"For comparison the mask was also cut in other ways ({listed(others)}).")
    return sentences


def measures(config, records):
    """Assignment, scores, shape and texture."""
    sentences = []
    for container, names in by_value([r for r in records if r["within"]], lambda r: r["within"]).items():
        sentences.append(
            f"Of {listed(map(told, names))}, each belongs to the one of {told(container)} that holds more than half of its voxels."
        )
    scored = [told(r["name"]) for r in records if r["reference"]]
    if scored:
        sentences.append(
            f"{listed(scored)} were scored against known objects: Dice of each, variation of information [@meila2007], adapted Rand error "
            "[@arganda2015], F1 over thresholds of the IoU, and panoptic quality [@kirillov2019]."
        )
    shaped = [told(r["name"]) for r in records if r["morphology"]]
    if shaped:
        sentences.append(
            f"Surface area, solidity and sphericity of {listed(shaped)} were taken from marching cubes [@lorensen1987] of the object "
            f"smoothed by a Gaussian of {config['morphology']['smoothing_voxels']:g} voxel(s); objects at the border of the volume are flagged."
        )
    textured = [told(r["name"]) for r in records if r["texture"]]
    if textured:
        t = config["texture"]
        whose = "of each object" if t["range"] == "object" else "of all objects together"
        sentences.append(
            f"The texture of {listed(textured)} was measured on {t['levels']} gray levels over the range {whose}: co-occurrence over 26 "
            f"neighbors [@haralick1973], zones of one level [@thibault2014], and the pattern spectrum [@maragos1989] up to size "
            f"{t['spectrum']['n_max']}."
        )
    return sentences


def objects(config):
    """All sentences on objects; none where the configuration has none."""
    records = config.get("instances", [])
    split = [sentence for r in records if r["method"] == "split" for sentence in cells(r)]
    return [*split, *components(records), *(measures(config, records) if records else [])]
