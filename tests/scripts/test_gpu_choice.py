"""Jobs that run at once take different cards."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import gpu_choice

NOBODY = 65534
TEMPORARY = tempfile.gettempdir()  # before a test has it elsewhere
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


@contextmanager
def another_user():
    """Within the block root, who may write everywhere, is nobody; who is not root stays who he is."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_lock_file_of_another_user_is_no_taken_card(two_cards, monkeypatch):
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as folder:  # not tmp_path, which only its owner may enter
        Path(folder).chmod(0o755)
        monkeypatch.setattr(gpu_choice.tempfile, "gettempdir", lambda: folder)
        held = Path(folder) / "densecell-gpu-card0.lock"
        held.touch()
        held.chmod(0o444)
        with another_user():
            with pytest.raises(PermissionError):
                held.open("a")
            assert gpu_choice.choose_card("auto") == "cuda:0"


def test_a_new_lock_file_can_be_read_by_other_users(two_cards):
    before = os.umask(0o077)
    try:
        assert gpu_choice.choose_card("auto") == "cuda:0"
    finally:
        os.umask(before)
    assert (two_cards / "densecell-gpu-card0.lock").stat().st_mode & 0o777 == 0o444


def test_the_cpu_and_a_single_card_are_taken_as_they_are(two_cards, monkeypatch):
    assert gpu_choice.choose_card("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert gpu_choice.choose_card("auto") == "auto"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_choice.choose_card("auto") == "auto"
    assert list(two_cards.iterdir()) == []
