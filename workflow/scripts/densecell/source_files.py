"""Which files a raw stack consists of: a file, an OME-Zarr, a folder of slices, or a pattern such as ``slices/*.tif``.

Scripts are handed the words of the configuration and not the files they stand for: the names of a few thousand slices are
longer than a command may be (128 kB on Linux). `workflow/rules/headers.py` finds the same files for the rules.
"""

import glob
import re
from pathlib import Path

SLICE_SUFFIXES = (".png", ".tif", ".tiff")  # what folders and patterns are searched for


def natural_key(path):
    """Sort key that puts slice 2 before slice 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", Path(path).name)]


def _found(paths):
    paths = [p for p in paths if not p.name.startswith(".")]
    slices = [p for p in paths if p.suffix.lower() in SLICE_SUFFIXES]
    return sorted(slices or paths, key=natural_key)


def source_files(words):
    """The files that `words` stand for, as texts: folders and patterns are expanded, slices in natural order.

    A file named outright is given whether or not it exists, and so is an existing one whose name looks like a pattern.
    A pattern finds everything where nothing it finds is an image, so that the error names what is there.
    """
    files = []
    for word in words:
        path = Path(word)
        if path.is_dir() and path.suffix != ".zarr":
            files += [p for p in _found(path.iterdir()) if p.suffix.lower() in SLICE_SUFFIXES]
        elif glob.has_magic(str(word)) and not path.exists():
            files += _found(Path(p) for p in glob.glob(str(word)))
        else:
            files.append(path)
    return [str(file) for file in files]
