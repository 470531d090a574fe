"""Split the cells of a class map slice by slice, with the cells that were drawn in a few slices.

Combinations: mask (only seeds), border (a network's boundaries cut), flow (the drawn cells as optical flow moves them, without any
mask), overlay (their contours cut), selective (boundaries, and those contours where cells overlap), frames (as selective, from slice
to slice). Writes the cells (uint32, the numbers that were drawn, 0: none), the islands (1: pieces of the mask that are no cell yet, which
track_cells gives to cells), and a table with a row per slice: z, labelled_z (the drawn slice that serves it), is_left_out (by the
alignment: no flow), mask_px, flow_px (mean length of the flow), seeds, seeds_moved (to the nearest pixel of the mask), seeds_outside,
seeds_in_islands and seeds_covered (dropped: no mask within reach, in a small piece, at the pixel of a larger cell's), cells, cell_px, islands, island_px,
unseeded and unseeded_px (large pieces without a seed, which are islands too). Streams over the slices, walk by walk from the drawn ones outward.
"""

import threading
import zlib

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io, optical_flow, propagation
from densecell.classes import UNLABELLED_INSTANCE, Classes
from densecell.composition import DEFAULT_THRESHOLD, least_q
from densecell.optical_flow import FlowSettings
from densecell.parallel import in_order
from densecell.raw_formats import by_slabs
from densecell.region_graph import PROTRUSION
from densecell.splitting import SplitSettings
from progress import Progress

LONGEST_WALK = 16  # slices, where none needs another one: more walks than threads
GRAY_SLICES = 10  # that tell the range of gray values of an image of 16 bit
ISLAND = UNLABELLED_INSTANCE  # within packed slices, where it is no cell's number
COLUMNS = (
    "z", "labelled_z", "is_left_out", "mask_px", "flow_px", "seeds", "seeds_moved", "seeds_outside", "seeds_in_islands",
    "seeds_covered", "cells", "cell_px", "islands", "island_px", "unseeded", "unseeded_px",
)  # fmt: skip


def drawn_slices(ids, where):
    """([z of the slices in which cells are drawn], their sorted ids). Raises ValueError where there are none."""
    found, known = [], np.zeros(0, np.uint32)
    for z in ids.attributes.get("slices", range(ids.shape[0])):
        here = np.setdiff1d(np.unique(ids[z : z + 1]), [0, UNLABELLED_INSTANCE])
        if len(here):
            found.append(z)
            known = np.union1d(known, here)
    if not found:
        raise ValueError(
            f"{where}: expected numbers of cells in at least one slice, found none. Correct instances.split.ids, or look at the labels "
            "and at how they lie in the stack (labels: slices, origin, frame)."
        )
    if known.max() >= PROTRUSION:
        raise ValueError(
            f"{where}: expected numbers of cells below {PROTRUSION}, found {known.max()}. Number the cells of instances.split.ids lower."
        )
    return found, known.astype(np.uint32)


def open_volumes(args):
    """{class_map, boundary, image, ids: Volume, or None where it isn't given}. Raises ValueError unless all are of one size."""
    paths = {name: getattr(args, name) for name in ("class_map", "boundary", "image", "ids")}
    volumes = {name: path and io.open_volume(path) for name, path in paths.items()}
    shape = volumes["class_map"].shape
    for volume in volumes.values():
        if volume is not None and volume.shape != shape:
            raise ValueError(
                f"{volume.path}: expected the size of {args.class_map}, {shape} voxels (z, y, x), found {volume.shape}. Delete it; "
                "the next run makes it again."
            )
    needed = [("boundary", propagation.WITH_BOUNDARY), ("image", propagation.WITH_FLOW)]
    missing = [name for name, those in needed if args.combination in those and volumes[name] is None]
    if missing:
        raise ValueError(f"--combination {args.combination}: expected --{' and --'.join(missing)}, found nothing.")
    return volumes


