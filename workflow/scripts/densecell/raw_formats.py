"""Raw stacks from microscopes and other programs: TIFF, PNG, OME-Zarr, read slice by slice.

tifffile and imagecodecs read every TIFF and PNG the field writes; zarr is the reference implementation of its format.
The files may be anybody's: what a header declares is compared with what the file can hold before memory is asked for, and
only regular files are read (`foreign_stores` does the same for zarr).
"""

import contextlib
import errno
import struct
from pathlib import Path
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import tifffile
import zarr

from densecell import foreign_stores

LARGEST_SLICE_BYTES = 2**34  # 16 GiB; a slice of 100,000 x 100,000 pixels has 10
LARGEST_RATIO = 40_000  # of zstd's longest runs, 128 KiB from 4 bytes; deflate's is 1,032
ALWAYS_FINE_BYTES = 2**26
LARGEST_PLANE_COUNT = 10_000_000  # planes that OME-XML may declare; tifffile makes a list of them
PNG_SAMPLES = {
    0: 2,
    2: 4,
    3: 4,
    4: 2,
    6: 4,
}  # by color type, once decoded: palettes are written out, transparency is added
OF_CONTENT = (
    errno.EINVAL,
    errno.EOVERFLOW,
    errno.EISDIR,
    errno.ENOTDIR,
)  # what damaged files make the system say, as for a seek to -1


class PassingFailure(ValueError):
    """A file could not be read for a reason that says nothing about it: permissions, memory, too many open files, the disk."""


class Source:
    """A raw stack that is read slice by slice.

    shape: (Z, Y, X), or (Z, Y, X, samples) for color images; dtype: of the stored values.
    """

    def __init__(self, shape, dtype, read_slice):
        self.shape, self.dtype, self.read_slice = tuple(shape), np.dtype(dtype), read_slice


