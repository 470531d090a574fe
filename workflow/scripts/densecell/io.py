"""Volumes and tables on disk: OME-Zarr between the stages, TIFF out for people. Raw stacks: raw_formats.py.

Arrays are (Z, Y, X); positions and voxel sizes are (z, y, x) in nanometers; the origin is the center of voxel 0.
zarr was chosen for chunked volumes (the reference implementation), tifffile for images, pandas for tables.
"""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
import zarr

from densecell import files, foreign_stores
from densecell.raw_formats import by_slabs, readable

CHUNK = (8, 256, 256)
LARGEST_FILE_COUNT = 10_000
LARGEST_FOREIGN_TABLE = 2**28


# ------------------------------------------------------------------------------------------------------------ stores
def chunk_and_shard(shape):
    """Chunk and shard shapes: chunks near (8, 256, 256), shards of whole chunks so that files stay below 10,000."""
    chunk = tuple(min(c, n) for c, n in zip(CHUNK, shape))
    shard = [chunk[0], *(c * max(1, min(4, -(-n // c))) for c, n in zip(chunk[1:], shape[1:]))]

    def count():
        return int(np.prod([-(-n // s) for n, s in zip(shape, shard)]))

    for axis in itertools.cycle((1, 2, 0)):
        if count() <= LARGEST_FILE_COUNT:
            return chunk, tuple(shard)
        shard[axis] *= 2


def _metadata(name, voxel_size_nm, origin_nm):
    axes = [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"]
    transformations = [
        {"type": "scale", "scale": [float(v) for v in voxel_size_nm]},
        {"type": "translation", "translation": [float(v) for v in origin_nm]},
    ]
    scales = [{"name": name, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": transformations}]}]
    return {"ome": {"version": "0.5", "multiscales": scales}}


class StoreWriter:
    """Writes z-slabs of one volume; slabs start at multiples of `slab_depth` (the depth of a shard).

    shape: (Z, Y, X) of the whole volume; slices: the range of slices that is written here, all of them or a part.
    """

    def __init__(self, group, array, folder, slices=None):
        self.group, self.array, self.folder = group, array, Path(folder)
        self.shape = array.shape
        self.slab_depth, self.band_height = array.shards[:2]
        self.slices = tuple(slices or (0, self.shape[0]))
        self._unsynced = set()  # layers of shards that may not have reached the disk

    def slabs(self):
        """The (start, stop) of each slab of `slices`, in order."""
        first, last = self.slices
        return [(z, min(z + self.slab_depth, last)) for z in range(first, last, self.slab_depth)]

    def write(self, start, slab, row=0):
        """Write a slab (Z', Y, X) that begins at slice `start`, or a band (Z', Y', X) of its rows from `row` on.

        Bands begin at multiples of `band_height`. Raises ValueError for slices that aren't written here.
        """
        stop = start + slab.shape[0]
        if start < self.slices[0] or stop > self.slices[1]:
            raise ValueError(f"{self.folder}: holds the slices {self.slices}, was given {start} to {stop}.")
        self.array[start:stop, row : row + slab.shape[1]] = slab
        self._unsynced |= set(range(start // self.slab_depth, -(-stop // self.slab_depth)))

    def sync(self):
        """Have all that was written reach the disk: needed before a restart state says that it is there.

        Returns {path in the store: hash} of the shards written since the last call.
        """
        hashes = {}
        for layer in sorted(self._unsynced):
            shards = self.folder / "0" / "c" / str(layer)
            for path in [*shards.rglob("*"), shards] if shards.exists() else ():
                files.sync(path)
                if path.is_file():
                    hashes[path.relative_to(self.folder).as_posix()] = files.hash_file(path)
        for path in ("zarr.json", "0/zarr.json", "0/c", "0", "."):
            if (self.folder / path).exists():
                files.sync(self.folder / path)
        self._unsynced.clear()
        return hashes

    def add_attributes(self, **attributes):
        """Add facts that are known only once the slabs are written."""
        self.group.attrs.update({"densecell": {**self.group.attrs["densecell"], **attributes}})


def slab_slices(n_slices, slab_depth, number, count):
    """The (first, one after the last) slice of slab `number` (from 1) of `count`: whole shards, shared out evenly.

    Empty where there are more slabs than layers of shards. Raises ValueError for a number that is not in 1 to count.
    """
    if not 1 <= number <= count:
        raise ValueError(f"--slab {number}-of-{count}: expected a number from 1 to {count}.")
    layers = -(-n_slices // slab_depth)
    return tuple(min(i * layers // count * slab_depth, n_slices) for i in (number - 1, number))


@contextlib.contextmanager
def new_volume(
    path,
    shape,
    dtype,
    voxel_size_nm,
    origin_nm=(0, 0, 0),
    record=None,
    fill_value=0,
    attributes=None,
    slab=None,
    unfinished=None,
):
    """Make an OME-Zarr 0.5 volume, slab by slab; it appears at `path` with its sidecar only when complete.

    attributes: JSON-able facts kept under ``densecell`` in the store's metadata. slab: (number, count) to write only
    that part of the slices (`slab_slices`) of a store that is otherwise equal to the whole one; the sidecar tells which,
    and gather_slabs.py joins the parts. unfinished: a folder in which the store grows and is continued after a crash
    (`files.writing`). Raises ValueError where that holds another volume. Yields a StoreWriter.
    """
    dtype = np.dtype(dtype)
    chunk, shard = chunk_and_shard(shape)
    share = 0.02 if dtype.kind == "u" and fill_value == 255 else 0.3
    number, count = slab or (1, 1)
    slices = slab_slices(shape[0], shard[0], number, count)
    expected = int((slices[1] - slices[0]) * np.prod(shape[1:]) * dtype.itemsize * share)
    if slab and record is not None:
        record = {**record, "slices": slices}
    layout = {"shape": tuple(shape), "dtype": dtype, "chunks": chunk, "shards": shard, "fill_value": fill_value}
    with files.writing(path, record, folder=True, expected_bytes=expected, unfinished=unfinished) as partial:
        if (partial / "0" / "zarr.json").exists():
            group = _continued(partial, layout)
        else:
            group = zarr.open_group(partial, mode="w", zarr_format=3)
            name = Path(path).name.removesuffix(".ome.zarr")
            group.attrs.update({**_metadata(name, voxel_size_nm, origin_nm), "densecell": attributes or {}})
            group.create_array("0", **layout, dimension_names=("z", "y", "x"))
        yield StoreWriter(group, group["0"], partial, slices)


def _continued(folder, layout):
    """The group of a store that a killed job began; its half-written files, which zarr names .partial, are deleted."""
    group = zarr.open_group(folder, mode="r+")
    found = {key: getattr(group["0"], key) for key in layout}
    if found != layout:
        raise ValueError(
            f"{folder}: an unfinished volume of {found}, expected {layout}. Delete this folder; the job then starts afresh."
        )
    for path in folder.rglob("*.partial"):
        path.unlink()
    return group


def write_volume(path, array, voxel_size_nm, origin_nm=(0, 0, 0), **options):
    """Write a small (Z, Y, X) array as a volume at once (see `new_volume` for the options)."""
    with new_volume(path, array.shape, array.dtype, voxel_size_nm, origin_nm, **options) as store:
        for start, stop in store.slabs():
            store.write(start, array[start:stop])


class Volume:
    """A volume densecell wrote, read lazily; each shard's hash is checked when it is first touched.

    shape (Z, Y, X), dtype, voxel_size_nm and origin_nm (z, y, x), attributes: what was stored with it; fill_value: what
    voxels that were never written hold; read_slice(z) gives (Y, X) and is fast where slices are read in order.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.exists():
            raise ValueError(f"{path}: no such volume.")
        self._hashes = files.read_sidecar(path)["content"]
        for name in ("zarr.json", "0/zarr.json"):
            self._check(name)
        with readable(path):
            group = zarr.open_group(self.path, mode="r")
            self._array = group["0"]
            scale, translation = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        self.shape, self.dtype = tuple(self._array.shape), self._array.dtype
        self.voxel_size_nm, self.origin_nm = tuple(scale["scale"]), tuple(translation["translation"])
        self.attributes, self.fill_value = dict(group.attrs["densecell"]), self._array.fill_value.item()
        self.slab_depth = self._array.shards[0]
        self._checked = set()
        slice_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        self.read_slice = by_slabs(
            lambda start, stop: self[start:stop], self.shape[0], self._array.chunks[0], slice_bytes
        )

    def _check(self, name):
        file = self.path / name
        if name not in self._hashes and not file.exists():
            return  # a shard of nothing but the fill value is not stored
        if not file.exists() or name not in self._hashes or files.hash_file(file) != self._hashes[name]:
            raise ValueError(
                f"{file}: damaged or changed since densecell wrote it (hash in {files.sidecar_path(self.path).name}). "
                f"Delete {self.path} and its sidecar; the next run makes it again."
            )

    def __getitem__(self, index):
        """Read a box given by three slices, or a range of z-slices; numpy array."""
        index = index if isinstance(index, tuple) else (index,)
        index = index + (slice(None),) * (3 - len(index))
        ranges = []
        for i, n, s in zip(index, self.shape, self._array.shards):
            start, stop, _ = i.indices(n) if isinstance(i, slice) else (int(i), int(i) + 1, 1)
            ranges.append(range(start // s, -(-stop // s)) if stop > start else range(0))
        for shard in itertools.product(*ranges):
            if shard not in self._checked:
                self._check("0/c/" + "/".join(map(str, shard)))
                self._checked.add(shard)
        return np.asarray(self._array[index])

    def slabs(self):
        """The (start, stop) of each z-slab of whole shards, in order."""
        return [(z, min(z + self.slab_depth, self.shape[0])) for z in range(0, self.shape[0], self.slab_depth)]


def use_threads(threads):
    """Let zarr pack and unpack chunks with this many threads, instead of a few more than the machine has processors.

    Called before the first volume is opened; later calls change nothing. Each thread keeps memory of its own: with 2 in
    place of 6 a volume of 512 slices took 3 % more than one of 64, with 6 of them 5 to 19 %.
    """
    zarr.config.set({"threading.max_workers": threads})


def open_volume(path):
    """Open a volume densecell wrote. Raises ValueError when it is missing, damaged or changed."""
    return Volume(path)


def write_tiff(path, slabs, shape, dtype, voxel_size_nm, record=None):
    """Export a volume as a multipage TIFF from an iterable of z-slabs, with its voxel size.

    ImageJ's flavor where it can hold the volume (uint8, uint16 or float32, below 3 GiB), else BigTIFF or plain TIFF.
    """
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod([int(n) for n in shape])) * dtype.itemsize
    big = n_bytes > 3 * 2**30
    micrometer = 1e-3
    with (
        files.writing(path, record, expected_bytes=n_bytes) as partial,
        tifffile.TiffWriter(
            partial, bigtiff=big, imagej=not big and dtype in (np.uint8, np.uint16, np.float32)
        ) as tiff,
    ):
        tiff.write(
            (plane for slab in slabs for plane in slab),
            shape=tuple(shape),
            dtype=dtype,
            resolution=(1 / (voxel_size_nm[2] * micrometer), 1 / (voxel_size_nm[1] * micrometer)),
            metadata={"axes": "ZYX", "spacing": voxel_size_nm[0] * micrometer, "unit": "um"},
            photometric="minisblack",
        )


# ------------------------------------------------------------------------------------------------------------ tables
def write_table(path, table, record=None):
    """Write a table as CSV with its sidecar; floats keep all digits.

    table: a DataFrame, or an iterable of some with equal columns, which are written one below the other as they come.
    Raises ValueError, and writes nothing, for a part whose columns are not those of the first.
    """
    parts, columns = [table] if isinstance(table, pd.DataFrame) else table, None
    with files.writing(path, record) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        for i, part in enumerate(parts):
            columns = list(part.columns) if columns is None else columns
            if list(part.columns) != columns:
                raise ValueError(
                    f"{path}: expected the columns of the first table, {columns}, in table {i + 1} too, found "
                    f"{list(part.columns)}; make both tables with the same version"
                )
            part.to_csv(handle, index=False, header=i == 0, lineterminator="\n", na_rep="nan")


def read_foreign_table(path, numbers, texts=()):
    """A small table that densecell need not have written, such as the known drift of a stack.

    numbers, texts: names of columns it must have. Raises ValueError, naming the file, for other columns, for what is no number
    in a column of numbers, and for more than LARGEST_FOREIGN_TABLE bytes.
    """
    foreign_stores.check_regular(path)
    if Path(path).stat().st_size > LARGEST_FOREIGN_TABLE:
        raise ValueError(f"{path}: expected a table of at most {LARGEST_FOREIGN_TABLE:,} bytes.")
    table = read_table(path)
    missing = [name for name in (*numbers, *texts) if name not in table.columns]
    if missing:
        found = ", ".join(map(str, table.columns))[:300]
        raise ValueError(f"{path}: expected the columns {', '.join((*numbers, *texts))}, found {found}.")
    for name in numbers:
        if table[name].dtype.kind not in "iuf":
            raise ValueError(f"{path}: expected numbers in the column {name}, found other texts. Correct the table.")
    return table


def read_table(path, numbers=None):
    """Read a CSV after checking its content against its sidecar; empty texts stay empty, nan is a number.

    numbers: the names of the columns that hold numbers; all others are then categories, which take a tenth of the memory.
    """
    files.check_content(path)
    try:
        types = None
        if numbers is not None:
            types = {name: "category" for name in pd.read_csv(path, nrows=0).columns if name not in numbers}
        return pd.read_csv(path, keep_default_na=False, na_values=["nan", "NaN"], dtype=types)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: unreadable table ({error}).") from error
