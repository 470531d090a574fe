"""What do splitting, tracking and measuring cells cost on slices of full size, and how many islands reach their cell?

Cost: seconds per slice and peak memory of the scripts, each in a process of its own, on synthetic stacks of two depths: cells
with gaps, islands between them, all drifting. Seconds per slice are the difference of the two depths, so that the start is left
out; memory that does not grow with the depth is that of slices and tables. Morphology is that of balls in one volume.

Islands: the tumor phantom's true mask is split by seeds alone (combination mask) from the true numbers in a few labelled slices, and
tracked. An island is, by geometry, a profile of a filopodium that hangs together with nothing else of its cell in the slice. What
counts is the share of the voxels of all islands, outside of the labelled slices, that get their cell's number.

    python benchmarks/tracking.py --depths 8 24
    python benchmarks/tracking.py --only islands --shape 160 1100 1100 --filopodia 60 --labelled 8
"""

import contextlib
import io as text
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import measuring
import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

import split_cells
import track_cells
from densecell import io, tumor_phantom
from densecell.classes import UNLABELLED_INSTANCE
from densecell.objects import count_objects
from densecell.tumor_phantom_geometry import FILOPODIUM
from densecell.tumor_phantom_sections import cut_section, label_section, object_table

SCRIPTS = measuring.ROOT / "workflow" / "scripts"
VOXEL_NM = (5, 5, 5)
CLASSES = json.dumps([{"name": "background", "group": "background"}, {"name": "cell", "group": "cell"}])
PAPER = {"min_iou": 0.3, "match": "previous", "vote": "most", "window": None, "merge_tracks": False}
PAPER |= {"bidirectional": False, "labelled_islands": False, "protrusion_px": None}
DRAWN, BEST = PAPER | {"labelled_islands": True}, {"labelled_islands": True, "merge_tracks": True, "protrusion_px": 12}
WAYS = {
    "the paper": PAPER,
    "+ numbers drawn on islands": DRAWN,
    "+ islands that grow together": DRAWN | {"merge_tracks": True},
    "+ protrusions": PAPER | BEST,
}
EIGHT = np.ones((3, 3), bool)
STARTER = """import resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss) if done.returncode == 0 else print(done.stdout)
sys.exit(done.returncode)"""


def run_alone(script, *arguments):
    """(seconds, processor seconds, peak MB) of a script in a process of its own. Raises RuntimeError with its output when it fails."""
    command = [sys.executable, "-c", STARTER, sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stdout}{done.stderr}")
    seconds, processor, kib = done.stdout.split()
    return float(seconds), float(processor), int(kib) * 1024 / 1e6


