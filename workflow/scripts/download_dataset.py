"""Fetch a public data set: download, check, unpack. Files that are there already and match are left alone.

    python workflow/scripts/download_dataset.py --dataset platelet --output data/platelet

The sets are listed in workflow/datasets.yaml and explained in docs/datasets.md. A download that stopped goes on where it
was; the archive is kept in the cache and found there by its checksum. An archive or files put into the folder by hand are
checked and used. Nothing appears in the folder before all of it is verified.
"""

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import yaml

from command_line import Arguments, run
from densecell import archives, datasets, downloads, files, raw_formats
from progress import SECONDS_BETWEEN_LINES, Progress

RECORDS = Path(__file__).resolve().parents[1] / "datasets.yaml"


class Bytes:
    """Shows how far a download is: callable with the bytes done and the total, or None where it is not known."""

    def __init__(self):
        self.done, self.progress, self.printed = None, None, time.monotonic()

    def __call__(self, done, total):
        done, total = done // 1000, total and -(-total // 1000)
        if self.done is None or done < self.done:  # the first block, or all over again
            self.done, self.progress = done, total and Progress(max(total - done, 1), "kB")
        if self.progress:
            self.progress.step(done - self.done)
        elif time.monotonic() - self.printed > SECONDS_BETWEEN_LINES:
            self.printed = time.monotonic()
            say(f"{done / 1000:,.1f} MB; the server does not say of how many")
        self.done = done


def say(text):
    print(f"download_dataset: {text}", flush=True)


def shape_of(path):
    """(Z, Y, X) of a stack from its header, or None for a format without a reader."""
    if Path(path).suffix.lower() not in {*raw_formats.READERS, *raw_formats.SLICE_READERS}:
        return None
    return raw_formats.open_source([path], "zyx").shape[:3]


def missing_files(record, folder):
    """The listed files that are not in `folder`. Raises ValueError for files there that are not the published ones."""
    missing, wrong = [], []
    for file in datasets.listed_files(record):
        path = folder / file["path"]
        if not path.exists():
            missing.append(file)
            continue
        try:
            datasets.check_file(path, file, shape_of)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("\n  ".join([*wrong, "Move such files elsewhere, and run the same command again."]))
    return missing


def cached_path(record, url, cache):
    """Where the archive of `url` is kept: under its checksum, or under a hash of the link where none is published."""
    checksum = datasets.known_checksum(record)
    key = checksum[1] if checksum else f"{record['name']}_{files.hash_text(url)[:16]}"
    return Path(cache) / f"{key}.{record['archive']}"


def check_archive(path, record, advice):
    """The SHA-256 of an archive that is what its record says. Raises ValueError with `advice`."""
    with Path(path).open("rb") as handle:
        head = handle.read(512)
    if not archives.looks_like(head, record["archive"]):
        found = archives.content_in_words(head)
        raise ValueError(f"{path}: expected a {record['archive']} archive, found {found}. {advice}")
    try:
        return datasets.check_archive(path, record)
    except ValueError as error:
        raise ValueError(f"{path}: {error}. {advice}") from error


def fetch(record, url, cache, folder, options):
    """Download the archive into the cache, or find it there; returns (path, SHA-256)."""
    archive = cached_path(record, url, cache)
    again = "It was deleted. Run the same command once more"
    again += (
        "; found the same again, the publisher has changed the file: get it from the authors, or write to densecell."
    )
    if archive.exists():
        try:
            sha256 = check_archive(archive, record, "")
            say(f"taken from the cache: {archive}")
            return archive, sha256
        except ValueError as error:
            say(f"the archive in the cache is damaged and fetched again ({error})")
            archive.unlink()
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".part")
    say(f"downloading {url}")
    downloads.download(url, partial, say=say, progress=Bytes(), **options)
    try:
        sha256 = check_archive(partial, record, f"{again} {datasets.by_hand(record, folder, [url])}")
    except ValueError:
        partial.unlink()
        raise
    os.replace(partial, archive)
    say(f"the archive is kept in the cache, {archive}; you may delete it")
    return archive, sha256


