"""What the scripts that count classes in objects share: opening volumes of one shape, and the class maps of single networks."""

from pathlib import Path

from densecell import files, io


def open_of_shape(path, other):
    """The volume at `path`. Raises ValueError unless it has the shape of another one."""
    volume = io.open_volume(path)
    if volume.shape != other.shape:
        raise ValueError(
            f"{path}: expected (z, y, x) = {other.shape}, as in {other.path}, found {volume.shape}. Delete the older of the two; "
            "the next run makes it again."
        )
    return volume


def member_maps(folder, record, other):
    """The class maps of the networks of an ensemble, by name, which `record` gets as parents; none without a folder.

    Which networks were kept is known only once the volume is predicted, so that a rule can name no more than the folder.
    """
    if not folder:
        return []
    paths = sorted(Path(folder).glob("*.ome.zarr"))
    if not paths:
        raise ValueError(
            f"{folder}: expected the class map of at least one network, found none. Delete the folder above it; "
            "the next run makes it again."
        )
    record["parents"] |= {str(path): files.content_id(path) for path in paths}
    return [open_of_shape(path, other) for path in paths]
