"""Whole or not at all: every file densecell writes goes through here and gets a sidecar that says how it was made.

A sidecar ``<name>.json`` holds the content hash of ``<name>`` (one per file for a store), the parameters, the hash of
the code, the content hashes of the parents, and a seal, the hash of all this. It holds no time, host or path of the machine, so equal runs give equal
sidecars. What does hold them is the run record ``<name>.run.json`` (run_record.py), which no hash takes in.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

RUN_RECORD = ".run.json"
LEFT_BY_OTHERS = ("Thumbs.db", "desktop.ini")  # file managers leave these, and files whose names begin with a dot
WRITTEN = []  # what this process wrote with a sidecar: it gets run records


def sidecar_path(path):
    """``<name>.json`` beside ``<name>``."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def run_record_path(path):
    """``<name>.run.json`` beside ``<name>``."""
    path = Path(path)
    return path.with_name(path.name + RUN_RECORD)


def hash_file(path):
    """SHA-256 of a file's bytes, in hexadecimal. ValueError for a pipe, which would be waited for, a device or a folder."""
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path}: expected a regular file, found a folder, pipe or device.")
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_store(path):
    """Relative path -> SHA-256 of each file below the folder `path`, sorted; run records, which hold times, are left out."""
    path = Path(path)
    # Snakemake leaves a file of its own in each folder it is told of
    files = sorted(p for p in path.rglob("*") if not _is_of_the_run(p.name) and p.is_file())
    return {p.relative_to(path).as_posix(): hash_file(p) for p in files}


def one_hash(content):
    """One hash of what a sidecar calls ``content``: that of a file, or of the names and hashes of a store's files."""
    return content if isinstance(content, str) else hash_text(json.dumps(content, sort_keys=True))


def content_id(path):
    """One hash for what densecell wrote, from its sidecar: a file, a store, or a folder of these.

    Raises ValueError if it is missing, or if it has no sidecar, without which no reader could tell damage.
    """
    path = Path(path)
    _check_exists(path)
    if path.is_dir() and not sidecar_path(path).exists() and not (path / "zarr.json").exists():
        names = {p.name for p in path.iterdir()}
        own = sorted(n for n in names if n.removesuffix(".json") not in names - {n} and not is_aside(n))
        return hash_text(json.dumps({name: content_id(path / name) for name in own}))
    return one_hash(read_sidecar(path)["content"])


def foreign_content_id(path):
    """One hash for the bytes of a file or folder that the user gave; `content_id` of what densecell wrote.

    Raises ValueError if it is missing or neither file nor folder, or if densecell wrote it and it was changed since.
    """
    path = Path(path)
    _check_exists(path)
    if not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path}: expected a file or a folder, found a pipe or a device. Save the data as a file.")
    content = hash_store(path) if path.is_dir() else hash_file(path)
    with contextlib.suppress(ValueError):  # none, or a JSON file that something else wrote
        expected = read_sidecar(path)["content"]
        content = expected if without_aside(content) == without_aside(expected) else None
    if content is None:
        raise ValueError(_damaged(path))
    return one_hash(content)


def _check_exists(path):
    if not path.exists():
        raise ValueError(
            f"{path}: no such file. Check the path in the configuration, and that the step that writes it has run."
        )


def _is_of_the_run(name):
    """Whether a file tells of the run or is Snakemake's own."""
    return name.endswith((".snakemake_timestamp", RUN_RECORD))


def is_aside(name):
    """Whether a path, in a folder that densecell wrote, is no result: run records, and what systems and file managers leave.

    Such are .DS_Store and ._x (macOS), .nfs0001 (a network's file system) and Thumbs.db (Windows). In a store of the user,
    names with a dot are content: .zarray.
    """
    parts = Path(name).parts
    return _is_of_the_run(name) or any(part.startswith(".") or part in LEFT_BY_OTHERS for part in parts)


def without_aside(content):
    """What a sidecar calls ``content`` without what is aside."""
    return content if isinstance(content, str) else {n: h for n, h in content.items() if not is_aside(n)}


def hash_text(text):
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_sidecar(path):
    """The sidecar of `path`, without its seal. Raises ValueError when it is missing, unreadable or changed."""
    try:
        return read_sealed(sidecar_path(path), "content")
    except ValueError as error:
        raise ValueError(
            f"{path}: its sidecar {sidecar_path(path).name} is missing or unreadable, so that damage could not be told. "
            "Delete both; the next run makes them again."
        ) from error


def read_sealed(path, *keys):
    """What `write_sealed` wrote, without the seal. Raises ValueError unless it is whole and has these keys."""
    try:
        record = json.loads(Path(path).read_text())
        seal = record.pop("seal")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: missing or unreadable ({error}).") from error
    if seal != _seal(record) or set(keys) - set(record):
        raise ValueError(f"{path}: damaged or changed, its seal does not fit.")
    return record


def write_sealed(path, record):
    """Write a small JSON record with its own hash as ``seal``, at once."""
    record = json.loads(json.dumps(record))
    replace_text(path, json.dumps({**record, "seal": _seal(record)}, indent=1, sort_keys=True) + "\n")


def _seal(record):
    return hash_text(json.dumps(record, sort_keys=True))


def _has_sidecar(path):
    """Whether a sidecar lies beside `path`, damaged or not; a JSON file that something else wrote there is none."""
    try:
        return "seal" in json.loads(sidecar_path(path).read_text())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, RecursionError):
        return True


def _damaged(path):
    return (
        f"{path}: its content differs from what densecell wrote (hash in {sidecar_path(path).name}). "
        "Delete the file and its sidecar; the next run makes them again."
    )


def check_content(path):
    """Raise ValueError if the file `path` is not what densecell wrote there (no sidecar: nothing to compare with)."""
    if _has_sidecar(path) and read_sidecar(path)["content"] != hash_file(path):
        raise ValueError(_damaged(path))


def move_stale_aside(partial):
    """A partial file or folder of a killed job becomes ``<name>.stale``, which this returns; it is never continued."""
    partial = Path(partial)
    stale = partial.with_suffix(".stale")
    if partial.exists():
        remove(stale)
        os.replace(partial, stale)
    return stale


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
    try:
        temporary.write_text(text)
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    sync(Path(path).parent)


def write_sidecar(path, content, record):
    """Write the sidecar of `path`: its content hash (a text, or one per file of a store), the record and the seal."""
    write_sealed(sidecar_path(path), {"content": content, **record})
    WRITTEN.append(Path(path))


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


def tell_full_disk(path, error):
    """Raise an error in words if `error` says that the disk, or the user's part of it, is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = f"the disk is full: {path} could not be written. Free some space or set results_dir to a larger disk"
        raise OSError(error.errno, text) from error


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
    stale = move_stale_aside(partial)
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
    except BaseException as error:  # SIGTERM and Ctrl-C too
        remove(partial)
        tell_full_disk(path, error)
        raise
    if _has_sidecar(path):
        remove(sidecar_path(path))
    remove(run_record_path(path))
    if folder:
        remove(path)
    os.replace(partial, path)
    if record is not None:
        try:
            write_sidecar(path, content, record)
        except OSError as error:  # not even room for this
            remove(path)
            tell_full_disk(path, error)
            raise
    sync(path.parent)
    remove(stale)


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
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a JSON file ({error}).") from error
