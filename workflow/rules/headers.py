"""Which files a `path` of the configuration stands for, and what their headers say; no pixels are read."""

import functools
import glob
import importlib.util
import json
import re
import stat
import struct
from pathlib import Path
from xml.etree import ElementTree

LARGEST_METADATA_BYTES = 2**24
SLICE_SUFFIXES = (".png", ".tif", ".tiff")  # what a folder is searched for


def natural_key(path):
    """Sort key that puts slice 2 before slice 10."""
    return _key(Path(path).name)


@functools.lru_cache(2**17)  # thousands of slices, which several rules and checks ask for
def _key(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def is_series(path):
    """Whether `path` stands for numbered slices that are found on disk: a folder or a glob."""
    return isinstance(path, str) and (glob.has_magic(path) or (Path(path).is_dir() and not path.endswith(".zarr")))


def input_files(path):
    """The files that `path` (a file, OME-Zarr, folder, glob, or a list of files) stands for, in slice order.

    Folders and globs give what is found; a file named outright is given whether or not it exists yet. The same as
    densecell/source_files.py, which the rules don't import; a test holds the two together.
    """
    if isinstance(path, list):
        return [file for part in path for file in input_files(part)]
    if Path(path).is_dir() and Path(path).suffix != ".zarr":
        return [p for p in _found(Path(path).iterdir()) if p.suffix.lower() in SLICE_SUFFIXES]
    if glob.has_magic(path) and not Path(path).exists():
        return _found(Path(p) for p in glob.glob(path))
    return [Path(path)]


def _found(paths):
    paths = [p for p in paths if not p.name.startswith(".")]
    slices = [p for p in paths if p.suffix.lower() in SLICE_SUFFIXES]
    return sorted(slices or paths, key=natural_key)


def folder_contents(path, most=6):
    """What the nearest existing folder above `path` holds, in words."""
    folder = Path(re.split(r"[*?\[]", str(path))[0] + "x").parent if glob.has_magic(str(path)) else Path(path)
    folder = folder if folder.is_dir() else next((p for p in folder.parents if p.is_dir()), Path("."))
    names = sorted((p.name + "/" * p.is_dir() for p in folder.iterdir() if not p.name.startswith(".")), key=natural_key)
    if not names:
        return f"the folder {folder.resolve()} is empty"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"the folder {folder.resolve()} holds {', '.join(names[:most])}{more}"


def missing_numbers(files):
    """Slice numbers that a series of file names skips, such as [7] for s6.tif, s8.tif.

    Empty where the names differ in more than one number or in their text, so that no numbering can be told.
    """
    parts = [re.split(r"(\d+)", Path(f).name) for f in files]
    columns = list(zip(*parts)) if len({len(p) for p in parts}) == 1 else []
    varying = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return []
    numbers = {int(n) for n in columns[varying[0]]}
    return sorted(set(range(min(numbers), max(numbers))) - numbers)


def slice_numbers(files):
    """The number of each file of a series of slices: the one in which the names differ, such as 7 and 12 for s1_z0007.tif and
    s1_z0012.tif. Of a single file its only number.

    Raises ValueError, in plain words, where the names don't tell. The same as in densecell/sparse_labels.py.
    """
    parts = [re.split(r"(\d+)", Path(f).stem) for f in files]
    odd = next((f for f, p in zip(files, parts) if len(p) != len(parts[0]) or p[0::2] != parts[0][0::2]), None)
    if odd is not None:
        raise ValueError(f"{Path(files[0]).name} and {Path(odd).name} differ in more than a number")
    columns = list(zip(*parts))[1::2]
    varying = [column for column in columns if len(set(map(int, column))) > 1] or columns
    if len(varying) != 1:
        found = f"{len(varying)} numbers" + (" that differ" if len(files) > 1 else "") if columns else "no number"
        raise ValueError(
            f"{found} in the name{'s' * (len(files) > 1)} {Path(files[0]).name}" + ", ..." * (len(files) > 1)
        )
    return [int(n) for n in varying[0]]


def stack_shape(files, axes):
    """(Z, Y, X) of the stack in `files` (several: one slice each); None where it can't be told from here.

    Raises ValueError, in plain words, for a header that is unreadable or does not fit `axes`.
    """
    sides = _file_shape(files[0])
    if sides is None:
        return None
    in_plane = axes.replace("z", "")
    if len(sides) == 2:
        sides, axes = (len(files), *sides), "z" + in_plane
    elif len(files) > 1:
        raise ValueError(f"{files[0]} holds {len(sides)} dimensions {list(sides)}, but is one of {len(files)} slices")
    elif len(sides) != 3:
        raise ValueError(f"{files[0]} holds {len(sides)} dimensions {list(sides)}, but axes {axes!r} name 3")
    return tuple(sides[axes.index(a)] for a in "zyx")


def _file_shape(path):
    reader = {".png": _png_shape, ".tif": _tiff_shape, ".tiff": _tiff_shape, ".zarr": _zarr_shape}.get(
        path.suffix.lower()
    )
    try:
        if reader and reader is not _zarr_shape:
            _check_regular(path)
        sides = reader(path) if reader else None
        if sides is not None and not all(type(n) is int and 0 < n < 2**40 for n in sides):
            raise ValueError(f"sides {str(sides)[:80]}")
        return sides
    except Exception as error:  # damaged files make the readers raise everything, also AttributeError and MemoryError
        text = str(error)[:300]
        raise ValueError(f"{path} is unreadable or truncated ({type(error).__name__}: {text})") from error


def _check_regular(path, largest_bytes=None):
    """Raise ValueError for a pipe, which would be waited for, a device or a folder, and for more than so many bytes."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("expected a regular file")
    if largest_bytes and found.st_size > largest_bytes:
        raise ValueError(f"{found.st_size:,} bytes, expected at most {largest_bytes:,}")


def _png_shape(path):
    with open(path, "rb") as file:
        head = file.read(24)
    if not head.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("not a PNG")
    width, height = struct.unpack(">II", head[16:24])
    return height, width


def _tiff_shape(path):
    if importlib.util.find_spec("tifffile") is None:  # the coordinating environment may do without
        return None
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        _check_ome(tiff.ome_metadata or "<OME/>")
        series = tiff.series[0]
        spatial = [(n, a) for n, a in zip(series.shape, series.axes) if a != "S"]
        return tuple(n for n, axis in spatial if n > 1 or axis in "YXZQI")


def _check_ome(text):
    """Refuse OME-XML that declares absurdly many planes or gathers the stack from files elsewhere; as raw_formats.py does."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return  # tifffile then goes without it
    for pixels in (e for e in root.iter() if e.tag.endswith("Pixels")):
        for n in (pixels.get(f"Size{axis}", "1") for axis in "ZCT"):
            if len(n) > 7:  # tifffile makes a list of as many planes
                raise ValueError(f"OME-XML that declares {n[:20]} planes")
    own = root.get("UUID")
    for data in (e for e in root.iter() if e.tag.endswith("TiffData")):
        for uuid in (e for e in data if e.tag.endswith("UUID")):
            if "/" in uuid.get("FileName", "") and (own is None or uuid.text != own):
                raise ValueError("OME-XML that names a part outside the file's folder")


def _zarr_shape(path):
    def read(file):
        _check_regular(file, LARGEST_METADATA_BYTES)
        return json.loads(file.read_text(encoding="utf-8"))

    def attributes(folder):
        new, old = folder / "zarr.json", folder / ".zattrs"
        if new.exists():
            return read(new).get("attributes", {})
        return read(old) if old.exists() else {}

    def shape(folder):
        described = folder / "zarr.json" if (folder / "zarr.json").exists() else folder / ".zarray"
        return read(described).get("shape") if described.exists() else None

    found = attributes(path)
    scales = found.get("ome", found).get("multiscales")
    inner = path / (scales[0]["datasets"][0]["path"] if scales else "0")
    if not inner.resolve().is_relative_to(path.resolve()):
        raise ValueError(f"its metadata names an array outside of it, {inner}")
    sides = shape(path) or shape(inner)
    if sides is None:
        raise ValueError("no array inside")
    while len(sides) > 3 and sides[0] == 1:
        sides = sides[1:]
    return tuple(sides)
