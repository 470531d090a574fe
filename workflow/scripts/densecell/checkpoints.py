"""Checkpoints: weights and all that prediction needs, as safetensors, so that a file from a stranger never runs code."""

import json
import pickle
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from densecell import files
from densecell.networks import build_network

KEYS = ("network", "options", "classes", "targets", "activation", "decision", "normalization", "window", "seeds")


def write_checkpoint(path, state, spec, record=None):
    """Write the weights `state` (name -> tensor) and the JSON-able `spec` (see KEYS) as one safetensors file."""
    missing = [key for key in KEYS if key not in spec]
    if missing:
        raise ValueError(f"checkpoint {path}: its specification lacks {', '.join(missing)}.")
    tensors = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in state.items()}
    with files.writing(path, record) as partial:
        # one metadata key: safetensors does not keep the order of several, and equal runs give equal bytes
        safetensors.torch.save_file(tensors, partial, metadata={"densecell": json.dumps(spec, sort_keys=True)})


def read_specification(path):
    """The specification stored in a checkpoint. Raises ValueError for anything that is not densecell's."""
    files.check_content(path)
    try:
        with safetensors.safe_open(path, framework="pt") as handle:
            spec = json.loads((handle.metadata() or {})["densecell"])
    except FileNotFoundError:
        raise ValueError(f"{path}: no such checkpoint.") from None
    except (safetensors.SafetensorError, KeyError, json.JSONDecodeError, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a densecell checkpoint (safetensors with its specification; {error})."
        ) from error
    missing = [key for key in KEYS if key not in spec] if isinstance(spec, dict) else list(KEYS)
    if missing:
        raise ValueError(f"{path}: not a densecell checkpoint, its specification lacks {', '.join(missing)}.")
    return spec


def load_network(path, classes=None, device="cpu"):
    """Build the network of a checkpoint and load its weights; returns (network in eval mode, specification).

    classes: names the caller expects; a checkpoint of other classes raises ValueError.
    """
    spec = read_specification(path)
    if classes is not None and list(classes) != list(spec["classes"]):
        raise ValueError(
            f"{path}: trained for the classes {', '.join(spec['classes'])}; the configuration has {', '.join(classes)}. "
            "Use a checkpoint of these classes or train again."
        )
    try:
        network = build_network(spec["network"], n_channels=1, n_classes=len(spec["targets"]), **spec["options"])
        network.load_state_dict(safetensors.torch.load_file(Path(path)))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{path}: its weights do not fit the network {spec['network']!r} ({error}).") from error
    return network.to(device).eval(), spec


def save_restart(path, state):
    """Write a restart state (tensors, numbers, lists) atomically."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.writing(path) as partial:
        torch.save(state, partial)


def load_restart(path, fingerprint):
    """The restart state at `path` if there is one with this fingerprint; None otherwise (a stale one is ignored)."""
    if not Path(path).exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path}: unreadable restart state ({error}); delete it to train from the beginning."
        ) from error
    return state if state.get("fingerprint") == fingerprint else None
