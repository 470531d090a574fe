"""Whole or not at all: every file densecell writes goes through here and gets a sidecar that says how it was made.

A sidecar ``<name>.json`` holds the content hash of ``<name>`` (one per file for a store), the parameters, the hash of
the code and the content hashes of the parents. It holds no time, host or path of the machine, so equal runs give equal
sidecars.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path


def sidecar_path(path):
    """``<name>.json`` beside ``<name>``."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def hash_file(path):
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_store(path):
    """Relative path -> SHA-256 of each file below the folder `path`, sorted."""
    path = Path(path)
    # Snakemake leaves a file of its own in each folder it is told of
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")
    return {p.relative_to(path).as_posix(): hash_file(p) for p in files}


def content_id(path):
    """One hash for a file or store: from its sidecar where it has one, else from its bytes. ValueError if missing."""
    path = Path(path)
    if sidecar_path(path).exists():
        content = read_sidecar(path)["content"]
        return content if isinstance(content, str) else hash_text(json.dumps(content, sort_keys=True))
    if path.is_dir():
        return hash_text(json.dumps(hash_store(path), sort_keys=True))
    if not path.exists():
        raise ValueError(
            f"{path}: no such file. Check the path in the configuration, and that the step that writes it has run."
        )
    return hash_file(path)


def hash_text(text):
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_sidecar(path):
    """The sidecar of `path`. Raises ValueError when it is missing or unreadable."""
    try:
        return json.loads(sidecar_path(path).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path}: its sidecar {sidecar_path(path).name} is missing or unreadable; delete both, they are made again."
        ) from error


def check_content(path):
    """Raise ValueError if the file `path` is not what densecell wrote there (no sidecar: nothing to compare with)."""
    if sidecar_path(path).exists() and read_sidecar(path)["content"] != hash_file(path):
        raise ValueError(
            f"{path}: its content differs from what densecell wrote (hash in {sidecar_path(path).name}). "
            "Delete the file and its sidecar; the next run makes them again."
        )


def move_stale_aside(partial):
    """A partial file or folder of a killed job is kept once as ``<name>.stale``, never continued."""
    partial = Path(partial)
    if partial.exists():
        stale = partial.with_suffix(".stale")
        remove(stale)
        os.replace(partial, stale)


def remove(path):
    """Delete a file or folder if it exists."""
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path):
    """Have the file or folder `path` reach the disk, so that a power cut leaves it as it is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path, text):
    """Write a small file at once: `path` holds its former text or all of `text`, even after a power cut."""
    temporary = Path(path).with_name(Path(path).name + ".partial")
    temporary.write_text(text)
    sync(temporary)
    os.replace(temporary, path)
    sync(Path(path).parent)


def write_sidecar(path, content, record):
    """Write the sidecar of `path`: its content hash (a text, or one per file of a store) and the record."""
    replace_text(sidecar_path(path), json.dumps({"content": content, **record}, indent=1, sort_keys=True) + "\n")


def link(source, target):
    """Give the file `source` the second name `target` (a hard link); where the file system can't, copy it."""
    try:
        os.link(source, target)
    except OSError as error:
        if isinstance(error, (FileExistsError, FileNotFoundError)):
            raise
        shutil.copyfile(source, target)


def _link_tree(source, target):
    for file in sorted(p for p in source.rglob("*") if p.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        link(file, place)


def _check_space(path, expected_bytes):
    free = shutil.disk_usage(path.parent).free
    if free < expected_bytes:
        raise OSError(
            errno.ENOSPC,
            f"not enough disk space for {path}: about {expected_bytes / 1e9:.3g} GB needed, {free / 1e9:.3g} GB free. "
            "Free some space or set results_dir to a larger disk",
        )


@contextlib.contextmanager
def writing(path, record=None, folder=False, expected_bytes=0, unfinished=None):
    """Give a partial path to write to; on success it becomes `path` with its sidecar, on failure nothing appears.

    record: what the sidecar holds beside the content hash (``params``, ``code``, ``parents``); None: no sidecar.
    folder: make the partial path a folder. expected_bytes: refuse to start where the disk has less free.
    unfinished: a folder elsewhere to write to, for a job that goes on after a crash. It is continued where it exists
    and kept on failure; on success its files get a second name below `path` (a hard link, or a copy on another file
    system). It is left to the caller to delete it, once all outputs of the job are in place: a crash between two of
    them then costs nothing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    written = Path(unfinished) if unfinished else partial
    if not (unfinished and written.exists()):
        _check_space(path, expected_bytes)
    move_stale_aside(partial)
    if folder:
        written.mkdir(parents=True, exist_ok=True)
    try:
        yield written
        if record is not None:
            content = hash_store(written) if written.is_dir() else hash_file(written)
        if unfinished:
            _link_tree(written, partial)
        for file in [p for p in partial.rglob("*") if p.is_file()] if partial.is_dir() else [partial]:
            sync(file)
    except Exception as error:
        remove(partial)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: {path} could not be written. Free some space or set results_dir to a larger disk",
            ) from error
        raise
    remove(sidecar_path(path))
    if folder:
        remove(path)
    os.replace(partial, path)
    if record is not None:
        write_sidecar(path, content, record)
    sync(path.parent)


def write_text(path, text, record=None):
    """Write `text` to `path`, whole or not at all."""
    with writing(path, record) as partial:
        partial.write_text(text)


def write_json(path, value, record=None):
    """Write `value` as sorted, indented JSON."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n", record)


def read_json(path):
    """Read a JSON file after checking its content against its sidecar. Raises ValueError naming the file."""
    check_content(path)
    try:
        return json.loads(Path(path).read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not a JSON file ({error}).") from error
