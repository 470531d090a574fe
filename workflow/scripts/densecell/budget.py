"""How much memory a prediction may take."""

import contextlib
import os
from pathlib import Path

import torch

SHARE_OF_CPU, SHARE_OF_GPU = 0.5, 0.8
CGROUPS, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
SLURM_LIMITS = (
    "SLURM_MEM_PER_NODE",
    "SLURM_MEM_PER_CPU",
)  # MB that a job asked for; with DENSECELL_ before it from common.smk
GB = 1e9


def memory_budget(memory_gb, device, threads=1):
    """Bytes: `memory_gb` if it is a number; with auto, what the machine has.

    On the CPU half of its memory (of the container's or of the job's on a cluster, where that is less), times the job's share of the processors, as other
    jobs may run beside it; on a GPU four fifths of the card's. Rounded down to three binary digits, so that the tiles, and
    with them the last digits of the results, are the same on machines that are nearly alike.
    """
    if memory_gb not in (None, "auto"):
        return int(float(memory_gb) * GB)
    if device.type == "cuda":
        return _rounded(SHARE_OF_GPU * torch.cuda.mem_get_info(device)[1])
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return _rounded(SHARE_OF_CPU * _total_memory(processors) * min(1, threads / processors))


def _total_memory(processors):
    """Bytes that this process could have: of the machine, of the control groups it is in, of its job on a cluster."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    group = CGROUPS
    with contextlib.suppress(OSError, IndexError):
        group = CGROUPS / OWN_CGROUP.read_text().split("0::/")[1].splitlines()[0]
    for folder in (group, *group.parents):
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int((folder / "memory.max").read_text()))
    for name, times in zip(SLURM_LIMITS, (1, processors)):
        value = os.environ.get(f"DENSECELL_{name}") or os.environ.get(name, "")
        if value.isdigit():
            limits.append(int(value) * times * 2**20)
    return min(limits)


def _rounded(n_bytes):
    """Rounded down to 4, 5, 6 or 7 times a power of two."""
    unit = 2 ** max(0, int(n_bytes).bit_length() - 3)
    return int(n_bytes) // unit * unit