def get_archive(record, folder, args, options):
    """(path, SHA-256, where it came from) of the archive: one put there by hand, or the first link that works."""
    urls = [args.url] if args.url else record["urls"]
    for placed in [Path(args.archive)] if args.archive else [folder / record["archive_name"]]:
        if placed.exists() or args.archive:
            if not placed.is_file():
                raise ValueError(f"{placed}: no such file (--archive).")
            say(f"using {placed}, put there by hand")
            advice = f"Get it again. {datasets.by_hand(record, folder, urls)}"
            return placed, check_archive(placed, record, advice), placed.name
    errors, offline = [], True
    for url in urls:
        try:
            return *fetch(record, url, args.cache or pooch.os_cache("densecell"), folder, options), url
        except downloads.DownloadError as error:
            errors.append(str(error))
            offline = offline and error.is_offline
    host = urlsplit(urls[0]).hostname
    head = f"no connection to {host} ({errors[0]})" if offline else "; ".join(errors)
    raise ValueError(f"{record['name']} could not be fetched: {head}. {datasets.by_hand(record, folder, urls)}")


def unpack(record, archive, missing, folder):
    """Unpack the missing files beside `folder`, verify all of them, then move them in. Returns {path: SHA-256}."""
    partial = folder.with_name(folder.name + ".partial")
    files.remove(partial)
    try:
        wanted = {file["path"]: file["member"] for file in missing}
        archives.unpack(archive, record["archive"], wanted, partial, record["unpacked_limit_bytes"])
        for file in missing:
            datasets.check_file(partial / file["path"], file, shape_of)
        hashes = {file["path"]: files.hash_file(partial / file["path"]) for file in missing}
        for path in hashes:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial / path, folder / path)
    finally:
        files.remove(partial)
    return hashes


def provide(record, folder, args):
    """Make sure that all files of a data set lie in `folder` and are the published ones."""
    print(datasets.describe(record), flush=True)
    options = {"attempts": args.attempts, "timeout_s": args.timeout_s, "wait_s": args.wait_s}
    missing = missing_files(record, folder)
    n_files = len(datasets.listed_files(record))
    if not missing:
        by_shape = sum(not file["md5"] for file in datasets.listed_files(record))
        how = f" ({by_shape} of them by shape alone: no checksum of single files is published)" if by_shape else ""
        say(f"all {n_files} files are in {folder} and match{how}; nothing to do")
        return
    archive, sha256, source = get_archive(record, folder, args, options)
    if not datasets.known_checksum(record):
        say(f"WARNING: no checksum is published for this archive, so it could not be verified. Its sha256 is {sha256}")
    try:
        hashes = unpack(record, archive, missing, folder)
    except archives.ArchiveError as error:
        if source in (args.url, *record["urls"]):
            archive.unlink()  # a cut transfer that no checksum told of is not kept in the cache
        raise ValueError(f"{error} {datasets.by_hand(record, folder, [source])}") from error
    facts = {"dataset": record["name"], "source": source, "sha256": sha256, "size_bytes": archive.stat().st_size}
    verified = "checksum" if datasets.known_checksum(record) else "not verified: no checksum is published"
    files.write_json(folder / "download.json", {**facts, "verified": verified, "files": hashes})
    say(f"{len(hashes)} files are now in {folder}")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.parameter("dataset", "name of a data set, or several with commas", lambda t: t.split(","), required=True)
    arguments.output("output", "folder of the files of one data set; default: NAME below --data-root", required=False)
    arguments.setting("data_root", "folder that holds one folder per data set", str, "data")
    arguments.setting("list", "the list of data sets (yaml)", str, str(RECORDS))
    arguments.setting("url", "another link to the same archive")
    arguments.setting("archive", "an archive that is already on this machine")
    arguments.setting("cache", "folder where archives are kept; default: the user's cache")
    arguments.setting("attempts", "failures in a row before giving up", int, 5)
    arguments.setting("timeout_s", "seconds without an answer that count as a failure", float, 30.0)
    arguments.setting("wait_s", "seconds before the first repetition; doubled every time", float, 2.0)
    args = arguments.parse(argv)
    if len(args.dataset) > 1 and (args.output or args.url or args.archive):
        raise ValueError("--dataset: expected one name together with --output, --url or --archive.")
    records = yaml.safe_load(Path(args.list).read_text(encoding="utf-8"))["datasets"]
    for name in args.dataset:
        folder = Path(args.output) if args.output else Path(args.data_root) / name
        provide(datasets.find_record(records, name), folder, args)


if __name__ == "__main__":
    run(main)
