"""Put an EM volume, its class map and all numbered objects into one OME-Zarr 0.5 store, for napari, Neuroglancer and their like.

The classes and each kind of objects are labels of the image. No voxel is copied: the files of the volumes get a second name in the
store (a hard link, or a copy where the file system has none) once their hashes are found right.
"""

import json
from pathlib import Path

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.classes import Classes
from densecell.panoptic import CLASSES, class_labels, group_text, label_attributes, labels_group
from progress import Progress

METADATA = "zarr.json"


def check_grid(volume, image):
    """Raise ValueError unless a volume lies where the image does."""
    found, expected = ((v.shape, v.voxel_size_nm, v.origin_nm) for v in (volume, image))
    if found != expected:
        raise ValueError(
            f"{volume.path}: expected the size, voxel size and place of {image.path}, {expected}, found {found}. Delete it; the next "
            "run makes it again."
        )


def link_voxels(store, target, content):
    """Give all files of a store but its metadata a second name in the folder `target`; their hashes are in `content`."""
    for name, expected in content.items():
        if name != METADATA:
            if files.hash_file(store / name) != expected:
                raise ValueError(
                    f"{store / name}: damaged, its sidecar has another hash. Delete {store}; the next run makes it."
                )
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            files.link(store / name, target / name)


def add(path, partial, place, metadata_of):
    """Put a store at `place` of the folder `partial`, with what `metadata_of` makes of its attributes: {file: hash}."""
    store, target = Path(path), partial / place
    content = files.without_aside(files.read_sidecar(store)["content"])
    target.mkdir(parents=True, exist_ok=True)
    link_voxels(store, target, content)
    attributes = json.loads((store / METADATA).read_text())["attributes"]
    (target / METADATA).write_text(metadata_of(attributes))
    own = {name: value for name, value in content.items() if name != METADATA} | {
        METADATA: files.hash_file(target / METADATA)
    }
    return {(Path(place) / name).as_posix(): value for name, value in own.items()}


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "EM volume (OME-Zarr)")
    arguments.input("labels", "class map (OME-Zarr, uint8)")
    arguments.input("instances", "numbers of objects (OME-Zarr, uint32), of each kind", several=True, required=False)
    arguments.parameter("names", "JSON list of their names, in the same order", json_argument, [])
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("colors", "JSON record of class: color", json_argument, {})
    arguments.output("output", "the store (OME-Zarr)")
    args = arguments.parse(argv)

    image = io.open_volume(args.image)
    named = {CLASSES: args.labels, **dict(zip(args.names, args.instances, strict=True))}
    for path in named.values():
        check_grid(io.open_volume(path), image)
    properties, colors = class_labels(Classes.from_records(args.classes).names, args.colors)
    progress = Progress(1 + len(named), "volumes")
    with files.writing(args.output, folder=True) as partial:
        content = add(args.image, partial, ".", group_text)
        progress.step()
        for name, path in named.items():
            more = (properties, colors) if name == CLASSES else ()
            content |= add(
                path, partial, f"labels/{name}", lambda found, more=more: group_text(label_attributes(found, *more))
            )
            progress.step()
        (partial / "labels" / METADATA).write_text(labels_group(named))
        content[f"labels/{METADATA}"] = files.hash_file(partial / "labels" / METADATA)
    files.write_sidecar(args.output, dict(sorted(content.items())), args.record)


if __name__ == "__main__":
    run(main)
