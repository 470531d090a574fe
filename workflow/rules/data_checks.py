"""What a configuration says about its data: files, sizes, regions and labels.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

from pathlib import Path

import config_text
import headers
import public_datasets
from config_checks import by_name, named_labels, unknown_name
from config_schema import Finding, show
from network_sizes import NETWORK_SIZES, output_size

# what the rules make_phantom and make_tumor_phantom write of a stack
PLATELET_FILES = ("image.tif", "labels.tif", "annotator_1.tif", "annotator_2.tif", "cells.tif", "organelles.tif")
TUMOR_FILES = ("image.tif", "labels.tif", "cells.tif", "organelles.tif")
MISSING = ("existing files", "an existing table")  # what is expected where an input file is not there


def check_files(config, shapes):
    """Input files exist, have no gaps, and are as large as declared. Fills `shapes`."""
    yield from _check_drawn(config)
    phantom_folder = str(Path(config["results_dir"]) / "phantom") + "/"
    for section in ("volumes", "labels"):
        for i, record in enumerate(config[section]):
            where, path, declared = f"{section}[{i}]", record["path"], record.get("shape")
            if path is None:
                continue
            if isinstance(path, str) and path.startswith(phantom_folder):
                name = path.removeprefix(phantom_folder).split("/")[0]
                shape = yield from _check_phantom(where, record, name, by_name(config, "phantom"))
            elif public_datasets.is_downloadable(path, config["data_root"]):
                shape = public_datasets.stack_shape(path, record["axes"], config["data_root"])
            else:
                shape = yield from check_source(where, record)
            if declared and shape and list(declared) != list(shape):
                expected = f"{show(list(shape))}, as in the files"
                yield Finding(f"{where}.shape", show(declared), expected, "Correct shape, axes or path.")
            shapes[section, record["name"]] = shape or declared
    for i, volume in enumerate(config["volumes"]):
        truth = volume["truth"]
        if truth and not truth.startswith(phantom_folder) and not Path(truth).exists():
            found = f"no file {truth}; {headers.folder_contents(truth)}"
            hint = "Correct the path, or set truth: null."
            yield Finding(f"volumes[{i}].truth", found, MISSING[1], hint)


def _check_phantom(where, record, name, phantoms):
    """Findings about a volume or label source that phantom `name` makes; returns its shape or None."""
    yield from unknown_name(f"{where}.path", name, "phantom", list(phantoms))
    phantom = phantoms.get(name, {})
    size, true_size = record.get("voxel_size_nm"), phantom.get("voxel_size_nm")
    if size and true_size and size != true_size:
        expected = f"{show(true_size)}, as in phantom '{name}'"
        yield Finding(f"{where}.voxel_size_nm", show(size), expected, "Make the two equal.")
    file = str(Path(record["path"])).partition(f"/phantom/{name}/")[2]
    drawn = [f"sparse/{d['name']}" for d in phantom.get("sparse") or () if d and d.get("name")]
    made = PLATELET_FILES if str(phantom.get("preset")).startswith("subject") else TUMOR_FILES
    if phantom and phantom.get("preset") and file not in (*made, *drawn):
        expected = f"what phantom '{name}' makes: {', '.join((*made, *drawn))}"
        yield Finding(f"{where}.path", show(record["path"]), expected, f"Correct the path, or add to phantom '{name}'.")
    return (
        None if file in drawn else phantom.get("shape")
    )  # which slices are drawn is told by names of files not there yet


def _check_drawn(config):
    """Findings about the slices of a phantom that labels are drawn in."""
    for i, phantom in enumerate(config["phantom"]):
        for j, drawn in enumerate(phantom["sparse"] if phantom["shape"] else ()):
            where, n_slices = f"phantom[{i}].sparse[{j}]", phantom["shape"][0]
            listed = {key: drawn[key] or [] for key in ("slices", "incomplete_slices")}
            for key, slices in listed.items():
                outside = [z for z in slices if z >= n_slices]
                if outside:
                    expected = f"slices of 0 to {n_slices - 1}, as the phantom has"
                    yield Finding(f"{where}.{key}", show(outside), expected, "Correct or remove them.")
            twice = sorted(set(listed["slices"]) & set(listed["incomplete_slices"]))
            if twice:
                expected = "slices that are not in slices too: of these all objects are drawn"
                yield Finding(f"{where}.incomplete_slices", show(twice), expected, "Remove them from one of the two.")


def check_source(where, record):
    """Findings about the files of a volume, label source or external volume; returns the stack's shape or None."""
    path, files = record["path"], headers.input_files(record["path"])
    odd = next((f for file in files for f in config_text.path_finding(f"{where}.path", str(file))), None)
    if odd:
        yield odd
        return None
    missing = [str(p) for p in files if not p.exists()] if files else [path]
    if missing:
        hint = "Correct the path, or give the folder of the data: --config data_root=FOLDER."
        found = f"no file at {missing[0]}; {headers.folder_contents(missing[0])}"
        yield Finding(f"{where}.path", found, MISSING[0], hint)
        return None
    gaps = headers.missing_numbers(files) if headers.is_series(path) else []
    if gaps and not record.get("allow_gaps") and not record.get("slices"):
        listed = ", ".join(map(str, gaps[:8])) + (f" and {len(gaps) - 8} more" if len(gaps) > 8 else "")
        hint = "Copy the missing slices, or set allow_gaps: true where they never existed."
        if where.startswith("labels"):
            hint = "Copy the missing slices, or set slices: by_name where only these are labelled."
        elif not where.startswith("volumes"):
            hint = "Copy the missing slices."
        yield Finding(f"{where}.path", f"{len(files)} slices, missing {listed}", "slices numbered without a gap", hint)
    try:
        return headers.stack_shape(files, record["axes"]) if record["axes"] else None
    except ValueError as error:
        yield Finding(
            f"{where}.path",
            str(error),
            f"a stack with the axes {record['axes']}",
            "Correct axes or path, or copy the file again.",
        )