def by_slabs(read_range, n_slices, depth, slice_bytes):
    """A `read_slice(z)` that holds the slab read last, since a chunk on disk is `depth` slices deep.

    read_range(start, stop): the slices of a range. At most 1 GiB is held (one slice at the least).
    """
    depth = max(1, min(depth, 2**30 // max(slice_bytes, 1)))
    held = {}

    def read_slice(z):
        start = z - z % depth
        if start not in held:
            held.clear()
            held[start] = read_range(start, min(start + depth, n_slices))
        return held[start][z - start]

    return read_slice


def check_size(path, slice_bytes, bits=8):
    """Raise ValueError for a declared slice larger than any file of this size can hold, or than a slice may be.

    slice_bytes: of the slice once decoded; bits: of the file that make a byte of it, 1 for masks of one bit.
    """
    size = Path(path).stat().st_size
    if slice_bytes > LARGEST_SLICE_BYTES:
        raise ValueError(
            f"{path}: declares a slice of {slice_bytes:,} bytes, expected at most {LARGEST_SLICE_BYTES:,}. "
            "The file is damaged or hostile, or cut the slices into parts."
        )
    if slice_bytes > ALWAYS_FINE_BYTES + LARGEST_RATIO * size * 8 // min(max(bits, 1), 8):
        raise ValueError(
            f"{path}: declares a slice of {slice_bytes:,} bytes, which a file of {size:,} bytes can't hold. "
            "The file is damaged or hostile."
        )


def read_png(path):
    """One PNG as (Y, X) or (Y, X, samples)."""
    content = Path(path).read_bytes()
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR" or len(content) < 33:
        raise ValueError(f"{path}: not a PNG.")
    width, height, bits, color = struct.unpack(">IIBB", content[16:26])
    check_size(path, width * height * PNG_SAMPLES.get(color, 4) * (1 if bits <= 8 else 2), bits)
    return imagecodecs.png_decode(content)


def read_tiff_slice(path):
    """A TIFF that holds one image, as (Y, X) or (Y, X, samples)."""
    with tifffile.TiffFile(path) as tiff:
        series = _only_series(tiff, path)
        check_size(path, series.nbytes, _bits(series))
        n_images = int(np.prod(series.shape) // np.prod(series.keyframe.shape))
        if n_images != 1:
            raise ValueError(
                f"{path}: expected one slice per file, as several files are given, found {n_images} images in it."
            )
        return series.asarray().reshape(series.keyframe.shape)


def _only_series(tiff, path):
    """The image series of an open TIFF; ValueError for several or for missing bytes (tifffile reads those as zeros)."""
    _check_ome(tiff, path)
    if len(tiff.series) != 1:
        shapes = ", ".join(str(s.shape) for s in tiff.series)
        raise ValueError(
            f"{path}: expected images of one shape, found {len(tiff.series)} series of shapes {shapes}. Split the file."
        )
    series = tiff.series[0]
    check_size(path, series.keyframe.nbytes, _bits(series))
    if series.dataoffset is not None:
        ends = [(tiff.filehandle, series.dataoffset + series.nbytes)]
    else:
        if any(page is None for page in series.pages):
            raise ValueError(
                f"{path}: truncated, or a file that it refers to is missing. Copy it again with all its parts."
            )
        needed = int(np.prod(series.keyframe.chunked))
        if any(len(p.dataoffsets) != needed for p in series.pages):
            raise ValueError(f"{path}: damaged: an image in it has not the {needed} parts that its size needs.")
        ends = [(p.parent.filehandle, max(map(sum, zip(p.dataoffsets, p.databytecounts)))) for p in series.pages]
    broken = any(end > handle.size for handle, end in ends) or _next_page_offset(tiff) != 0
    if broken:
        raise ValueError(f"{path}: truncated: it names bytes beyond its end. Copy the file again.")
    return series


def _bits(series):
    """How many bits of the file make a byte in memory: fewer than 8 for masks."""
    bits = series.keyframe.bitspersample
    return bits if isinstance(bits, int) else 8  # a tuple where samples differ


def _check_ome(tiff, path):
    """Refuse OME-XML that declares absurdly many planes or names parts of the stack outside the file's own folder."""
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "<OME/>")
    except ElementTree.ParseError:
        return  # tifffile, which reads it the same way, then goes without it
    for pixels in (e for e in root.iter() if e.tag.endswith("Pixels")):
        count = np.prod([_whole(pixels.get(f"Size{axis}", "1")) for axis in "ZCT"], dtype=object)
        if count > LARGEST_PLANE_COUNT:
            raise ValueError(f"{path}: its OME-XML declares {count:,} planes.")
    for name in _parts(root):
        part = Path(path).parent / name
        if part.parent != Path(path).parent or name in ("", ".", ".."):
            raise ValueError(
                f"{path}: its OME-XML names a part outside its folder, {name!r}. Put all parts into one folder."
            )
        if part.exists():
            foreign_stores.check_regular(part)


def _whole(text):
    try:
        return int(text[:20])
    except ValueError:
        return 1  # tifffile refuses it


def _parts(root):
    """The files that OME-XML gathers a stack from: those of <TiffData><UUID FileName=...> that aren't the file itself."""
    own = root.get("UUID")
    for data in (e for e in root.iter() if e.tag.endswith("TiffData")):
        for uuid in (e for e in data if e.tag.endswith("UUID")):
            if "FileName" in uuid.attrib and (own is None or uuid.text != own):
                yield uuid.attrib["FileName"]


def _next_page_offset(tiff):
    """Where the last page that was found says the next one starts; 0 in a whole file."""
    handle, layout = tiff.filehandle, tiff.tiff
    page = next(p for p in reversed(tiff.pages) if getattr(p, "offset", 0))
    handle.seek(page.offset)
    (n_tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(n_tags * layout.tagsize, 1)
    return struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))[0]


def open_tiff_stack(path, axes):
    """A multipage, ImageJ or OME-TIFF as a Source; `axes` says how its dimensions are ordered, e.g. zyx.

    Dimensions of one channel or time point are dropped; a trailing sample dimension makes it a color image.
    """
    series = _only_series(tifffile.TiffFile(path), path)
    color = series.axes.endswith("S")
    is_kept = [n > 1 or axis in "YXZQI" for n, axis in zip(series.shape, series.axes)]
    sides = [n for n, kept in zip(series.shape[: -1 if color else None], is_kept) if kept]
    rest = axes.replace("z", "")
    if len(sides) == 2:
        axes = rest
    elif len(sides) != 3:
        raise ValueError(
            f"{path}: axes {axes!r} name 3 dimensions, the file has {len(sides)}: {series.shape} (TIFF axes {series.axes}). "
            "Give one channel and time point."
        )
    spatial = [sides[axes.index(a)] if a in axes else 1 for a in "zyx"]
    if "z" in axes[1:]:
        data = series.asarray(out="memmap")  # a slice cuts through every page: decode the file once
    else:
        data = zarr.open(series.aszarr(), mode="r")
        data = data["0"] if isinstance(data, zarr.Group) else data

    def read_slice(z):
        letters = iter(axes)
        index = [
            (z if next(letters) == "z" else slice(None)) if kept else 0 for kept in is_kept[: len(is_kept) - color]
        ]
        image = np.asarray(data[tuple(index)])
        return image if rest == "yx" else np.swapaxes(image, 0, 1)

    return Source((*spatial, series.shape[-1]) if color else spatial, data.dtype, read_slice)


def open_zarr_stack(path, axes):
    """The full-resolution array of an OME-Zarr (0.4 or 0.5), or a bare Zarr array, as a Source."""
    node = foreign_stores.open_node(path)
    if isinstance(node, zarr.Group):
        attributes = dict(node.attrs)
        scales = attributes.get("ome", attributes).get("multiscales")
        node = node[scales[0]["datasets"][0]["path"] if scales else "0"]
    node = foreign_stores.checked_array(node, path)
    lead = node.ndim - len(axes)
    if lead < 0 or any(n != 1 for n in node.shape[:lead]):
        raise ValueError(
            f"{path}: axes {axes!r} name {len(axes)} dimensions, the array has shape {node.shape}. Give one channel and time point."
        )
    order = [axes.index(a) for a in "zyx"]
    shape = [node.shape[lead + i] for i in order]

    def read_range(start, stop):
        index = [slice(None)] * 3
        index[order[0]] = slice(start, stop)
        return np.transpose(node[(0,) * lead + tuple(index)], order)

    slice_bytes = shape[1] * shape[2] * node.dtype.itemsize
    return Source(shape, node.dtype, by_slabs(read_range, shape[0], node.chunks[lead + order[0]], slice_bytes))


SLICE_READERS = {".png": read_png, ".tif": read_tiff_slice, ".tiff": read_tiff_slice}
READERS = {".tif": open_tiff_stack, ".tiff": open_tiff_stack, ".zarr": open_zarr_stack}


def open_slices(paths, axes):
    """Files of one z-slice each, in the given order, as a Source. All must have the first one's shape and type."""
    first = _read_one(paths[0])
    is_transposed = axes.replace("z", "") == "xy"

    def read_slice(z):
        image = _read_one(paths[z])
        if image.shape != first.shape or image.dtype != first.dtype:
            raise ValueError(
                f"{paths[z]}: slice {z} is {image.shape} {image.dtype}, the first one ({paths[0]}) {first.shape} {first.dtype}. All slices of a volume must agree."
            )
        return np.swapaxes(image, 0, 1) if is_transposed else image

    plane = first.shape[1::-1] if is_transposed else first.shape[:2]
    return Source((len(paths), *plane, *first.shape[2:]), first.dtype, read_slice)


def _read_one(path):
    suffix = Path(path).suffix.lower()
    if suffix not in SLICE_READERS:
        raise ValueError(f"{path}: no reader for {suffix!r}; known: {', '.join(sorted(SLICE_READERS))}.")
    with readable(path):
        foreign_stores.check_regular(path)
        return SLICE_READERS[suffix](path)


@contextlib.contextmanager
def readable(path):
    """Turn whatever a reader raises on a missing, truncated or foreign file into one error that names the file: a PassingFailure
    where it tells nothing about the file's content, so that another attempt may succeed."""
    try:
        yield
    except FileNotFoundError as error:
        raise (ValueError if error.errno is None else PassingFailure)(
            f"{path}: no such file. Check the path in the configuration (volumes or labels: path)."
        ) from error
    except Exception as error:  # the readers raise everything, also AttributeError and MemoryError, on a damaged file
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in (None, *OF_CONTENT)):
            raise PassingFailure(
                f"{path}: could not be read ({type(error).__name__}: {str(error)[:500]}). That says nothing about its content: "
                "look at permissions, memory and the disk, and run again."
            ) from error
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(
            f"{path}: unreadable or truncated ({kind}{str(error)[:500]}). Copy the file again or check its format."
        ) from error


def open_source(paths, axes):
    """Open a raw stack: one multipage file, one OME-Zarr, or a list of slices.

    axes: the order of the dimensions, a permutation of zyx; in slices and other images of two dimensions the z is
    skipped. Raises ValueError naming the file.
    """
    paths = [Path(p) for p in paths]
    if not paths:
        raise ValueError("no input files.")
    if sorted(axes) != ["x", "y", "z"]:
        raise ValueError(f"axes: expected a permutation of zyx, found {axes!r}.")
    if len(paths) > 1:
        return open_slices(paths, axes)
    suffix = paths[0].suffix.lower()
    if suffix in READERS:
        with readable(paths[0]):
            paths[0].stat()
            if suffix != ".zarr":
                foreign_stores.check_regular(paths[0])
            source = READERS[suffix](paths[0], axes)
        read = source.read_slice

        def read_slice(z):
            with readable(paths[0]):
                return read(z)

        source.read_slice = read_slice
        return source
    return open_slices(paths, axes)