# ---------------------------------------------------------------------------------------------------------------- cost
class Tissue:
    """Slices (height, width) of numbered cells with gaps between them, islands in the gaps, and a texture; they move with z."""

    def __init__(self, height, width, n_cells):
        generator = np.random.default_rng(0)
        points = generator.uniform(0, 1, (n_cells, 2)) * (height, width)
        grid = np.stack(np.meshgrid(np.arange(0, height, 4), np.arange(0, width, 4), indexing="ij"), axis=-1)
        distance, nearest = cKDTree(points).query(grid, k=2)
        gap = distance[..., 1] - distance[..., 0] < 0.06 * np.sqrt(height * width / n_cells)
        coarse = np.where(gap & (nearest[..., 0] % 3 > 0), 0, nearest[..., 0] + 1)
        self.cells = np.kron(coarse, np.ones((4, 4), int))[:height, :width].astype(np.uint32)
        self.islands = np.zeros((height, width), np.uint8)
        places = np.argwhere(self.cells == 0)
        for y, x in places[generator.integers(0, len(places), 2 * n_cells)]:
            self.islands[max(y - 8, 0) : y + 9, max(x - 8, 0) : x + 9] = 1
        self.islands[ndimage.binary_dilation(self.cells > 0, iterations=2)] = 0
        noise = generator.normal(0, 1, (height // 4 + 1, width // 4 + 1))
        self.texture = np.kron(noise, np.ones((4, 4)))[:height, :width]

    def at(self, z):
        """(cells, islands, image) of slice z."""
        move = (3 * (z % 7), -2 * (z % 5))
        cells, islands, texture = (np.roll(a, move, axis=(0, 1)) for a in (self.cells, self.islands, self.texture))
        image = np.clip(110 + 40 * (cells > 0) + 20 * texture, 0, 255).astype(np.uint8)
        return cells, islands, image


def write_stack(folder, depth, tissue):
    """All that splitting and tracking read, in `folder`, slab by slab; a slice of each half is labelled: two threads have a half each."""
    shape, labelled = (depth, *tissue.cells.shape), [depth // 4, depth // 4 + depth // 2]
    kinds = {"cells": np.uint32, "islands": np.uint8, "image": np.uint8, "class_map": np.uint8, "ids": np.uint32}
    fills = {"ids": UNLABELLED_INSTANCE}
    with contextlib.ExitStack() as stack:
        stores = {}
        for name, dtype in kinds.items():
            attributes = {"slices": labelled} if name == "ids" else {}
            options = {"record": {}, "fill_value": fills.get(name, 0), "attributes": attributes}
            stores[name] = stack.enter_context(io.new_volume(folder / f"{name}.ome.zarr", shape, dtype, VOXEL_NM, **options))  # fmt: skip
        for start, stop in stores["cells"].slabs():
            planes = [np.stack(p) for p in zip(*(tissue.at(z) for z in range(start, stop)))]
            for name, slab in zip(("cells", "islands", "image"), planes):
                stores[name].write(start, slab)
            stores["class_map"].write(start, ((planes[0] > 0) | (planes[1] > 0)).astype(np.uint8))
            ids = np.full(planes[0].shape, UNLABELLED_INSTANCE, np.uint32)
            drawn = np.isin(np.arange(start, stop), labelled)
            ids[drawn] = planes[0][drawn]
            stores["ids"].write(start, ids)
    nearest = np.repeat(labelled, depth // 2)
    io.write_table(folder / "split.csv", pd.DataFrame({"z": range(depth), "labelled_z": nearest}), {})


def stores_of(folder, *names):
    return [word for name in names for word in (f"--{name.replace('_', '-')}", folder / f"{name}.ome.zarr")]


def stages(folder, threads):
    """{stage: (script, arguments)} on a stack in `folder`."""
    tracked = [*stores_of(folder, "cells", "islands", "ids"), "--split", folder / "split.csv", "--class-name", "cell"]
    tracked += ["--output", folder / "labels.ome.zarr", "--objects", folder / "o.csv", "--tracks", folder / "t.csv"]
    keys = {"volume": "v", "objects": "cells", "class": "cell", "reference": "r", "combination": ""}
    compared = ["--objects", folder / "cells.ome.zarr", "--reference", folder / "labels.ome.zarr"]
    split = [*stores_of(folder, "class_map", "ids"), "--objects", "cell", "--classes", CLASSES, "--threads", threads]
    split += ["--cells", folder / "c.ome.zarr", "--islands", folder / "i.ome.zarr", "--table", folder / "s.csv"]
    return {
        "track_cells": ("track_cells", [*tracked, "--settings", json.dumps(DRAWN)]),
        "track_cells, protrusions": ("track_cells", [*tracked, "--settings", json.dumps(PAPER | BEST)]),
        "compare_instances": ("compare_instances", [*compared, "--keys", json.dumps(keys), "--output", folder / "m.csv"]),
        "split_cells, mask": ("split_cells", [*split, "--combination", "mask"]),
        "split_cells, overlay": ("split_cells", [*split, "--combination", "overlay", *stores_of(folder, "image")]),
    }  # fmt: skip


def stage_costs(args, work):
    """[row] of each stage: seconds and processor seconds per slice, MB at both depths."""
    tissue, found = Tissue(*args.slice, args.cells), {}
    for depth in args.depths:
        folder = work / str(depth)
        folder.mkdir()
        write_stack(folder, depth, tissue)
        for name, command in stages(folder, args.threads).items():
            found.setdefault(name, []).append(run_alone(command[0], *command[1]))
            print(f"{depth} slices, {name}: {found[name][-1]}", file=sys.stderr, flush=True)
    steps = args.depths[-1] - args.depths[0]
    per_slice = {n: [(last - first) / steps for first, last in zip(*f)][:2] for n, f in found.items()}
    return [[n, *per_slice[n], *(mb for *_, mb in f)] for n, f in found.items()]


def morphology_cost(args, work):
    """(seconds, processor seconds, MB, number of objects) of measure_morphology on balls in a cube."""
    n = round(args.objects ** (1 / 3))
    pitch = args.side // n
    z, y, x = (np.arange(args.side) % pitch - pitch / 2 + 0.5 for _ in range(3))
    inside = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x**2 < (0.44 * pitch) ** 2
    number = np.minimum(np.arange(args.side) // pitch, n - 1)
    labels = np.where(inside, 1 + (number[:, None, None] * n + number[None, :, None]) * n + number, 0)
    io.write_volume(work / "balls.ome.zarr", labels.astype(np.uint32), VOXEL_NM, record={})
    table = count_objects(io.open_volume(work / "balls.ome.zarr"))
    io.write_table(work / "balls.csv", table, {})
    settings = {"smoothing_voxels": 1, "min_voxels": 50, "closing_radius": 3, "max_voxels": 64_000_000}
    keys = {"volume": "v", "objects": "balls", "class": "ball"}
    arguments = ["--labels", work / "balls.ome.zarr", "--objects", work / "balls.csv", "--keys", json.dumps(keys)]
    arguments += ["--settings", json.dumps(settings), "--output", work / "morphology.csv", "--threads", args.threads]
    return *run_alone("measure_morphology", *arguments), len(table)


# ------------------------------------------------------------------------------------------------------------- islands
def phantom_cells(shape, filopodia, seed=1):
    """(cells (Z, Y, X) uint32, islands (Z, Y, X) bool) of the tumor phantom biopsy1, by geometry, without an image."""
    preset = tumor_phantom.two_samples(tuple(shape), seed)[0]
    settings = replace(preset, tissue=replace(preset.tissue, filopodia=filopodia))
    world, truth = tumor_phantom.world_of(settings), tumor_phantom._truth(settings)
    kind, _ = object_table(world)
    cells, islands = np.zeros(shape, np.uint32), np.zeros(shape, bool)
    for z in range(shape[0]):
        section = cut_section(world, *tumor_phantom.section_place(settings, truth, z))
        _, cells[z], objects = label_section(world, section)
        islands[z] = islands_of(cells[z], kind[objects] == FILOPODIUM)
    return cells, islands


def islands_of(cells, threads):
    """Pixels (Y, X) bool of threads that hang together with nothing else of their cell."""
    found = np.zeros(cells.shape, bool)
    for cell in np.unique(cells[threads]):
        parts, n = ndimage.label(cells == cell, EIGHT)
        apart = np.ones(n + 1, bool)
        apart[parts[~threads & (cells == cell)]] = False
        found |= threads & (cells == cell) & apart[parts]
    return found


def split_phantom(folder, cells, labelled, min_cell_px, min_body_px):
    """Split the true mask by the numbers of the labelled slices, in `folder`."""
    ids = np.full(cells.shape, UNLABELLED_INSTANCE, np.uint32)
    ids[labelled] = cells[labelled]
    io.write_volume(folder / "class_map.ome.zarr", (cells > 0).astype(np.uint8), VOXEL_NM, record={})
    options = {"fill_value": UNLABELLED_INSTANCE, "attributes": {"slices": [int(z) for z in labelled]}}
    io.write_volume(folder / "ids.ome.zarr", ids, VOXEL_NM, record={}, **options)
    splitting = json.dumps({"min_cell_px": min_cell_px, "min_body_px": min_body_px})
    arguments = [*stores_of(folder, "class_map", "ids"), "--objects", "cell", "--classes", CLASSES]
    arguments += ["--combination", "mask", "--splitting", splitting, "--table", folder / "split.csv"]
    quietly(split_cells, *arguments, *stores_of(folder, "cells", "islands"))


def quietly(script, *arguments):
    with contextlib.redirect_stdout(text.StringIO()), contextlib.redirect_stderr(text.StringIO()):
        script.main([str(a) for a in arguments])


def shares(folder, cells, islands, labelled, settings):
    """(share of the voxels of islands that get their cell, of those that the mask shows as islands, of all other voxels of
    cells), outside of the labelled slices."""
    outputs = ["--output", folder / "labels.ome.zarr", "--objects", folder / "o.csv", "--tracks", folder / "t.csv"]
    options = ["--split", folder / "split.csv", "--settings", json.dumps(settings), "--class-name", "cell", *outputs]
    quietly(track_cells, *stores_of(folder, "cells", "islands", "ids"), *options)
    tracked, seen = io.open_volume(folder / "labels.ome.zarr"), io.open_volume(folder / "islands.ome.zarr")
    right, total = np.zeros(3), np.zeros(3)
    for z in np.setdiff1d(np.arange(len(cells)), labelled):
        good, apart = tracked.read_slice(z) == cells[z], seen.read_slice(z) > 0
        for i, part in enumerate((islands[z], islands[z] & apart, (cells[z] > 0) & ~islands[z])):
            right[i] += good[part].sum()
            total[i] += part.sum()
    return right / np.maximum(total, 1)


def reached(args, work):
    """[row] of each way to track, and what the phantom holds."""
    cells, islands = phantom_cells(args.shape, args.filopodia)
    labelled = np.round((np.arange(args.labelled) + 0.5) * args.shape[0] / args.labelled).astype(int)
    split_phantom(work, cells, labelled, args.min_cell_px, args.min_body_px)
    rows = [[name, *shares(work, cells, islands, labelled, settings)] for name, settings in WAYS.items()]
    facts = (
        f"{len(np.unique(cells)) - 1} cells, {args.filopodia} filopodia, {' x '.join(map(str, args.shape))} voxels, "
    )
    return rows, facts + f"{islands.sum():,} voxels of islands; labelled slices {labelled.tolist()}."


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--only", choices=["cost", "islands"], help="one of the two parts; default both")
    parser.add_argument("--slice", type=int, nargs=2, default=[4000, 6000], help="pixels of a slice (y, x)")
    parser.add_argument("--cells", type=int, default=150, help="in a slice")
    parser.add_argument("--depths", type=int, nargs=2, default=[8, 16], help="slices of the two stacks, even")
    parser.add_argument("--objects", type=int, default=1000, help="of the morphology")
    parser.add_argument("--side", type=int, default=500, help="of the volume of these objects")
    parser.add_argument("--threads", type=int, default=2, help="of splitting and morphology")
    parser.add_argument("--shape", type=int, nargs=3, default=[160, 1100, 1100], help="of the phantom (z, y, x)")
    parser.add_argument("--filopodia", type=int, default=60)
    parser.add_argument("--labelled", type=int, default=8, help="slices of the phantom")
    parser.add_argument("--min-cell-px", type=int, default=2000)
    parser.add_argument("--min-body-px", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="only whether it runs")
    args = parser.parse_args(argv)
    if args.quick:
        args.slice, args.cells, args.depths, args.objects, args.side = [200, 300], 12, [2, 4], 8, 40
        args.shape, args.filopodia, args.labelled, args.min_cell_px, args.min_body_px = [32, 480, 480], 2, 2, 300, 200
    with tempfile.TemporaryDirectory() as work:
        if args.only != "islands":
            rows = stage_costs(args, Path(work))
            memory = [f"MB at {d} slices" for d in args.depths]
            columns = ["stage", "seconds per slice", "processor seconds per slice", *memory]
            seconds, processor, megabytes, n_objects = morphology_cost(args, Path(work))
            notes = [f"Slices of {args.slice[1]} x {args.slice[0]}, {args.cells} cells and up to {2 * args.cells} islands in each; {args.threads} thread{'s' if args.threads > 1 else ''} in splitting and morphology, one in tracking. Morphology of {n_objects:,} balls in {args.side}^3 voxels: {seconds:.1f} s ({processor:.1f} processor seconds) with the start, {megabytes:.0f} MB."]  # fmt: skip
            facts = [seconds, processor, megabytes, n_objects]
            measuring.report("tracking", columns, rows, args, notes=notes, morphology=facts)
        if args.only != "cost":
            rows, facts = reached(args, Path(work))
            columns = ["tracking", "of all islands", "of islands that the mask shows", "of all other voxels of cells"]
            measuring.report("islands", columns, rows, args, notes=[f"Share of voxels with their cell's number. {facts}"])  # fmt: skip


if __name__ == "__main__":
    main()