def region_box(region, volume, shapes):
    """The region as [(start, stop)] in z, y, x of the binned stack; None for an unknown end.

    Shifts are not known here: a raw region is only brought to binned voxels, and the crop that follows
    alignment is left to the run.
    """
    raw = shapes.get(("volumes", volume["name"])) or (None,) * 3
    ends = [n and -(-n // b) for n, b in zip(raw, volume["binning"])]
    box = []
    for axis, end, factor in zip("zyx", ends, volume["binning"]):
        start, stop = region[axis] or (0, None)
        if region["frame"] == "raw" and stop is not None:
            start, stop = start // factor, -(-stop // factor)
        box.append((start, end if stop is None else stop))
    return box


def check_regions(config, shapes):
    """Ranges lie in their volume, and there are train and eval regions."""
    volumes = by_name(config, "volumes")
    for i, region in enumerate(config["regions"]):
        volume = volumes.get(region["volume"])
        shape = volume and shapes.get(("volumes", volume["name"]))
        for j, axis in enumerate("zyx"):
            start, stop = region[axis] or (0, 1)
            if stop <= start:
                expected = "[first, one after the last], the second larger"
                hint = "Exchange or correct the two numbers."
                yield Finding(f"regions[{i}].{axis}", show(region[axis]), expected, hint)
            if not shape or not region[axis]:
                continue
            size, factor = shape[j], volume["binning"][j]
            end = size if region["frame"] == "raw" else -(-size // factor)
            if stop > end:
                expected = f"a range within 0 to {end}, the size of volume '{volume['name']}'"
                expected += f" ({size} raw voxels binned by {factor})" if end != size else ""
                yield Finding(f"regions[{i}].{axis}", show(region[axis]), expected, "Make the range smaller.")
    roles = [region["role"] for region in config["regions"]]
    needed = ["train"] + ["eval"] * any(e["evaluate"] == "eval" for e in config["experiments"])
    for role in needed if None not in roles else ():
        if role not in roles:
            expected = "a region to train on and one to choose checkpoints and members on"
            yield Finding("regions", f"no region of role {role}", expected, f"Add a region with role: {role}.")


def check_region_labels(config):
    """Regions have the labels that their role needs, of their own volume, and of classes."""
    volumes, labels = by_name(config, "volumes"), by_name(config, "labels")
    for i, region in enumerate(config["regions"]):
        where, role = f"regions[{i}]", region["role"]
        for key, name in named_labels(region):
            source = labels.get(name)
            if source and source["volume"] in volumes and region["volume"] not in (None, source["volume"]):
                found = f"'{name}', labels of volume '{source['volume']}'"
                expected = f"labels of '{region['volume']}', the region's volume"
                yield Finding(f"{where}.labels.{key}", found, expected, "Correct the labels or the volume.")
            if source and source["kind"] == "instance" and not source["annotates"]:
                found = f"'{name}' of kind instance, of no class"
                expected, hint = (
                    "labels that tell a class",
                    f"Add annotates: [CLASS] to '{name}', the class of its objects.",
                )
                yield Finding(f"{where}.labels.{key}", found, expected, hint)
        if role in ("train", "eval", "test") and "reference" not in region["labels"]:
            expected = f"a name in labels, for role {role}"
            hint = "Add labels: {reference: NAME}."
            yield Finding(f"{where}.labels.reference", "no reference labels", expected, hint)
        if role == "compare" and not region["labels"]:
            expected = "reference, annotator_1, ... for role compare"
            yield Finding(f"{where}.labels", "no labels", expected, "Add at least one.")
        if region["mask"] == "reference" and "reference" not in region["labels"]:
            found = "'reference', but the region has no reference labels"
            yield Finding(f"{where}.mask", found, "none, or reference labels", "Set mask: none.")


def check_overlaps(config, shapes):
    """No voxel serves two roles, except test and compare; volumes made of the same files count as one."""
    volumes = by_name(config, "volumes")
    regions = [
        (i, r, volumes[r["volume"]]) for i, r in enumerate(config["regions"]) if r["volume"] in volumes and r["role"]
    ]
    for n, (i, region, volume) in enumerate(regions):
        for _, other, other_volume in regions[:n]:
            same = (volume["path"], volume["binning"]) == (other_volume["path"], other_volume["binning"])
            roles = {region["role"], other["role"]}
            if not same or len(roles) == 1 or roles == {"test", "compare"}:
                continue
            pairs = list(zip(region_box(region, volume, shapes), region_box(other, other_volume, shapes)))
            box = [(max(a[0], b[0]), min((e for e in (a[1], b[1]) if e is not None), default=None)) for a, b in pairs]
            if all(stop is None or start < stop for start, stop in box):
                text = ", ".join(f"{axis} [{a}, {'end' if b is None else b}]" for axis, (a, b) in zip("zyx", box))
                yield Finding(
                    f"regions[{i}]",
                    f"'{region['name']}' ({region['role']}) overlaps '{other['name']}' ({other['role']}) in {text}",
                    "regions of different roles without a common voxel, or scores are too good",
                    "Move or shrink one of them; best leave a gap.",
                )


def check_windows(config, shapes):
    """Every train region holds at least one output window of each experiment that uses it, but for the sampler that mirrors small ones."""
    volumes = by_name(config, "volumes")
    for i, experiment in enumerate(config["experiments"]):
        network, window = experiment["network"], experiment["window"]
        output = window and network in NETWORK_SIZES and output_size(network, window, experiment["options"])
        mirrored = experiment["training"]["sampler"] == "foreground"
        for region in config["regions"] if output and not mirrored else ():
            own = experiment["regions"] is None or region["name"] in experiment["regions"]
            if region["role"] != "train" or region["volume"] not in volumes or not own:
                continue
            box = region_box(region, volumes[region["volume"]], shapes)
            sizes = [None if stop is None else stop - start for start, stop in box]
            small = [f"{axis} {n} < {o}" for axis, n, o in zip("zyx", sizes, output) if n is not None and n < o]
            if small:
                yield Finding(
                    f"experiments[{i}].window",
                    f"{show(window)}, of which the network returns {show(output)}",
                    f"an output no larger than train region '{region['name']}' ({', '.join(small)})",
                    "Make the window smaller or the region larger.",
                )


def region_shape(region, volume, shapes):
    """(size in z, y, x) of a region in binned voxels, None where the files don't tell; a crop by the alignment is unknown."""
    return [None if stop is None else stop - start for start, stop in region_box(region, volume, shapes)]


def image_shape(region, volume, shapes, context):
    """(size in z, y, x) of a region's image with `context` voxels around it, as far as the volume goes; None as in
    `region_shape`."""
    whole = region_shape({"z": None, "y": None, "x": None, "frame": "aligned"}, volume, shapes)
    sizes = []
    for (start, stop), size, around in zip(region_box(region, volume, shapes), whole, context):
        if stop is None or (size is None and around):
            sizes.append(None)
        else:
            sizes.append((min(stop + around, size) - max(start - around, 0)) if around else stop - start)
    return sizes