class Slices:
    """Reads the slices of one walk; each walk has one of its own, which holds a slab of each volume.

    volumes: of `open_volumes`; members: numbers of the classes that make up the mask; gray: of `optical_flow.gray_range`.
    """

    def __init__(self, volumes, members, gray):
        self.readers = {name: v and _reader(v) for name, v in volumes.items() if name != "ids"}
        self.ids = volumes["ids"]  # one slice of which is needed, and no slab
        self.in_mask = np.isin(np.arange(256), members)
        self.gray, self.threshold = gray, least_q(DEFAULT_THRESHOLD)
        self.left_out = set(volumes["image"].attributes.get("left_out_slices", ())) if volumes["image"] else set()

    def image(self, z):
        read = self.readers["image"]
        return read and optical_flow.to_uint8(read(z), self.gray)

    def slice(self, z):
        """The `propagation.Slice` at z."""
        boundary = self.readers["boundary"]
        boundary = boundary and boundary(z) >= self.threshold
        return propagation.Slice(
            self.image(z), self.in_mask[self.readers["class_map"](z)], boundary, z in self.left_out
        )

    def drawn(self, z, known, settings):
        """The `propagation.Drawn` at z."""
        ids = self.ids[z : z + 1][0]
        return propagation.drawn_slice(self.image(z), ids, known, UNLABELLED_INSTANCE, settings, z in self.left_out)


def _reader(volume):
    slice_bytes = int(np.prod(volume.shape[1:])) * volume.dtype.itemsize
    return by_slabs(lambda start, stop: volume[start:stop], volume.shape[0], io.CHUNK[0], slice_bytes)


def packed(cells, islands, known):
    """A split slice as few bytes: most of it is long runs of one number, and a walk may be hundreds of slices."""
    ids = propagation.to_ids(cells, known)
    ids[islands] = ISLAND
    return zlib.compress(ids, 1)


def unpacked(data, shape_yx):
    """(cells (Y, X) uint32, islands (Y, X) uint8) of a packed slice."""
    ids = np.frombuffer(zlib.decompress(data), np.uint32).reshape(shape_yx)
    islands = ids == ISLAND
    return np.where(islands, 0, ids).astype(np.uint32), islands.astype(np.uint8)


class Work:
    """Splits walks, in several threads at a time."""

    def __init__(self, volumes, members, gray, known, plan):
        self.slices = lambda: Slices(volumes, members, gray)
        self.known, self.plan = known, plan
        self.progress, self.lock = Progress(volumes["class_map"].shape[0], "slices"), threading.Lock()

    def __call__(self, walk):
        """[(z, packed slice, row of the table)] of a walk, ascending."""
        slices, found = self.slices(), []
        drawn = slices.drawn(walk.labelled, self.known, self.plan.splitting)
        for z, result in propagation.split_walk(walk, drawn, slices.slice, self.plan):
            row = {"z": z, "labelled_z": walk.labelled, "is_left_out": int(z in slices.left_out), **result.counts}
            found.append((z, packed(result.cells, result.islands, self.known), row))
            with self.lock:
                self.progress.step()
        return sorted(found, key=lambda item: item[0])


def in_slabs(slices, depth, n_slices, shape_yx):
    """Join slices that come in order: yields (first z, cells, islands, rows) of each slab of `depth` slices.

    The arrays hold the next slab once the next one is asked for.
    """
    cells, islands = (np.zeros((min(depth, n_slices), *shape_yx), kind) for kind in (np.uint32, np.uint8))
    rows = []
    for z, data, row in slices:
        cells[len(rows)], islands[len(rows)] = unpacked(data, shape_yx)
        rows.append(row)
        if (z + 1) % depth == 0 or z + 1 == n_slices:
            yield z + 1 - len(rows), cells[: len(rows)], islands[: len(rows)], rows
            rows = []


