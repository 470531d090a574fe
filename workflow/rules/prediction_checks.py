"""What a configuration says about prediction: tiles, margins, and the whole volumes that are predicted.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

from config_checks import by_name
from config_schema import Finding, show


def check_prediction(config):
    """Keys that belong to one way of stitching, margins that leave something of a tile, and whole volumes."""
    prediction = config["prediction"]
    yield from _check_tiles(prediction)
    yield from _check_full_volumes(config, prediction["full_volumes"])


def _check_tiles(prediction):
    stitch, tile, halo = prediction["stitch"], prediction["tile"], prediction["halo"]
    if stitch == "depth":
        if any(isinstance(side, str) for side in tile or ()):
            expected = "three whole numbers or null; words need stitch: halo"
            yield Finding("prediction.tile", show(tile), expected, "Set stitch: halo, or tile: null.")
        if halo not in (None, "auto"):
            expected = "auto, with stitch: depth; its tiles have no margin"
            yield Finding("prediction.halo", show(halo), expected, "Set stitch: halo, or remove halo.")
        return
    # without halo one slice in z (densecell/tile_choice.py); what a network's pools round up only its job can tell
    margins = [1, "auto", "auto"] if halo is None else ["auto"] * 3 if halo == "auto" else halo
    margins = margins if tile or halo else ["auto"] * 3
    for axis, margin, side in zip("zyx", margins, tile or ["auto"] * 3):
        if isinstance(margin, int) and isinstance(side, int) and 2 * margin >= side:
            yield Finding(
                "prediction.halo",
                show(halo),
                f"less than half of the tile in {axis}, {side}",
                "Use a smaller halo or a larger tile.",
            )


def _check_full_volumes(config, full_volumes):
    labels, seen = by_name(config, "labels"), set()
    for i, full in enumerate(full_volumes):
        where, volume = f"prediction.full_volumes[{i}]", full["volume"]
        if volume and (volume, full["ensemble"]) in seen:
            found = f"{show(volume)} with {show(full['ensemble'])} a second time"
            yield Finding(where, found, "each pair once", "Remove one of the two.")
        seen.add((volume, full["ensemble"]))
        mask = labels.get(full["mask"])
        if mask and volume and mask["volume"] not in (None, volume):
            found = f"{show(full['mask'])}, labels of volume {show(mask['volume'])}"
            expected = f"labels of {show(volume)}, the volume that is predicted"
            yield Finding(f"{where}.mask", found, expected, "Correct the mask or the volume.")
        elif mask and mask["kind"] == "instance":
            found, hint = f"{show(full['mask'])} of kind instance", "Name a source of class labels."
            yield Finding(f"{where}.mask", found, "labels of kind semantic", hint)
