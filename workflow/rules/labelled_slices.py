"""How many slices are labelled at most, from the configuration and the names of the files; no pixels are read."""

import functools
from pathlib import Path

import headers
from config_checks import by_name


def n_labelled(config, experiment, shapes=None):
    """The number of slices, over the train regions of an experiment, in which each of its targets can be known and complete;
    None where that can't be told. What the pixels leave unlabelled and slices left out by the alignment come on top.

    shapes: {("volumes", name): (Z, Y, X) of its raw stack}, as far as it is known."""
    total = 0
    for region in config["regions"]:
        own = experiment["regions"]
        if region["role"] == "train" and (own is None or region["name"] in own):
            found = _of_region(
                config, region, experiment["targets"] or [c["name"] for c in config["classes"]], shapes or {}
            )
            if found is None:
                return None
            total += len(found)
    return total


def _of_region(config, region, targets, shapes):
    """Slices z of the aligned volume, within the region, in which all targets can be known; None if not told."""
    names = region["labels"].get("reference")
    names = names if isinstance(names, list) else [names]
    sources, volume = by_name(config, "labels"), by_name(config, "volumes").get(region["volume"])
    if volume is None or not all(name in sources for name in names):
        return None
    size, common = shapes.get(("volumes", volume["name"])), None
    boundaries = by_name(config, "boundaries")
    for target in targets:
        known, of_class = set(), boundaries.get(target, {"class": target})["class"]
        for source in (sources[name] for name in names):
            is_told = source["annotates"] is None or of_class in source["annotates"]
            if is_told and (target not in boundaries or source["kind"] == "instance"):
                found = source_slices(source, volume["binning"][0], size and size[0])
                if found is None:
                    return None
                known |= found
        common = known if common is None else common & known
    first, last = region["z"] or (0, None)
    if region["frame"] == "raw":
        first, last = first // volume["binning"][0], last and -(-last // volume["binning"][0])
    return {z for z in common if z >= first and (last is None or z < last)}


def source_slices(source, binning_z, n_slices=None):
    """Slices z of the aligned volume that a label source holds whole; None for a source of consecutive slices.

    n_slices: of the raw stack, whose last slices may be a shorter block (binned_slices of densecell/sparse_labels.py); None where
    unknown: then the last slice of the source may be the stack's last.
    """
    slices = source["slices"]
    if slices == "by_name":
        slices = _numbers(source["path"])
    if not source["complete"] or not slices:
        return None if source["complete"] else set()
    whole = set(slices) - set(source["incomplete_slices"] or ())
    factor = binning_z if source["frame"] == "raw" else 1
    stop = n_slices or max(slices) + 1
    blocks = {z // factor for z in whole}
    return {b for b in blocks if whole.issuperset(range(b * factor, min((b + 1) * factor, stop)))}


def _numbers(path):
    """The number of each file of a source; None where the files or their numbers can't be told yet."""
    if isinstance(path, list):
        return _numbers_in.__wrapped__(path, None)
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    return _numbers_in(path, folder.stat().st_mtime_ns if folder.is_dir() else None)


@functools.lru_cache(256)  # of each source once, not for each of hundreds of experiments
def _numbers_in(path, changed):
    """`changed`: when a file was last added to its folder."""
    try:
        return headers.slice_numbers(headers.input_files(path))
    except (ValueError, IndexError):
        return None
