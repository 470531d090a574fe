"""What `renderings` and `videos` say: names that exist, slices within their region, files of their own.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and yields
findings.
"""

from config_checks import by_name, names_in, unknown_name
from config_schema import Finding, show


def check_renderings(config, shapes):
    """All findings about renderings and videos. shapes: ("volumes" or "labels", name) -> (Z, Y, X), where known."""
    videos = config["videos"]
    shown = [(f"renderings[{i}]", r) for i, r in enumerate(config["renderings"])]
    shown += [(f"videos.rotations[{i}]", r) for i, r in enumerate(videos["rotations"])]
    for where, record in shown:
        yield from _check_shown(where, record, config)
    seen = set()
    for i, record in enumerate(videos["training"]):
        where = f"videos.training[{i}]"
        yield from unknown_name(
            f"{where}.experiment", record["experiment"], "experiments", names_in(config, "experiments")
        )
        yield from unknown_name(f"{where}.region", record["region"], "regions", names_in(config, "regions"))
        yield from _check_training(where, record, config, shapes)
        if record["experiment"] in seen and record["experiment"] is not None:
            found, expected = (
                f"{show(record['experiment'])} a second time",
                "each experiment once: its videos are named after it",
            )
            yield Finding(f"{where}.experiment", found, expected, "Remove one of the two.")
        seen.add(record["experiment"])
    yield from _check_files(config)


def _check_shown(where, record, config):
    """A region that has labels, and ensembles whose names differ from the labels'."""
    regions = by_name(config, "regions")
    yield from unknown_name(f"{where}.region", record["region"], "regions", list(regions))
    labels = regions[record["region"]]["labels"] if record["region"] in regions else {}
    for j, name in enumerate(record["ensembles"] or ()):
        yield from unknown_name(f"{where}.ensembles[{j}]", name, "ensembles", names_in(config, "ensembles"))
        if name in labels:
            expected = f"an ensemble with another name than region '{record['region']}' has for its labels"
            yield Finding(f"{where}.ensembles[{j}]", show(name), expected, "Rename the ensemble.")
    annotators = [name for name in labels if name != "reference"]
    if record.get("annotators") and record["region"] in regions and not annotators:
        found = f"true, but region '{record['region']}' has no annotators"
        yield Finding(
            f"{where}.annotators", found, "false, or annotator_1, ... in its labels", "Set annotators: false."
        )


def _check_training(where, record, config, shapes):
    """A slice in the region, labels to compare with, and at least one snapshot."""
    region = by_name(config, "regions").get(record["region"])
    experiment = by_name(config, "experiments").get(record["experiment"])
    if region and "reference" not in region["labels"]:
        expected = "a region with reference labels, which are shown beside the segmentation"
        yield Finding(f"{where}.region", show(record["region"]), expected, "Name another region.")
    depth = region and _depth(region, config, shapes)
    if depth and record["slice"] is not None and record["slice"] >= depth:
        expected = f"0 to {depth - 1}, a slice counted from the first of region '{region['name']}'"
        yield Finding(f"{where}.slice", show(record["slice"]), expected, "Use a smaller number.")
    steps = experiment and experiment["training"]["steps"]
    if steps and record["every_steps"] and record["every_steps"] > steps:
        expected = f"at most {steps}, the steps of experiment '{experiment['name']}'"
        yield Finding(f"{where}.every_steps", show(record["every_steps"]), expected, "Record more often.")


def _depth(region, config, shapes):
    """Slices of a region, None where they follow from files that are not known."""
    volume = by_name(config, "volumes").get(region["volume"])
    if not volume:
        return None
    factor = volume["binning"][0]
    if region["z"]:
        start, stop = region["z"]
        return -(-stop // factor) - start // factor if region["frame"] == "raw" else stop - start
    shape = shapes.get(("volumes", volume["name"]))
    return shape and -(-shape[0] // factor)


def _check_files(config):
    """No two videos with one name: regions, ensembles and experiments may have underscores in theirs."""
    owner = {}
    for i, record in enumerate(config["videos"]["rotations"]):
        for source in dict.fromkeys(["reference", *(record["ensembles"] or ())]):
            file, what = f"{record['region']}_{source}", (record["region"], source)
            if owner.setdefault(file, what) != what:
                yield Finding(
                    f"videos.rotations[{i}]",
                    f"{show(source)} in {show(record['region'])}, whose {file}.mp4 would also be that of {owner[file]}",
                    "videos with names of their own",
                    "Rename the region or the ensemble.",
                )
    for i, record in enumerate(config["videos"]["training"]):
        for kind in ("probabilities", "segmentation"):
            file = f"training_{record['experiment']}_{kind}"
            if file in owner:
                found = f"{show(record['experiment'])}, whose video {file}.mp4 would also be that of {owner[file]}"
                yield Finding(f"videos.training[{i}]", found, "videos with names of their own", "Rename the region.")
