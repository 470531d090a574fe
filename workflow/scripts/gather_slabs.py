"""Join the slabs of a predicted volume: the stores of each slab's folder become whole stores in one folder.

Each slab's store has the shape of the whole volume and holds the shards of its own slices. Their files get a second name
in the output (a hard link, or a copy where the file system has none), once their hashes are found right; no voxel is
unpacked. Stores and sidecars are those that a single slab would have given, whatever the number of slabs.
"""

import contextlib
import json
from pathlib import Path

from command_line import Arguments, run, tell
from densecell import files, io

METADATA = ("zarr.json", "0/zarr.json")
METADATA_HINT = (
    "its metadata (made on unlike machines? Then give prediction.memory_gb and prediction.precision numbers and names "
    "in place of auto)"
)


def store_names(folder):
    """Paths of the stores below a slab's folder, relative to it: labels.ome.zarr, members/NAME.ome.zarr, ..."""
    names = sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*.ome.zarr"))
    if not names:
        raise ValueError(f"{folder}: expected the volumes of a slab, found none. Delete the folder and run again.")
    return names


def check_equal(name, folders, values, what):
    """Raise ValueError unless all slabs of a store have the same `values`."""
    for folder, value in zip(folders, values):
        if value != values[0]:
            raise ValueError(
                f"{Path(folder) / name}: {what} differs from {folders[0]}. Delete all slabs of this volume and run again."
            )


def check_complete(name, folders, slices, n_slices):
    """Raise ValueError unless the slabs' ranges of slices cover 0 to n_slices once."""
    end = 0
    for (first, last), folder in sorted(zip(slices, folders)):
        if first != end:
            what = f"the slices {end} to {first} are in no slab" if first > end else f"slice {first} is in two slabs"
            raise ValueError(f"{Path(folder) / name}: {what}. Give all slabs of one volume, each once.")
        end = last
    if end != n_slices:
        raise ValueError(f"{name}: the slices {end} to {n_slices} are in no slab. Give all slabs of one volume.")


def check_shards(store, content, slices, slab_depth):
    """Raise ValueError if a slab's store holds a shard beyond its own slices."""
    for file in set(content) - set(METADATA):
        first = int(file.split("/")[2]) * slab_depth  # 0/c/<z>/<y>/<x>
        if not slices[0] <= first < slices[1]:
            raise ValueError(f"{store}: {file} lies outside its slices {slices}. Delete the slab and run again.")


def join(name, folders, target):
    """Link the slabs of the store `name` into the folder `target`, with the sidecar of a whole store."""
    sidecars = [files.read_sidecar(Path(folder) / name) for folder in folders]
    if any("slices" not in sidecar for sidecar in sidecars):
        raise ValueError(f"{name}: a sidecar tells no slices; expected slabs from predict_volume.py --slab.")
    contents, slices = ([sidecar.pop(key) for sidecar in sidecars] for key in ("content", "slices"))
    volume = io.open_volume(Path(folders[0]) / name)
    check_equal(name, folders, sidecars, "how it was made (params, code or parents in its sidecar)")
    check_equal(name, folders, [[content.get(file) for file in METADATA] for content in contents], METADATA_HINT)
    check_complete(name, folders, slices, volume.shape[0])
    whole = {file: contents[0][file] for file in METADATA}
    for folder, content, part in zip(folders, contents, slices):
        check_shards(Path(folder) / name, content, part, volume.slab_depth)
        for file, expected in content.items():
            check_hash(Path(folder) / name / file, expected)
            if folder == folders[0] or file not in METADATA:
                (target / name / file).parent.mkdir(parents=True, exist_ok=True)
                files.link(Path(folder) / name / file, target / name / file)
        whole |= content
    files.write_sidecar(target / name, whole, sidecars[0])


def slab_runs(folders, name):
    """What the run records of a store's slabs tell of their jobs, without the sidecars; slabs that have none are left out."""
    runs = []
    for path in (files.run_record_path(Path(folder) / name) for folder in folders):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no result depends on it
            runs.append({key: value for key, value in json.loads(path.read_text()).items() if key != "record"})
    return runs


def check_hash(source, expected):
    """Raise ValueError unless the file `source` of a slab is there and has the hash `expected`."""
    if not source.exists() or files.hash_file(source) != expected:
        raise ValueError(
            f"{source}: missing or damaged, its sidecar has its hash. Delete the slab's folder and run again."
        )


def main(argv=None):
    arguments = Arguments(__doc__)
    # not an input: the hash of one would be taken of all its bytes
    arguments.parser.add_argument("--slabs", nargs="+", required=True, help="folders of all slabs of one volume")
    arguments.output("output", "folder for the whole stores")
    args = arguments.parse(argv)

    names = [store_names(folder) for folder in args.slabs]
    for folder, found in zip(args.slabs, names):
        if found != names[0]:
            raise ValueError(f"{folder}: holds {', '.join(found)}, {args.slabs[0]} holds {', '.join(names[0])}.")
    with files.writing(args.output, folder=True) as partial:
        for name in names[0]:
            join(name, args.slabs, partial)
    tell(parts=slab_runs(args.slabs, names[0][0]))  # one job wrote all stores of a slab


if __name__ == "__main__":
    run(main)
