"""What the rules ask of the machine they are read on, and what jobs are told through the environment.

The environment and not params, since none of it may rerun anything. Jobs inherit what the main process set.
"""

import os
import platform

import provenance


def has_gpu():
    """Whether there is an NVIDIA GPU, told without torch."""
    return os.path.exists("/dev/nvidia0")


def place():
    """Where a process number means this process: machine, its start, and namespace of processes (containers have their own).
    The same as in scripts/watchdog.py, which rules don't import; a test holds the two together."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as boot:
            return f"{platform.node()} {boot.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def tell_jobs(workflow, config, root, commit=None):
    """Set the variables that jobs read: configuration and commit for their run records, the process they must not outlive
    (watchdog.py), and on a node of Slurm the memory they may take, which its executor hides from them (budget.py)."""
    told = {}
    if workflow.is_main_process or "DENSECELL_CONFIG_HASH" not in os.environ:
        told["DENSECELL_CONFIG_HASH"] = provenance.config_hash(config)
        told["DENSECELL_COMMIT"] = commit or provenance.commit(root)
    if workflow.is_main_process or workflow.remote_exec:
        told |= {"DENSECELL_RUN_PID": str(os.getpid()), "DENSECELL_RUN_PLACE": place()}
    if "CONDA" in {method.name for method in workflow.deployment_settings.deployment_method}:
        told["PYTHONNOUSERSITE"] = "1"  # packages in a user's ~/.local come before those of an environment
    for limit in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU") if workflow.remote_exec else ():
        if limit in os.environ:
            told[f"DENSECELL_{limit}"] = os.environ[limit]
    os.environ.update(told)


def tell_run_sh(workflow, results_dir):
    """Write the folder of the results into the file that run.sh names, which asks where the report belongs."""
    file = os.environ.get("DENSECELL_RESULTS_FILE")
    if file and workflow.is_main_process:
        with open(file, "w") as handle:
            handle.write(results_dir)
