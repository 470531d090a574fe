"""How much memory a prediction may take."""

import torch

from densecell import budget

CPU = torch.device("cpu")


def test_a_number_is_taken_as_it_is():
    assert budget.memory_budget(1.5, CPU) == 1_500_000_000


def machine(monkeypatch, folder, processors=8, cgroup="0::/job/step"):
    """64 GB, and control groups below `folder`."""
    monkeypatch.setattr(budget.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**24}[name])
    monkeypatch.setattr(budget.os, "sched_getaffinity", lambda pid: set(range(processors)))
    monkeypatch.setattr(budget, "CGROUPS", folder)
    monkeypatch.setattr(budget, "OWN_CGROUP", folder / "own")
    (folder / "job/step").mkdir(parents=True)
    (folder / "own").write_text(f"{cgroup}\n")
    for name in budget.SLURM_LIMITS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"DENSECELL_{name}", raising=False)


def test_auto_is_half_of_the_machine_by_the_share_of_its_processors(monkeypatch, tmp_path):
    """Half of 64 GB is 32; a job of two of the eight threads has a quarter of it; rounded to three binary digits."""
    machine(monkeypatch, tmp_path)
    assert budget.memory_budget("auto", CPU, 8) == 2**35
    assert budget.memory_budget("auto", CPU, 2) == 2**33
    assert budget.memory_budget(None, CPU, 99) == 2**35


def test_auto_keeps_to_the_limits_of_containers_and_jobs(monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path)
    (tmp_path / "job/step/memory.max").write_text("max\n")
    assert budget.memory_budget("auto", CPU, 8) == 2**35
    (tmp_path / "memory.max").write_text(f"{27 * 2**28}\n")  # half is 13.5 x 2^28: down to 12
    assert budget.memory_budget("auto", CPU, 8) == 12 * 2**28
    (tmp_path / "job/memory.max").write_text(f"{3 * 2**30}\n")
    assert budget.memory_budget("auto", CPU, 8) == 3 * 2**29
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "256")  # MB, of eight processors
    assert budget.memory_budget("auto", CPU, 8) == 2**30
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1024")
    assert budget.memory_budget("auto", CPU, 8) == 2**29
    monkeypatch.setenv("DENSECELL_SLURM_MEM_PER_NODE", "128")  # of the job, where the workflow passed it on
    assert budget.memory_budget("auto", CPU, 8) == 2**26


def test_without_control_groups_the_machine_counts(monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path, cgroup="12:cpu:/old")
    (tmp_path / "own").unlink()
    assert budget.memory_budget("auto", CPU, 8) == 2**35
