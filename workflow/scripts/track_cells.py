"""Track the cells and islands of split slices through the stack: one number per cell in 3D.

Writes the volume of numbers, a table of its objects and one of the tracks of islands. Islands that never reach a cell are
orphans: they keep numbers of their own, from the attribute `first_orphan` on. docs/method.md tells how it is decided.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, objects, tracking
from densecell.classes import UNLABELLED_INSTANCE
from densecell.parallel import in_order
from densecell.region_graph import GraphBuilder, fused, regions_of, with_protrusions
from densecell.slice_regions import painted, runs_of, stacked

ROWS = 256  # that are read at once: chunks of a store


def bands(height, band_height):
    """The (first, one after the last) row of each band of a slice."""
    return [(y, min(y + band_height, height)) for y in range(0, height, band_height)]


class Splits:
    """The split slices of a volume, read in bands of rows, as SliceRegions. protrusion_px: None for no protrusions."""

    def __init__(self, cells, islands, ids, protrusion_px):
        self.cells, self.islands, self.ids, self.protrusion_px = cells, islands, ids, protrusion_px
        for volume in (islands, ids):
            if cells.shape != volume.shape:
                raise ValueError(
                    f"{volume.path}: expected the size of {cells.path}, {cells.shape}, found {volume.shape}. Delete "
                    "both; the next run makes them again."
                )

    def slices(self, first, last):
        """SliceRegions of the slices [first, last)."""
        found = [[] for _ in range(first, last)]
        for y0, y1 in bands(self.cells.shape[1], ROWS):
            box = slice(first, last), slice(y0, y1), slice(None)
            for runs, cells, islands in zip(found, self.cells[box], self.islands[box]):
                runs.append(runs_of(fused(cells, islands)))
        whole = [stacked(runs) for runs in found]
        return [
            with_protrusions(runs, self.protrusion_px) if self.protrusion_px else regions_of(runs) for runs in whole
        ]

    def drawn(self, z):
        """Runs of the numbers that were drawn in a labelled slice."""
        found = []
        for y0, y1 in bands(self.ids.shape[1], ROWS):
            plane = self.ids[z : z + 1, y0:y1, slice(None)][0]
            found.append(runs_of(np.where(plane == UNLABELLED_INSTANCE, 0, plane)))
        return stacked(found)

    def stream(self, threads):
        """The SliceRegions of all slices, in order."""
        for found in in_order(lambda slab: self.slices(*slab), self.cells.slabs(), threads):
            yield from found


def graph_of(splits, nearest, settings, threads):
    """(the RegionGraph of all slices, the largest number that was drawn). nearest: (Z,) the labelled slice of each.

    Beside the slab that is read, three slices are held.
    """
    builder, held, largest = GraphBuilder(settings["window"]), (None, None), 0
    for z, regions in enumerate(splits.stream(threads)):
        if held[0] != nearest[z]:
            held = nearest[z], splits.slices(nearest[z], nearest[z] + 1)[0]
        drawn = splits.drawn(z) if nearest[z] == z else None
        largest = max(largest, int(drawn.value.max(initial=0)) if drawn else 0)
        builder.add(regions, held[1], drawn if settings["labelled_islands"] else None)
    return builder.graph(), largest


def labelled_slices(table, n_slices, path):
    """(Z,) the labelled slice of each slice, from the table that was written with the split."""
    nearest = np.full(n_slices, -1)
    z = table["z"].to_numpy(int)
    if len(z) and z.min() >= 0 and z.max() < n_slices:
        nearest[z] = table["labelled_z"]
    if nearest.min() < 0 or nearest.max() >= n_slices or (nearest[nearest] != nearest).any():
        raise ValueError(
            f"{path}: expected a labelled slice for each of {n_slices} slices, found {len(table)} rows. Delete it; the next run "
            "makes it again."
        )
    return nearest


def object_runs(regions, values, z):
    """The runs of a slice as `objects.Runs`."""
    width = regions.runs.shape[1]
    row = regions.runs.start // width
    start = regions.runs.start - row * width
    return objects.Runs(values.astype(np.int64), np.full(len(row), z), row, start, start + regions.runs.length)


def write_labels(path, splits, graph, tracked, record, attributes, threads):
    """Write the volume of numbers; returns the table of its objects."""
    cells = splits.cells
    table = objects.ObjectTable(cells.shape, cells.voxel_size_nm, cells.origin_nm)
    instance = tracked.instance.astype(np.uint32)
    facts = {**attributes, "n_objects": len(np.unique(instance)), "first_orphan": tracked.first_orphan}
    with io.new_volume(
        path, cells.shape, np.uint32, cells.voxel_size_nm, cells.origin_nm, record, attributes=facts
    ) as store:
        slabs = store.slabs()
        for (start, _), found in zip(slabs, in_order(lambda slab: splits.slices(*slab), slabs, threads)):
            values = []
            for z, regions in enumerate(found, start):
                values.append(instance[graph.offsets[z] : graph.offsets[z + 1]][regions.region])
                table.add_runs(object_runs(regions, values[-1], z))
            for rows in bands(cells.shape[1], store.band_height):
                band = [painted(regions.runs, value, rows) for regions, value in zip(found, values)]
                store.write(start, np.stack(band), rows[0])
    return table.table(tracked.first_orphan)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("cells", "cells of split slices (OME-Zarr, uint32)")
    arguments.input("islands", "islands of the slices (OME-Zarr, 0 or 1)")
    arguments.input("ids", "numbers of cells that were drawn in some slices (OME-Zarr)")
    arguments.input("split", "table of the split slices (csv)")
    arguments.parameter(
        "settings",
        "JSON record: min_iou, match, vote, window, merge_tracks, bidirectional, labelled_islands, protrusion_px",
        json_argument,
        required=True,
    )
    arguments.parameter("class_name", "the class that the cells are of", required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "numbers of the cells (OME-Zarr)")
    arguments.output("objects", "table of the cells (csv)")
    arguments.output("tracks", "table of the tracks of islands (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    volumes = [io.open_volume(path) for path in (args.cells, args.islands, args.ids)]
    splits = Splits(*volumes, args.settings["protrusion_px"])
    nearest = labelled_slices(io.read_table(args.split), splits.cells.shape[0], args.split)
    graph, largest_drawn = graph_of(splits, nearest, args.settings, args.threads)
    tracked = tracking.track(graph, nearest, args.settings, largest_drawn)
    attributes = {"kind": "instance", "class": args.class_name, "labelled_slices": np.unique(nearest).tolist()}
    found = write_labels(args.output, splits, graph, tracked, args.record, attributes, args.threads)
    io.write_table(args.objects, found, args.record)
    io.write_table(args.tracks, tracked.tracks, args.record)
    lost = tracked.tracks[tracked.tracks["orphan"] == 1]
    print(
        f"track_cells: {(found['orphan'] == 0).sum()} cells; {len(lost)} of {len(tracked.tracks)} tracks of islands reach no cell: "
        f"{lost['voxels'].sum()} of {tracked.tracks['voxels'].sum()} voxels"
    )


if __name__ == "__main__":
    run(main)
