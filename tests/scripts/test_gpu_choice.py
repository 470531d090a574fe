"""Jobs that run at once take different cards."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import gpu_choice

SCRIPTS = Path(gpu_choice.__file__).parent
HOLDER = """
import fcntl, sys, time
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def two_cards(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda card: SimpleNamespace(uuid=f"card{card}"))
    monkeypatch.setattr(gpu_choice.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(gpu_choice, "HELD", [])
    return tmp_path


def test_a_card_that_another_process_holds_is_left_to_it_until_it_dies(two_cards):
    held = two_cards / "densecell-gpu-card0.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, held], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert gpu_choice.choose_card("auto") == "cuda:1"
        holder.kill()
        holder.wait()
    assert gpu_choice.choose_card("cuda") == "cuda:0"
    assert gpu_choice.choose_card("cuda") in ("cuda:0", "cuda:1")  # both are held by this process now: shared


def test_the_cpu_and_a_single_card_are_taken_as_they_are(two_cards, monkeypatch):
    assert gpu_choice.choose_card("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert gpu_choice.choose_card("auto") == "auto"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_choice.choose_card("auto") == "auto"
    assert list(two_cards.iterdir()) == []
