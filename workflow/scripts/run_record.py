"""The run record `<output>.run.json`: when, where and with what an output was made, beside the sidecar that says from what.

A job writes it when it has ended well, so a killed job leaves none. It repeats the sidecar, so that temporary outputs keep
their place in the chain (densecell/passport.py). Nothing reads it to compute a result, and failing to write it fails no job.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

from densecell import files

DISTRIBUTIONS = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "seaborn": "seaborn",
    "skimage": "scikit-image",
    "tifffile": "tifffile",
    "imagecodecs": "imagecodecs",
    "zarr": "zarr",
    "numcodecs": "numcodecs",
    "safetensors": "safetensors",
    "yaml": "pyyaml",
    "pooch": "pooch",
    "pyvista": "pyvista",
    "vtkmodules": "vtk",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "cv2": "opencv-python-headless",
    "trimesh": "trimesh",
    "fast_simplification": "fast-simplification",
    "plotly": "plotly",
    "nibabel": "nibabel",
}  # imported name -> name in requirements.txt
STARTED, CLOCK = (
    datetime.datetime.now(datetime.UTC),
    time.monotonic(),
)  # of the process, but for what it imported before


def packages():
    """{name: version} of the pinned packages that this process imported."""
    found = {}
    for module, name in DISTRIBUTIONS.items():
        if module in sys.modules:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = "unknown"
    return found


def peak_bytes():
    """The largest resident memory of this process so far.

    Linux is asked for that of this program: getrusage also counts what the process held before it became this program (a
    Python started by one of 600 MB was said to need 611 MB in place of 10).
    """
    try:
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def usage():
    """{wall_s, cpu_s, peak_memory_bytes} of this process so far; children that have ended count, in memory the largest one."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall_s": round(time.monotonic() - CLOCK, 3),
        "cpu_s": round(sum(used.ru_utime + used.ru_stime for used in (own, children)), 3),
        "peak_memory_bytes": max(peak_bytes(), children.ru_maxrss * unit),
    }


def run_facts(script, threads, told):
    """What is equal for all outputs of this process; told: what only the script knows (device, precision, parts)."""
    commit, _, dirty = (os.environ.get("DENSECELL_COMMIT") or "unknown").partition("-")
    return {
        "script": script,
        "started": STARTED.isoformat(timespec="seconds").replace("+00:00", "Z"),
        **usage(),
        "host": platform.node(),
        "platform": platform.platform(),
        "device": "cpu",
        "threads": threads,
        "python": platform.python_version(),
        "packages": packages(),
        "config_hash": os.environ.get("DENSECELL_CONFIG_HASH") or "unknown",
        "git_commit": commit,
        "git_dirty": dirty == "dirty" if commit != "unknown" else None,
        **told,
    }


def write(script, threads, told):
    """Write the record of each output that has a sidecar; what goes wrong is told on stderr and changes nothing."""
    try:
        facts = run_facts(script, threads, told)
        for path in files.WRITTEN:
            # a store may have been written into a folder that got its name later
            place = Path(*[part.removesuffix(".partial") for part in path.parts])
            record = {"output": place.as_posix(), "record": files.read_sidecar(place), **facts}
            files.replace_text(files.run_record_path(place), json.dumps(record, indent=1, sort_keys=True) + "\n")
    except Exception as error:
        print(
            f"densecell: no run record was written ({type(error).__name__}: {error}); the results are complete.",
            file=sys.stderr,
        )
