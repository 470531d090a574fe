"""How much memory a forward pass needs, known without running it.

The network runs on fake tensors, which have shapes and types but no values: no memory, and well under a second for any size.
Every operator's outputs are counted by storage, so that views and operators in place count once, until the storage is
freed; the largest sum is the peak.

A process takes more than that, because freed blocks leave gaps and libraries copy: `benchmarks/forward_memory.py`.
"""

import weakref

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Resident memory over the estimate, tuned by `devices.tune_cpu`: 0.9 to 3.0 in ten cases, two precisions, over three passes
# (benchmarks/forward_memory.py; the most in deeplab_drn in float32 and the hybrid with instance norm in bfloat16).
RESIDENT_FACTOR = 3.0


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of storages that operators make while it is on: `live` now, `peak` at most."""

    def __init__(self):
        super().__init__()
        self.live, self.peak, self.seen = 0, 0, weakref.WeakSet()

    def ignore(self, tensors):
        """Leave out storages that were there before, such as the weights."""
        self.seen.update(t.untyped_storage() for t in tensors)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return found

    def _count(self, storage):
        if storage in self.seen:
            return
        self.seen.add(storage)
        n_bytes = storage.nbytes()
        weakref.finalize(storage, self._free, n_bytes)
        self.live += n_bytes
        self.peak = max(self.peak, self.live)

    def _free(self, n_bytes):
        self.live -= n_bytes


def peak_bytes(network, input_shape, computation, n_channels=1):
    """Largest sum of bytes that the tensors of one forward pass hold at once: input, features, weights cast to the precision.

    input_shape: (Z, Y, X); computation: a `devices.Computation` that runs the network, which may be on the device already.
    """
    counter = LiveBytes()
    with FakeTensorMode(allow_non_fake_inputs=True) as fake, torch.no_grad():
        network_state = [fake.from_tensor(p) for p in (*network.parameters(), *network.buffers())]
        counter.ignore(network_state)
        with counter:
            x = torch.empty(1, n_channels, *input_shape)
            outputs = computation.forward(network, x)
            del x, outputs
    return counter.peak
