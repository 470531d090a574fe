"""Join the probabilities of several ensembles, each of its own targets, into one class map of a whole volume.

Slabs are read, composed and written one after another, so that memory doesn't grow with the depth. A target passes where its 8-bit
probability reaches the threshold; where several pass, they are painted in order, classes that lie in another after it (docs/outputs.md).
Begun again, it starts over.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import Classes
from densecell.composition import compose, make_composition
from densecell.parallel import in_order


def open_probabilities(paths, targets):
    """The volumes of the targets. Raises ValueError unless there is one of each, of 8 bit and of one size and place."""
    if len(paths) != len(targets):
        raise ValueError(f"--targets: expected a name for each of {len(paths)} volumes, found {len(targets)}.")
    repeated = sorted({name for name in targets if targets.count(name) > 1})
    if repeated:
        raise ValueError(
            f"--targets: expected each target once, found {', '.join(repeated)} twice. Correct compositions.ensembles: two of them "
            "predict the same."
        )
    volumes = [io.open_volume(path) for path in paths]
    first = volumes[0]
    for volume in volumes:
        found, expected = ((v.shape, str(v.dtype), v.origin_nm, v.voxel_size_nm) for v in (volume, first))
        if volume.dtype != np.uint8 or found != expected:
            raise ValueError(
                f"{volume.path}: expected 8-bit probabilities of the size, place and voxel size of {first.path}, {expected}, found "
                f"{found}. Delete it; the next run makes it again."
            )
    return volumes


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("probabilities", "8-bit probabilities of each target (OME-Zarr)", several=True)
    arguments.parameter("targets", "JSON list of their names, in the same order", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("compose", "JSON record of order, nested, ties, outside", json_argument, {})
    arguments.parameter("threshold", "of the probability; a target passes at it", float, 0.5)
    arguments.output("output", "class map (OME-Zarr)")
    arguments.setting("threads", "CPU threads", int, 1)
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    classes = Classes.from_records(args.classes)
    composition = make_composition(args.targets, classes, args.compose, args.threshold)
    volumes = open_probabilities(args.probabilities, args.targets)
    facts = {"targets": args.targets, "threshold": args.threshold, "compose": composition.record(classes)}
    first = volumes[0]
    with io.new_volume(
        args.output,
        first.shape,
        np.uint8,
        first.voxel_size_nm,
        first.origin_nm,
        args.record,
        attributes={"decision": facts},
    ) as store:
        slabs = store.slabs()
        composed = in_order(
            lambda slab: compose(np.stack([v[slab[0] : slab[1]] for v in volumes]), composition), slabs, args.threads
        )
        for (start, _), slab in zip(slabs, composed):
            store.write(start, slab)


if __name__ == "__main__":
    run(main)
