"""What workflow/datasets.yaml says about public data sets: which paths of a configuration a download can make."""

import fnmatch
from functools import cache
from pathlib import Path

import yaml

import headers

RECORDS = Path(__file__).resolve().parent.parent / "datasets.yaml"


@cache
def dataset_files():
    """{data set: {path of a file in its folder: shape}}, series of slices one by one."""
    found = {}
    for record in yaml.safe_load(RECORDS.read_text(encoding="utf-8"))["datasets"]:
        files = [(f["path"].format(i=i), f["shape"]) for f in record["files"] for i in range(f.get("count", 1))]
        found[record["name"]] = dict(files)
    return found


def listed_files(path, data_root):
    """{path: shape} of the data set's files that `path` (a file, folder or glob below {data_root}/NAME/) stands for.

    Slices come in their order; empty for any other path. A shape is (z, y, x) or None.
    """
    root = Path(data_root)
    if not isinstance(path, str) or not Path(path).is_relative_to(root):
        return {}
    name, *parts = Path(path).relative_to(root).parts or ("",)
    files = dataset_files().get(name, {})
    wanted = "/".join(parts)
    chosen = [f for f in files if f == wanted or Path(f).parent.as_posix() == wanted]
    chosen = chosen or [f for f in files if fnmatch.fnmatchcase(f, wanted) and f.count("/") == wanted.count("/")]
    return {str(root / name / f): files[f] for f in sorted(chosen, key=headers.natural_key)}


def expanded(path, data_root):
    """`path`, or the list of files that a download will put where a folder or glob finds nothing yet."""
    if not isinstance(path, str) or Path(path).exists() or any(f.exists() for f in headers.input_files(path)):
        return path
    files = list(listed_files(path, data_root))
    return files if files and files != [path] else path


def is_downloadable(path, data_root):
    """Whether files of `path` are missing and a download makes all that are missing."""
    missing = [str(f) for f in headers.input_files(path) if not f.exists()]
    return bool(missing) and all(f in listed_files(f, data_root) for f in missing)


def stack_shape(path, axes, data_root):
    """(Z, Y, X) of a stack that a download will make; None where the list doesn't tell it."""
    files = [str(f) for f in headers.input_files(path)]
    shapes = [listed_files(f, data_root).get(f) for f in files]
    if axes != "zyx" or any(shape is None for shape in shapes):
        return None
    return (len(files), *shapes[0][1:]) if len(files) > 1 else tuple(shapes[0])


def to_download(config):
    """(data sets, their missing files) that volumes, labels or weight maps of a resolved configuration lie in."""
    root, names = Path(config["data_root"]), []
    for record in config["volumes"] + config["labels"] + config["weight_maps"]:
        path = record.get("path")
        if path and is_downloadable(path, str(root)):
            first = next(f for f in headers.input_files(path) if not f.exists())
            names.append(first.relative_to(root).parts[0])
    names = list(dict.fromkeys(names))
    files = [str(root / name / f) for name in names for f in dataset_files()[name]]
    return names, [f for f in files if not Path(f).exists()]
