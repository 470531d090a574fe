"""Checkpoints: weights and all that prediction needs, as safetensors, so that a file from a stranger never runs code."""

import hashlib
import io
import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from densecell import files, specifications
from densecell.networks import build_network

DIGEST_BYTES = 64  # SHA-256 in hexadecimal
# names of types in safetensors; networks have floating-point weights and, for batch statistics, a counter
TYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64, "I64": torch.int64}


def write_checkpoint(path, state, spec, record=None):
    """Write the weights `state` (name -> tensor) and the JSON-able `spec` (`specifications`) as one safetensors file."""
    problem = specifications.problem(spec)
    if problem:
        raise ValueError(f"checkpoint {path}: its specification {problem}.")
    tensors = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in state.items()}
    with files.writing(path, record) as partial:
        # one metadata key: safetensors does not keep the order of several, and equal runs give equal bytes
        content = safetensors.torch.save(tensors, metadata={"densecell": json.dumps(spec, sort_keys=True)})
        partial.write_bytes(content)  # safetensors and torch tell of a full disk in errors of their own


def read_specification(path):
    """The specification stored in a checkpoint. Raises ValueError for anything that is not densecell's."""
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path}: expected a checkpoint, found a folder, pipe or device.")
    files.check_content(path)
    try:
        with safetensors.safe_open(path, framework="pt") as handle:
            spec = json.loads((handle.metadata() or {})["densecell"])
    except FileNotFoundError:
        raise ValueError(f"{path}: no such checkpoint.") from None
    except (safetensors.SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise ValueError(
            f"{path}: not a densecell checkpoint (safetensors with its specification; {error})."
        ) from error
    problem = specifications.problem(spec)
    if problem:
        raise ValueError(f"{path}: not a densecell checkpoint, its specification {problem}.")
    return spec


def check_weights(path, spec):
    """Raise ValueError unless the tensors in a checkpoint are, by name, shape and type, those of the network it names.

    The network is built without values and only the header of the file is read, so nothing is allocated for either.
    """
    with torch.device("meta"):
        network = build_network(spec["network"], n_channels=1, n_classes=len(spec["targets"]), **spec["options"])
    expected = {name: (list(t.shape), t.dtype) for name, t in network.state_dict().items()}
    with safetensors.safe_open(path, framework="pt") as handle:
        names = set(handle.keys())
        if names != set(expected):
            odd = sorted(names ^ set(expected))
            raise ValueError(
                f"{path}: its weights do not fit the network {spec['network']!r}: {len(odd)} names, first {odd[0]!a}."
            )
        for name, (shape, dtype) in expected.items():
            stored = handle.get_slice(name)
            found = (list(stored.get_shape()), TYPES.get(stored.get_dtype()))
            if found != (shape, dtype):
                raise ValueError(
                    f"{path}: its weights do not fit the network {spec['network']!r}: {name} is {found}, expected {(shape, dtype)}."
                )


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
        check_weights(path, spec)
        network = build_network(spec["network"], n_channels=1, n_classes=len(spec["targets"]), **spec["options"])
        network.load_state_dict(safetensors.torch.load_file(Path(path)))
    except (RuntimeError, TypeError, ArithmeticError, LookupError, ValueError, MemoryError) as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        raise ValueError(f"{path}: its weights do not fit the network {spec['network']!r} ({error}).") from error
    return network.to(device).eval(), spec


def save_restart(path, state):
    """Write a restart state (tensors, numbers, lists) atomically; its last bytes are the hash of those before."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    with files.writing(path) as partial, open(partial, "wb") as handle:
        handle.write(content)
        handle.write(hashlib.sha256(content).hexdigest().encode())


def load_restart(path, fingerprint):
    """The restart state at `path` if there is one with this fingerprint; None otherwise (a stale one is ignored)."""
    if not Path(path).exists():
        return None
    content = Path(path).read_bytes()
    state, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    try:
        if hashlib.sha256(state).hexdigest().encode() != digest:  # torch does not look at the checksums in the file
            raise ValueError("its content differs from what was written")
        state = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ValueError(f"a {type(state).__name__}, expected a dict")
    except Exception as error:  # unpickling damaged bytes raises everything, even without running any of them
        raise ValueError(
            f"{path}: unreadable restart state ({error}); delete it to train from the beginning."
        ) from error
    return state if state.get("fingerprint") == fingerprint else None
