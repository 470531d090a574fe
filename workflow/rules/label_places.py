"""Where label sources lie in their stack, whole blocks or single slices, and whether regions lie where labels are.

As in config_checks.py, each check takes the resolved configuration and yields findings.
"""

import headers
from config_checks import by_name, named_labels
from config_schema import Finding, show
from data_checks import region_box


def positions(source, shape):
    """z in its frame of each slice of a source, None where they follow one another or the files don't tell yet.

    Raises ValueError, in plain words, for names that tell no number.
    """
    if source["slices"] != "by_name":
        return source["slices"]
    files = headers.input_files(source["path"])
    is_there = all(file.is_file() for file in files)  # files that a run makes are told by the import
    return headers.slice_numbers(files) if shape and files and is_there else None


def known_slices(source, shape):
    """z in its frame of the slices of a source, None where that is not known; of odd names, too, which are told elsewhere."""
    try:
        found = positions(source, shape)
    except ValueError:
        return None
    if found is None and source["slices"] is None and shape:
        return range(source["origin"][0], source["origin"][0] + shape[0])
    return found


def blocks(slices, factor, n_slices):
    """The blocks of `factor` slices of a stack that hold nothing but these slices."""
    labelled = set(slices)
    ends = {b: min((b + 1) * factor, n_slices or (b + 1) * factor) for b in {z // factor for z in labelled}}
    return sorted(b for b, end in ends.items() if labelled.issuperset(range(b * factor, end)))


def check_slices(config, shapes):
    """Single slices lie once each in their stack, as many as there are; boxes and incomplete slices lie in it too."""
    volumes = by_name(config, "volumes")
    for i, source in enumerate(config["labels"]):
        where, shape, volume = f"labels[{i}]", shapes.get(("labels", source["name"])), volumes.get(source["volume"])
        try:
            found = positions(source, shape)
        except ValueError as error:
            hint = "Rename the files, or give slices as a list."
            yield Finding(
                f"{where}.slices", f"by_name, and {error}", "names that differ in one number, the slice's", hint
            )
            continue
        whole = volume and shapes.get(("volumes", volume["name"]))
        ends = None
        if whole:
            factors = (1, 1, 1) if source["frame"] == "raw" else volume["binning"]
            ends = [-(-n // b) for n, b in zip(whole, factors)]
        if found is not None:
            yield from _check_positions(where, source, found, shape, volume, whole, ends)
        yield from _check_boxes(where, source, ends)
        known = known_slices(source, shape)
        absent = [z for z in source["incomplete_slices"] if known is not None and z not in set(known)]
        if absent:
            expected = "slices that the source has, counted from the first slice of the stack"
            yield Finding(f"{where}.incomplete_slices", show(absent), expected, "Correct or remove them.")


def _check_positions(where, source, found, shape, volume, whole, ends):
    key = f"{where}.slices"
    if shape and len(found) != shape[0]:
        expected = f"{shape[0]}, as many as the source has slices"
        yield Finding(key, f"{len(found)} slices", expected, "Give one z for each slice, or correct path.")
    twice = sorted({z for z in found if found.count(z) > 1}) if len(found) > len(set(found)) else []
    if twice:
        yield Finding(key, f"{show(twice)} more than once", "each slice once", "Remove or rename the repeated slices.")
    outside = sorted({z for z in found if ends and z >= ends[0]})
    if outside:
        expected = f"slices within 0 to {ends[0] - 1} of volume '{volume['name']}'" + (
            " after binning" if ends[0] != whole[0] else ""
        )
        hint = "Correct the numbers, or frame (raw: before binning, aligned: after); the first slice of the stack is 0."
        yield Finding(key, show(outside), expected, hint)
    if source["origin"][0]:
        hint = "Set it to 0: the numbers of slices count from the first slice of the stack."
        yield Finding(f"{where}.origin", show(source["origin"]), "0 in z, where slices are given", hint)
    factor = volume["binning"][0] if volume and source["frame"] == "raw" else 1
    if factor > 1 and not blocks(found, factor, whole and whole[0]):
        expected = f"all {factor} slices of at least one block that binning makes one of; others become unlabelled"
        hint = f"Set the volume's binning to 1 in z, label {factor} neighboring slices, or draw on the binned stack (frame: aligned)."
        yield Finding(key, f"{len(found)} slices, none of which fill a block with the others", expected, hint)


def _check_boxes(where, source, ends):
    for j, box in enumerate(source["boxes"] or ()):
        for axis, end in zip("zyx", ends or (None,) * 3):
            if not box[axis]:
                continue
            start, stop = box[axis]
            key = f"{where}.boxes[{j}].{axis}"
            if stop <= start:
                expected = "[first, one after the last], the second larger"
                yield Finding(key, show(box[axis]), expected, "Exchange or correct the two numbers.")
            elif end is not None and stop > end:
                expected = f"a range within 0 to {end}, the size of volume '{source['volume']}'"
                yield Finding(key, show(box[axis]), expected, "Make the range smaller.")


def check_labels(config, shapes):
    """Labels lie in their volume, and a region lies where its labels are."""
    volumes, labels = by_name(config, "volumes"), by_name(config, "labels")
    boxes = {}
    for i, source in enumerate(config["labels"]):
        volume, shape = volumes.get(source["volume"]), shapes.get(("labels", source["name"]))
        whole = volume and shapes.get(("volumes", volume["name"]))
        if not shape or not whole:
            continue
        factors = (1, 1, 1) if source["frame"] == "raw" else volume["binning"]
        ends = [-(-n // b) for n, b in zip(whole, factors)]
        slices = known_slices(source, shape) or [0]
        stops = [max(slices) + 1, *(o + n for o, n in zip(source["origin"][1:], shape[1:]))]
        if any([stop > end for stop, end in zip(stops, ends)][1 if source["slices"] else 0 :]):
            yield Finding(
                f"labels[{i}]",
                f"(z, y, x) size {show(list(shape))} at origin {show(source['origin'])}",
                f"labels within {show(ends)}, the size of volume '{volume['name']}'"
                + (" after binning" if ends != list(whole) else ""),
                "Correct axes, origin or frame (raw: before binning, aligned: after).",
            )
        factors = volume["binning"] if source["frame"] == "raw" else (1, 1, 1)
        starts = [min(slices), *source["origin"][1:]]
        boxes[source["name"]] = [(o // b, -(-stop // b)) for o, stop, b in zip(starts, stops, factors)]
    for i, region in enumerate(config["regions"]):
        found = {}  # key -> what each of its sources lacks; of several one has to reach the region
        for key, name in named_labels(region):
            if name in boxes and region["volume"] == labels[name]["volume"]:
                sides = region_box(region, volumes[region["volume"]], shapes)
                outside = _outside(sides, boxes[name])
                if not outside and labels[name]["slices"]:
                    known = known_slices(labels[name], shapes.get(("labels", name))) or ()
                    if not any(may_hold(region, z, labels[name], volumes[region["volume"]]) for z in known):
                        outside = [f"z {show(sides[0])}, between its slices"]
                found.setdefault(key, []).append((name, outside))
            else:
                found.setdefault(key, []).append((name, []))
        for key, of_sources in found.items():
            if all(outside for _, outside in of_sources):
                name, outside = of_sources[0]
                yield Finding(
                    f"regions[{i}].labels.{key}",
                    f"no labels of '{name}' in {', '.join(outside)}",
                    f"a region within the labels, {show(boxes[name])} in (z, y, x)",
                    "Move the region, or correct the origin of the labels.",
                )


def _outside(sides, drawn):
    """The axes, with the region's range, along which it and the drawn box [(start, stop)] have nothing in common."""
    return [
        f"{axis} {show(side)}"
        for axis, side, (start, stop) in zip("zyx", sides, drawn)
        if side[0] >= stop or (side[1] is not None and side[1] <= start)
    ]


def may_hold(region, z, source, volume):
    """Whether slice z of a source's frame lies in the region; in z alignment moves nothing."""
    factor = volume["binning"][0] if volume else 1
    if source["frame"] == region["frame"]:
        start, stop = region["z"] or (0, z + 1)
    elif source["frame"] == "raw":
        z, (start, stop) = z // factor, region["z"] or (0, z + 1)
    else:
        start, stop = region["z"] or (0, (z + 1) * factor)
        start, stop = start // factor, -(-stop // factor)
    return start <= z < stop
