"""Records of public data sets: which files, how they are verified, and what a person is told about them."""

from pathlib import Path

import pooch

CHECKSUMS = ("sha256", "md5")  # the strongest first


def find_record(records, name):
    """The record called `name` of a list. Raises ValueError naming all of them."""
    for record in records:
        if record["name"] == name:
            return record
    raise ValueError(f"--dataset: expected one of {', '.join(r['name'] for r in records)}, found {name!r}.")


def listed_files(record):
    """The files of a data set one by one: dicts with path, member, shape and md5 (series with a `count` expanded)."""
    files = []
    for file in record["files"]:
        names = ("path", "member")
        for i in range(file.get("count", 1)):
            files.append({**file, **{key: file[key].format(i=i) for key in names}})
    return files


def known_checksum(record):
    """(algorithm, hexadecimal digits) of an archive or file, or None where none is published."""
    return next(((a, record[a].lower()) for a in CHECKSUMS if record.get(a)), None)


def describe(record):
    """What a person should know before the download: text of a few lines."""
    size = f"{record['size_bytes'] / 1e6:,.0f} MB" if record["size_bytes"] else "not stated by the publisher"
    lines = [
        record["title"],
        f"  license:    {record['licence']}",
        f"  cite:       {record['citation']} doi {record['doi']}",
        f"  size:       {size}, {len(listed_files(record))} files",
        f"  voxel size: {' x '.join(f'{v:g}' for v in record['voxel_size_nm'])} nm (z, y, x)",
        f"  classes:    {record['classes']}",
        f"              {record['class_order']}",
        f"  notes:      {record['notes']}",
    ]
    return "\n".join(lines)


def by_hand(record, folder, urls):
    """How to get the data set without this program: one paragraph."""
    checksum = known_checksum(record)
    size = f"{record['size_bytes']:,} bytes, " if record["size_bytes"] else ""
    proof = size + (f"{checksum[0]} {checksum[1]}" if checksum else "no checksum is published")
    return f"By hand: {urls[0]} ({proof}). {record['place_by_hand'].format(folder=folder)}"


def check_archive(path, record):
    """Raise ValueError if an archive has another size or checksum than its record; returns its SHA-256."""
    size = Path(path).stat().st_size
    if record["size_bytes"] and size != record["size_bytes"]:
        raise ValueError(f"expected {record['size_bytes']:,} bytes, found {size:,}")
    checksum = known_checksum(record)
    if checksum:
        found = pooch.file_hash(str(path), alg=checksum[0])
        if found != checksum[1]:
            raise ValueError(f"expected the {checksum[0]} {checksum[1]}, found {found}")
    return pooch.file_hash(str(path), alg="sha256")


def check_file(path, file, shape_of):
    """Raise ValueError, in plain words, if a file is not the one that is listed.

    file: a dict from `listed_files`. shape_of(path): (Z, Y, X) of a stack, or None where no reader knows its format.
    """
    if file["md5"]:
        found = pooch.file_hash(str(path), alg="md5")
        if found != file["md5"]:
            raise ValueError(f"{path}: expected the md5 {file['md5']}, found {found}")
    shape = shape_of(path) if file["shape"] else None
    if shape and list(shape) != list(file["shape"]):
        raise ValueError(f"{path}: expected the shape {file['shape']} (z, y, x), found {list(shape)}")
