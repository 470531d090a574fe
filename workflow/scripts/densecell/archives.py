"""Take listed files out of a ZIP or TAR archive from a stranger, and nothing else.

The whole table of contents is judged before a byte is unpacked: names that leave the folder, links, devices, more files
or more bytes than allowed refuse the archive. While unpacking, every byte counts, whatever the table says.
"""

import bz2
import contextlib
import errno
import fnmatch
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

LARGEST_FILE_COUNT = 20_000
BLOCK = 1 << 20
LARGEST_HEADER_BYTES = 1 << 24  # of a TAR's records of long names; the reader takes each into memory at once
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
MAGIC = {"zip": (b"PK\x03\x04",), "tar": (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"ustar")}


class ArchiveError(ValueError):
    """The archive is not what it should be; nothing was unpacked from it."""


class Member(NamedTuple):
    """A regular file in an archive: its name, how many bytes it declares, and the reader's own record of it."""

    name: str
    n_bytes: int
    entry: object


def looks_like(head, kind):
    """Whether the first bytes of a file (at least 262 for a plain TAR) are those of an archive of `kind`."""
    return head.startswith(MAGIC[kind]) or (kind == "tar" and head[257:262] == b"ustar")


def content_in_words(head):
    """What the first bytes of something that is no archive seem to be."""
    text = head[:512].lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page (a login, a quota or an error of the server)"
    return f"something that begins with {head[:8]!r}" if head else "nothing at all"


def unpack(path, kind, wanted, folder, most_bytes, most_files=LARGEST_FILE_COUNT):
    """Unpack files of the archive `path` below `folder`.

    kind: zip or tar (plain, or compressed with gzip, bzip2 or xz). wanted: {path below folder: name in the archive}, where
    a name that begins with **/ is found in any folder of the archive. most_bytes, most_files: what the archive may hold.
    Raises ArchiveError for a broken or hostile archive and for files that it does not hold; `folder` then holds rubbish
    that the caller removes.
    """
    try:
        if kind == "zip":
            with zipfile.ZipFile(path) as archive:
                members = _zip_members(archive)
                _unpack(path, members, wanted, Path(folder), most_bytes, most_files, archive.open)
        elif kind == "tar":
            with _tar_stream(path) as stream, tarfile.open(fileobj=stream) as archive:
                members = _tar_members(archive, path, most_bytes, most_files)
                _unpack(path, members, wanted, Path(folder), most_bytes, most_files, archive.extractfile)
        else:
            raise ArchiveError(f"{path}: no reader for archives of kind {kind!r}; known: tar, zip.")
    except (
        Exception
    ) as error:  # the readers raise everything on damaged bytes, also OSError without a number or of a seek
        if isinstance(error, ArchiveError) or (isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)):
            raise
        raise ArchiveError(f"{path}: not a whole {kind} archive ({str(error)[:300]}).") from error


def _unpack(path, members, wanted, folder, most_bytes, most_files, open_entry):
    _check_limits(path, members, most_bytes, most_files)
    places = {target: _find(path, name, members) for target, name in wanted.items()}
    for target, member in places.items():
        output = folder / _safe_name(target, path)
        output.parent.mkdir(parents=True, exist_ok=True)
        with open_entry(member.entry) as source, output.open("wb") as sink:
            _copy(source, sink, member, path)


def _copy(source, sink, member, path):
    left = member.n_bytes
    while block := source.read(BLOCK):
        left -= len(block)
        if left < 0:
            raise ArchiveError(f"{path}: {member.name} unpacks to more than the {member.n_bytes:,} bytes it declares.")
        sink.write(block)
    if left:
        raise ArchiveError(f"{path}: {member.name} ends {left:,} bytes early.")


def _check_limits(path, members, most_bytes, most_files):
    if len(members) > most_files:
        raise ArchiveError(f"{path}: expected at most {most_files:,} files, found {len(members):,}.")
    total = sum(member.n_bytes for member in members)
    if total > most_bytes:
        raise ArchiveError(
            f"{path}: expected at most {most_bytes:,} bytes unpacked, the archive declares {total:,}: not the data set that "
            "it should be."
        )


def _zip_members(archive):
    members = []
    for info in archive.infolist():
        if info.compress_type not in ZIP_METHODS:
            raise ArchiveError(
                f"{archive.filename}: packed with method {info.compress_type}, expected deflate or bzip2."
            )
        name, kind = _safe_name(info.filename, archive.filename), stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{archive.filename}: {name} is a link or a device, which no data set needs.")
        if not info.is_dir():
            members.append(Member(name, info.file_size, info))
    return members


class _SmallReads:
    """An unpacked stream of which nobody takes more than LARGEST_HEADER_BYTES at once."""

    def __init__(self, stream, path):
        self.stream, self.name = stream, str(path)
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, n_bytes=-1):
        if not 0 <= n_bytes <= LARGEST_HEADER_BYTES:
            raise ArchiveError(
                f"{self.name}: a header of {n_bytes:,} bytes, expected at most {LARGEST_HEADER_BYTES:,}."
            )
        return self.stream.read(n_bytes)


def _tar_stream(path):
    """The unpacked bytes of a TAR archive, to be closed."""
    with open(path, "rb") as file:
        head = file.read(6)
    packers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    opened = next((f for magic, f in packers.items() if head.startswith(magic)), open)
    return contextlib.closing(_SmallReads(opened(path, "rb"), path))


def _tar_members(archive, path, most_bytes, most_files):
    members, total = [], 0
    for count, info in enumerate(archive, 1):
        name = _safe_name(info.name, path)
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise ArchiveError(f"{path}: {name} is a link or a device, which no data set needs.")
        if count > most_files:
            raise ArchiveError(f"{path}: expected at most {most_files:,} files, found {count:,} and more.")
        if info.isreg():
            members.append(Member(name, info.size, info))
            total += info.size
        if total > most_bytes:
            break  # a TAR has no table of contents: reading on would unpack what is then refused
    return members


def _safe_name(name, path):
    """`name` if it stays in the folder it is unpacked to; ArchiveError otherwise."""
    parts = PurePosixPath(name).parts
    if (
        not name
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or "\0" in name
        or re.match(r"^[A-Za-z]:", name)
    ):
        raise ArchiveError(
            f"{path}: expected names inside the archive's folder, found {name!r}. Do not unpack it by hand."
        )
    return name


def _find(path, name, members):
    if name.startswith("**/"):
        pattern = name.removeprefix("**/")
        found = [m for m in members if fnmatch.fnmatchcase(PurePosixPath(m.name).name, pattern)]
        found = [m for m in found if not m.name.startswith("__MACOSX/")]
    else:
        found = [m for m in members if m.name == name]
    if len(found) != 1:
        have = ", ".join(m.name for m in members[:5]) or "nothing"
        what = f"{len(found)} of that name" if found else f"{len(members)} files, such as {have}"
        raise ArchiveError(f"{path}: expected one file {name}, found {what}.")
    return found[0]