def gray_limits(image):
    """The range of gray values of an image that is not of 8 bit, from a few of the slices that alignment kept."""
    if image is None or image.dtype == np.uint8:
        return None
    left_out = image.attributes.get("left_out_slices", ())
    kept = np.setdiff1d(np.arange(image.shape[0]), left_out) if len(left_out) < image.shape[0] else np.array([0])
    chosen = kept[np.unique(np.linspace(0, len(kept) - 1, GRAY_SLICES).round().astype(int))]
    return optical_flow.gray_range([image[z : z + 1] for z in chosen.tolist()])


def tell(table, combination, labelled, n_cells):
    """What a person should know of the result."""
    dropped = table[["seeds_outside", "seeds_in_islands", "seeds_covered"]].sum().sum()
    share = table["unseeded_px"].sum() / max(table["mask_px"].sum(), 1)
    print(
        f"split_cells: {combination}; {n_cells} cells drawn in {len(labelled)} slices; of {table['seeds'].sum()} seeds {table['seeds_moved'].sum()} "
        f"were moved to the mask and {dropped} dropped; pieces without a seed are {share:.2%} of the mask"
    )


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("class_map", "class map of the whole volume (OME-Zarr)")
    arguments.input("ids", "aligned labels with the numbers of cells (OME-Zarr)")
    arguments.input("boundary", "8-bit probabilities of the boundary (OME-Zarr)", required=False)
    arguments.input("image", "image that the flow is found in (OME-Zarr)", required=False)
    arguments.parameter("objects", "class of the cells", required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("combination", ", ".join(propagation.COMBINATIONS), required=True)
    arguments.parameter(
        "splitting", "JSON record: min_cell_px, min_body_px, border_px, snap_px, ...", json_argument, {}
    )
    arguments.parameter("flow", "JSON record: pyramid_scale, levels, window, ...", json_argument, {})
    arguments.parameter("seeds", f"of frames: {' or '.join(propagation.SEEDS)}", default="labelled")
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("cells", "cells (OME-Zarr)")
    arguments.output("islands", "islands (OME-Zarr)")
    arguments.output("table", "table of the slices (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)
    optical_flow.use_threads(args.threads)

    if args.combination not in propagation.COMBINATIONS:
        raise ValueError(
            f"--combination: expected one of {', '.join(propagation.COMBINATIONS)}, found {args.combination}."
        )
    classes, volumes = Classes.from_records(args.classes), open_volumes(args)
    first = volumes["class_map"]
    labelled, known = drawn_slices(volumes["ids"], args.ids)
    settings = SplitSettings(**args.splitting), FlowSettings(**args.flow)
    plan = propagation.Plan(args.combination, len(known) + 1, *settings, args.seeds)
    members = classes.members_of(classes.index(args.objects))
    work = Work(volumes, members, gray_limits(volumes["image"]), known, plan)
    walks = propagation.walks(first.shape[0], labelled, None if args.combination == "frames" else LONGEST_WALK)

    facts = {"class": args.objects, "combination": args.combination, "labelled_slices": labelled}
    place, rows = (first.voxel_size_nm, first.origin_nm, args.record), []
    kinds = [{"kind": kind, **facts} for kind in ("instance", "islands")]
    with (
        io.new_volume(args.cells, first.shape, np.uint32, *place, attributes=kinds[0]) as cells,
        io.new_volume(args.islands, first.shape, np.uint8, *place, attributes=kinds[1]) as islands,
    ):
        found = (item for walk in in_order(work, walks, args.threads) for item in walk)
        for start, *slabs, some in in_slabs(found, cells.slab_depth, first.shape[0], first.shape[1:]):
            for store, slab in zip((cells, islands), slabs):
                store.write(start, slab)
            rows += some
    table = pd.DataFrame(rows)[list(COLUMNS)]
    io.write_table(args.table, table, args.record)
    tell(table, args.combination, labelled, len(known))


if __name__ == "__main__":
    run(main)
