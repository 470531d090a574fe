"""Which of several GPUs a job takes: one that no other job of densecell holds."""

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

import torch

HELD = []  # lock files that stay open, and with them locked, as long as the process lives


def choose_card(device):
    """`device` (auto, cuda, cpu), or cuda:N where the job sees several GPUs and could have any of them.

    Each card has a lock file in the folder for temporary files, named after the card's identity, that the job which takes the
    card keeps locked until it ends, killed or not. A job that finds all cards taken, as when several share a card on
    purpose, takes one by its process number. On a cluster the scheduler shows each job its own cards only.
    """
    if device not in ("auto", "cuda") or not torch.cuda.is_available() or torch.cuda.device_count() == 1:
        return device
    n_cards = torch.cuda.device_count()
    for card in range(n_cards):
        path = Path(tempfile.gettempdir()) / f"densecell-gpu-{torch.cuda.get_device_properties(card).uuid}.lock"
        try:
            lock = open_lock(path)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        HELD.append(lock)
        return f"cuda:{card}"
    return f"cuda:{os.getpid() % n_cards}"


def open_lock(path):
    """The lock file at `path`, opened for reading, which is enough to lock it: it may be another user's. Made where it is
    missing, readable for all whatever the umask; where another job makes it in that moment, that one is opened."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL))
        path.chmod(0o444)
    return path.open()
