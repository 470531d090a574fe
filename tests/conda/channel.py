"""Offline conda channels, made from the running interpreter and the distributions that are installed beside it.

Packages are in conda's own format (.conda: a zip of two zstd-compressed tars). Nothing is downloaded.
What such a channel cannot tell is what conda-forge and Bioconda carry.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import distributions
import imagecodecs
import rattler

PYTHON = "python{}.{}".format(*sys.version_info)
INTERPRETER = Path(sys.executable).resolve()  # the one below a virtual environment
LEFT_OUT = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "include",
    "idlelib",
    "tkinter",
    "ensurepip",
}  # half the files
FRAME_BYTES = 1 << 24


def site_packages():
    """Where the interpreter looks for packages, below the folder it is installed in (Debian's looks elsewhere)."""
    ask = "import os, site, sys; print(os.path.relpath(site.getsitepackages()[0], sys.prefix))"
    return subprocess.run([INTERPRETER, "-I", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def interpreter_files():
    """{path in a conda environment: file on disk} of Python and its standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    files = {f"bin/{name}": INTERPRETER for name in ("python", "python3", PYTHON)}
    for folder, inner, names in os.walk(library):
        inner[:] = [name for name in inner if name not in LEFT_OUT and not name.startswith("config-")]
        within = Path(folder).relative_to(library)
        files |= {os.path.normpath(f"lib/{PYTHON}/{within}/{name}"): Path(folder, name) for name in names}
    return files


def distribution_files(name, site):
    """{path in a conda environment: file on disk} of an installed distribution, its programs in bin/ included."""
    files = {}
    for listed in distribution(name).files:
        file = Path(listed.locate())
        if not LEFT_OUT & set(listed.parts) and file.is_file():  # pip lists bytecode that may be gone
            path = os.path.normpath(f"lib/{PYTHON}/site-packages/{listed}")
            files[path.replace(f"lib/{PYTHON}/site-packages", site, 1)] = file
    return files


# --------------------------------------------------------------------------------------------------------- packages
class Frames(io.RawIOBase):
    """A file that compresses each block it is given: at zstd's level 1 torch takes 7 s on a core, with bzip2 a minute."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def write(self, block):
        self.file.write(imagecodecs.zstd_encode(bytes(block), level=1))
        return len(block)


def add_tar(package, name, files):
    """Add to an open zip the compressed tar `name` of {path: file on disk, or bytes}."""
    with (
        package.open(name, "w", force_zip64=True) as file,
        io.BufferedWriter(Frames(file), FRAME_BYTES) as frames,
        tarfile.open(fileobj=frames, mode="w|", bufsize=1 << 16) as tar,
    ):
        for path, source in sorted(files.items()):
            info = tarfile.TarInfo(path)
            if isinstance(source, bytes):
                info.size = len(source)
                tar.addfile(info, io.BytesIO(source))
            else:  # the time tells Python that its bytecode still fits
                stat = source.stat()
                info.size, info.mode, info.mtime = stat.st_size, stat.st_mode & 0o777, int(stat.st_mtime)
                with open(source, "rb") as content:
                    tar.addfile(info, content)


def path_record(path, file):
    """What a package tells about one of its files: a program's first line names the environment it is installed in."""
    record = {"_path": path, "path_type": "hardlink", "size_in_bytes": file.stat().st_size}
    if path.startswith("bin/") and os.fsencode(f"#!{sys.prefix}/") == file.read_bytes()[: len(sys.prefix) + 3]:
        record |= {"prefix_placeholder": sys.prefix, "file_mode": "text"}
    return record


def write_package(part, name, version, depends, files):
    """Write a conda package into the folder `part`, a channel's for one platform; returns its entry in the index."""
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends}
    index |= {"subdir": part.name, "arch": None, "platform": None}
    paths = {"paths": [path_record(path, file) for path, file in sorted(files.items())], "paths_version": 1}
    info = {"info/index.json": json.dumps(index).encode(), "info/paths.json": json.dumps(paths).encode()}
    target = part / f"{name}-{version}-0.conda"
    with zipfile.ZipFile(target, "w") as package:
        package.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        add_tar(package, f"pkg-{target.stem}.tar.zst", files)
        add_tar(package, f"info-{target.stem}.tar.zst", info)
    with open(target, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {target.name: index | {"sha256": digest, "size": target.stat().st_size}}


def write_index(part, packages):
    """Write the index (repodata.json) of the packages of a channel for one platform into the folder `part`."""
    content = {"info": {"subdir": part.name}, "packages": {}, "packages.conda": packages, "repodata_version": 1}
    part.mkdir(exist_ok=True)
    (part / "repodata.json").write_text(json.dumps(content))


def build(folder, names):
    """Make the channels conda-forge and bioconda in `folder`, with Python, the distributions `names` and all they require.

    The packages have the installed versions. Returns {conda package: version} of what was packed.
    """
    parts = {name: folder / name / str(rattler.Subdir.current()) for name in ("conda-forge", "bioconda")}
    for part in parts.values():
        part.mkdir(parents=True)
    version, site = sysconfig.get_config_var("py_version"), site_packages()
    packed = {"python": version}
    indices = {"conda-forge": write_package(parts["conda-forge"], "python", version, [], interpreter_files())}
    indices["bioconda"] = {}
    for name in sorted(distributions.closure(names)):
        package, depends = (
            distributions.conda_name(name),
            map(distributions.conda_name, distributions.required_by(name)),
        )
        home = "bioconda" if package.startswith("snakemake") else "conda-forge"
        packed[package] = distributions.conda_version(name, distributions.public_version(name))
        files = distribution_files(name, site)
        indices[home] |= write_package(parts[home], package, packed[package], ["python", *depends], files)
    for home, part in parts.items():
        write_index(part, indices[home])
        write_index(part.parent / "noarch", {})
    return packed
