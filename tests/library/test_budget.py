"""How much memory a prediction may take."""

import torch

from densecell import budget

CPU = torch.device("cpu")


def test_a_number_is_taken_as_it_is():
    assert budget.memory_budget(1.5, CPU) == 1_500_000_000


def test_auto_is_half_of_the_machine_by_the_share_of_its_processors(monkeypatch, tmp_path):
    """64 GB and 8 processors: half is 32 GB, a job of two threads has a quarter of it; rounded to three binary digits."""
    monkeypatch.setattr(budget.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**24}[name])
    monkeypatch.setattr(budget.os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(budget, "CGROUP_LIMIT", tmp_path / "none")
    assert budget.memory_budget("auto", CPU, 8) == 2**35
    assert budget.memory_budget("auto", CPU, 2) == 2**33
    assert budget.memory_budget(None, CPU, 99) == 2**35
    (tmp_path / "limit").write_text(f"{3 * 2**30}\n")
    monkeypatch.setattr(budget, "CGROUP_LIMIT", tmp_path / "limit")
    assert budget.memory_budget("auto", CPU, 8) == 3 * 2**29
    (tmp_path / "limit").write_text(f"{27 * 2**28}\n")  # half is 13.5 x 2^28: down to 12
    assert budget.memory_budget("auto", CPU, 8) == 12 * 2**28
    (tmp_path / "limit").write_text("max\n")
    assert budget.memory_budget("auto", CPU, 8) == 2**35
