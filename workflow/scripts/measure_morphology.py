"""Measure the size and shape of each object of a volume, and how near it lies to the membrane of what contains it.

Writes the columns of --keys (volume, objects, class), then instance, measure, value, unit, flag. An object is read by itself, so
memory is that of one object for each thread; one with a box above max_voxels is reduced for its shape (flag). With --parents,
--containers and --container-table there are rows of proximity, center_distance_um and membrane_distance_um for objects
that lie in one. Machireddy et al. 2023, doi 10.3389/fbinf.2023.1308708; docs/method.md, Shape of objects.
"""

from functools import partial

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.block_cache import BlockCache, reading_order
from densecell.morphology import MEASURES, measure_object
from densecell.object_masks import read_object
from densecell.parallel import in_order
from densecell.proximity import MEASURES as PROXIMITY
from densecell.proximity import Membrane, measure_proximity

UNITS = MEASURES | PROXIMITY
OBJECTS_AT_ONCE = 1000  # whose rows are in memory as a table


def center_of(row):
    """The mean position of an object's voxels, (z, y, x) in nm."""
    return row.z_nm, row.y_nm, row.x_nm


def proximities(parents, objects, containers, volume, max_voxels, threads=1):
    """{instance: ({measure: value}, flags)} of objects that lie in a container; NaN in one that vanishes when it is reduced.

    parents: table of instance and parent, 0 for none; objects, containers: their tables; volume: of the containers. One container
    is held for each thread.
    """
    rows, held = ({row.instance: row for row in table.itertuples()} for table in (objects, containers))
    groups = parents[parents["parent"] != 0].groupby("parent")["instance"].apply(list)

    def of_container(item):
        container, instances = held[item[0]], item[1]
        mask = read_object(volume, container, max_voxels)
        cut = {"container_touches_border"} if container.touches_border else set()
        cut |= {"container_reduced"} if mask.is_reduced else set()
        if not mask.mask.any():
            return {i: (dict.fromkeys(PROXIMITY, np.nan), cut) for i in instances}
        membrane, middle = Membrane(mask), center_of(container)
        found = {i: measure_proximity(membrane, middle, center_of(rows[i])) for i in instances}
        return {i: (measures, flags | cut) for i, (measures, flags) in found.items()}

    return {i: found for part in in_order(of_container, groups.items(), threads) for i, found in part.items()}


def measure_all(objects, measure, threads):
    """((n_objects, n_measures) float64, [flags of each]) in the order of the table, measured in one that shares reading."""
    values, flags = np.full((len(objects), len(MEASURES)), np.nan), [set()] * len(objects)
    rows, order = list(objects.itertuples()), reading_order(objects)
    for place, (measures, of_object) in zip(order, in_order(measure, [rows[i] for i in order], threads)):
        values[place], flags[place] = [measures[name] for name in MEASURES], of_object
    return values, flags


def tables(objects, values, flags, near, keys):
    """A table of the rows of each OBJECTS_AT_ONCE objects; of no objects one without rows."""
    instances = objects["instance"].tolist()
    for first in range(0, max(len(instances), 1), OBJECTS_AT_ONCE):
        rows = []
        for place in range(first, min(first + OBJECTS_AT_ONCE, len(instances))):
            instance, of_object = instances[place], " ".join(sorted(flags[place]))
            rows += [(instance, name, values[place, i], UNITS[name], of_object) for i, name in enumerate(MEASURES)]
            if instance in near:
                measures, at_container = near[instance]
                of_both = " ".join(sorted(flags[place] & {"touches_border", "orphan"} | at_container))
                rows += [(instance, name, value, UNITS[name], of_both) for name, value in measures.items()]
        table = pd.DataFrame(rows, columns=["instance", "measure", "value", "unit", "flag"])
        for place, (name, value) in enumerate(keys.items()):
            table.insert(place, name, value)
        yield table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "numbers of the objects (OME-Zarr)")
    arguments.input("objects", "their table (csv)")
    arguments.input("parents", "which container each object lies in (csv)", required=False)
    arguments.input("containers", "numbers of the containers (OME-Zarr)", required=False)
    arguments.input("container_table", "their table (csv)", required=False)
    arguments.parameter("keys", "JSON record of volume, objects, class", json_argument, required=True)
    arguments.parameter("settings", "JSON record: the key morphology", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "measures of each object (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    volume, objects, max_voxels = io.open_volume(args.labels), io.read_table(args.objects), args.settings["max_voxels"]
    read = partial(read_object, BlockCache(volume), max_voxels=max_voxels)
    near = {}
    if args.parents:
        containers, table = io.open_volume(args.containers), io.read_table(args.container_table)
        near = proximities(io.read_table(args.parents), objects, table, containers, max_voxels, args.threads)
    measure = partial(measure_object, read, voxel_size_nm=volume.voxel_size_nm, settings=args.settings)
    values, flags = measure_all(objects, measure, args.threads)
    io.write_table(args.output, tables(objects, values, flags, near, args.keys), args.record)


if __name__ == "__main__":
    run(main)
