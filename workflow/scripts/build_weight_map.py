"""Build the error-weight map of a train region: floor + class balance + edges (float32, 0 where unlabelled).

The class balance counts the labelled voxels of all train regions. Source: Guay et al. 2021 (doi
10.1038/s41598-021-81590-0), Methods.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import Classes
from densecell.parallel import in_order
from densecell.weight_maps import class_balance_weights, weight_slice
from progress import Progress


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "labels of the region (OME-Zarr)")
    arguments.input("all_labels", "labels of all train regions (OME-Zarr)", several=True)
    arguments.parameter("settings", "JSON record of a weight map", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "weights (OME-Zarr)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    labels, groups, settings = io.open_volume(args.labels), Classes.from_records(args.classes).group_ids, args.settings
    counts = np.sum([io.open_volume(path).attributes["class_counts"] for path in args.all_labels], axis=0)
    balance = class_balance_weights(counts, settings["class_weight_power"])
    options = {
        "sigma_px": settings["edge_sigma_px"],
        "amplitude": settings["edge_amplitude"],
        "threshold": settings["edge_threshold"],
        "edge_scale": settings["edge_scale"],
        "floor": settings["floor"],
    }

    def weigh(slab):
        return slab[0], np.stack([weight_slice(plane, balance, groups, **options) for plane in labels[slice(*slab)]])

    progress = Progress(labels.shape[0], "slices")
    with io.new_volume(
        args.output, labels.shape, np.float32, labels.voxel_size_nm, labels.origin_nm, args.record
    ) as store:
        for start, weights in in_order(weigh, store.slabs(), args.threads):
            store.write(start, weights)
            progress.step(len(weights))


if __name__ == "__main__":
    run(main)
