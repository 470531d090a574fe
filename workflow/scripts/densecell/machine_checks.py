"""Whether this machine can do what the plan needs: disk, memory, GPU. Nothing of it goes into a result."""

from densecell.findings import Finding

LONG_HOURS = 100  # of one CPU thread; beyond, a run without a GPU is worth a warning


def gigabytes(n_bytes):
    """Bytes as text in GB."""
    return f"{n_bytes / 1e9:,.1f} GB"


def check_machine(needs, machine):
    """Findings about a plan and a machine.

    needs: {"disk_bytes": at most, "results_dir", "device": the key, "cpu_hours": of one thread or None, "memory_gb":
    prediction.memory_gb, "slice_bytes": of the largest slice}; machine: {"free_bytes": where results go, "memory_bytes",
    "has_gpu"}.
    """
    if machine["free_bytes"] < needs["disk_bytes"]:
        todo = "Free some space, or set results_dir to a larger disk. The plan counts no compression."
        yield Finding("disk", "warning", needs["results_dir"], f"{gigabytes(needs['disk_bytes'])} at most, by the plan",
                      f"{gigabytes(machine['free_bytes'])} free", "results_dir", todo)  # fmt: skip
    if needs["device"] == "cuda" and not machine["has_gpu"]:
        yield Finding(
            "gpu", "error", "this machine", "a GPU", "none", "device", "Set device: auto, or run where there is a GPU."
        )
    if needs["device"] != "cuda" and not machine["has_gpu"] and (needs["cpu_hours"] or 0) > LONG_HOURS:
        found = f"no GPU, and about {needs['cpu_hours']:,.0f} hours of one CPU thread to compute"
        todo = "Run on a machine with a GPU (README), or make networks, steps or seeds_scale smaller."
        yield Finding(
            "gpu", "warning", "this machine", f"less than {LONG_HOURS} hours without a GPU", found, "device", todo
        )
    if (
        needs["memory_gb"] not in (None, "auto")
        and needs["memory_gb"] * 1e9 > machine["memory_bytes"]
        and not machine["has_gpu"]
    ):
        yield Finding("memory", "warning", "this machine", f"{needs['memory_gb']:g} GB (prediction.memory_gb)",
                      f"{gigabytes(machine['memory_bytes'])} of memory", "prediction.memory_gb", "Lower it, or set auto.")  # fmt: skip
    held = 20 * needs["slice_bytes"]
    if held > machine["memory_bytes"]:
        yield Finding("memory", "warning", "this machine", f"{gigabytes(held)}, 20 of the largest slices",
                      f"{gigabytes(machine['memory_bytes'])} of memory", "volumes", "Crop the stack, or run on a larger machine.")  # fmt: skip
