"""What a network does, step by step, told by the network itself: hooks and torch's dispatcher watch one forward pass.

The pass runs on torch's meta device, which knows shapes and no values, so a window of any size costs nothing.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from densecell.networks import build_network

POOLS = ("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d")
LINEAR = ("addmm", "mm", "linear")
RESIZE = ("upsample_bilinear2d", "upsample_trilinear3d", "upsample_nearest2d", "upsample_nearest3d")


@dataclass
class Step:
    """One operation of a network.

    kind: input, convolution, transposed, pool, mean (over all pixels), resize, concatenation, sum, softmax, dense,
    residual (`repeats` residual blocks in a row) or transformer (`repeats` layers of attention in a row). shape: (n, channels,
    ...) of its output. level: how often y was halved on the way to it. sources: positions of the steps whose outputs it
    reads. predictor: whether its kernel belongs to the parameter group predictors. module: dotted name of the innermost
    module it ran in.
    """

    kind: str
    shape: tuple
    level: int = 0
    sources: list = field(default_factory=list)
    kernel: tuple = ()
    stride: tuple = ()
    dilation: tuple = ()
    repeats: int = 1
    predictor: bool = False
    module: str = ""

    @property
    def channels(self):
        return self.shape[1]

    @property
    def space(self):
        """(Z, Y, X) or (Y, X) of the output; () behind a dense layer."""
        return tuple(self.shape[2:])


@dataclass
class Trace:
    """The steps of a network in the order they ran; outputs: (position of the step, shape) of each output.

    norm: what its normalization layers take their statistics from, batch or instance; empty where it has none.
    """

    steps: list
    outputs: list
    n_parameters: int
    norm: str = ""


class _Watch(TorchDispatchMode):
    """Writes down the steps; `producer` knows the step each tensor comes from, `kept` keeps their identities apart."""

    def __init__(self, network):
        super().__init__()
        self.modules = dict(network.named_modules())
        self.steps, self.producer, self.kept, self.path, self.done = [], {}, [], [""], {}
        self.predictors = {id(p) for p in network.parameter_groups()["predictors"]}

    def leave(self):
        """A module ends; None, as what a hook returns would take the place of the module's output."""
        self.path.pop()

    def remember(self, tensor, position):
        self.kept.append(tensor)
        self.producer[id(tensor)] = position

    def add(self, step, tensor, key=None):
        """Append a step, or go back to the earlier one with the same `key`: layers that run slice by slice."""
        if key is not None and key in self.done:
            return self.remember(tensor, self.done[key])
        self.steps.append(replace(step, module=self.path[-1]))
        self.remember(tensor, len(self.steps) - 1)
        if key is not None:
            self.done[key] = len(self.steps) - 1

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        tensors = [a for arg in args for a in (arg if isinstance(arg, (list, tuple)) else (arg,))]
        self.kept += [t for t in tensors if isinstance(t, torch.Tensor)]  # a passing weight's identity would come again
        sources = list(dict.fromkeys(self.producer[id(t)] for t in tensors if id(t) in self.producer))
        result = out[0] if isinstance(out, (tuple, list)) else out
        if sources and isinstance(result, torch.Tensor):
            step, key = self._step(function.overloadpacket.__name__, args, result, sources)
            if step is None:
                self.remember(result, sources[0])
            else:
                self.add(step, result, key)
        return out

    def _step(self, name, args, out, sources):
        """(the Step of an operation, what identifies it when it runs again), or (None, None) where it is none."""
        before = self.steps[sources[0]]
        base = Step("", tuple(out.shape), before.level, sources)
        if name == "convolution":
            weight, stride, dilation, transposed = args[1], tuple(args[3]), tuple(args[5]), args[6]
            shift = round(math.log2(stride[-1])) * (-1 if transposed else 1)
            kind = "transposed" if transposed else "convolution"
            kernel, predictor = tuple(weight.shape[2:]), id(weight) in self.predictors
            if len(kernel) < 3 and len(getattr(self.modules[self.path[-1]], "kernel_size", ())) == 3:
                # a 3D layer that runs its middle plane on a single slice (blocks.Conv3d)
                kernel = self.modules[self.path[-1]].kernel_size
                base = replace(base, shape=(*base.shape[:2], 1, *base.shape[2:]))
            step = replace(base, kind=kind, level=before.level + shift, kernel=kernel, predictor=predictor)
            return replace(step, stride=stride, dilation=dilation), (name, id(weight))
        if name in LINEAR:
            weight = next((a for a in args[1:] if isinstance(a, torch.Tensor) and a.dim() == 2), None)
            weight = weight if weight is None or weight._base is None else weight._base
            parameters = [id(a) for a in args if isinstance(a, torch.Tensor)] + [id(weight)]
            predictor = any(p in self.predictors for p in parameters)
            return replace(base, kind="dense", predictor=predictor), (name, self.path[-1])
        if name in POOLS:
            stride = tuple(args[2]) if len(args) > 2 and args[2] else tuple(args[1])
            step = replace(base, kind="pool", kernel=tuple(args[1]), stride=stride)
            key = (name, self.path[-1]) if self.path[-1] else None
            return replace(step, level=before.level + round(math.log2(stride[-1]))), key
        if name in RESIZE:
            factor = out.shape[-1] / before.shape[-1]
            return replace(base, kind="resize", level=max(0, before.level - round(math.log2(factor)))), None
        if name == "expand" and out.dim() == 6:  # every pixel repeated (resunet.NearestUpsampling)
            n, channels, y, rows, x, columns = out.shape
            step = replace(base, kind="resize", shape=(n, channels, y * rows, x * columns))
            return replace(step, level=before.level - round(math.log2(columns))), None
        if name == "mean" and before.kind != "input":
            return replace(base, kind="mean"), None
        if name == "cat" and len(sources) > 1 and (args[1] if len(args) > 1 else 0) == 1:
            return replace(base, kind="concatenation", level=self.steps[sources[-1]].level), None
        if name in ("add", "add_") and len(sources) > 1:
            return replace(base, kind="sum"), None
        if name == "_softmax":
            return replace(base, kind="softmax"), None
        return None, None


def trace(name, options, window, n_classes):
    """The Trace of the network `name` with `options` for an input `window` (Z, Y, X) of one channel.

    Chains of residual blocks are one step each. Raises ValueError where the network can't take the window.
    """
    with torch.device("meta"):
        network = build_network(name, n_channels=1, n_classes=n_classes, **options).eval()
        x = torch.empty(1, 1, *window)
    network.output_shape(tuple(window))
    watch = _Watch(network)
    hooks = []
    for path, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, path=path: watch.path.append(path)))
        hooks.append(module.register_forward_hook(lambda *_: watch.leave()))
    watch.add(Step("input", tuple(x.shape)), x)
    with torch.no_grad(), watch:
        results = network(x)
    for hook in hooks:
        hook.remove()
    outputs = [(watch.producer[id(r)], tuple(r.shape)) for r in results]
    names = {type(module).__name__ for module in network.modules()}
    norm = next((k for k in ("batch", "instance") if any(n.lower().startswith(f"{k}norm") for n in names)), "")
    return merge_residual_blocks(Trace(watch.steps, outputs, sum(p.numel() for p in network.parameters()), norm))


def merge_residual_blocks(traced):
    """One step for each row of residual blocks: modules that add their input to what they make of it. Those without a
    convolution are layers of a transformer."""
    blocks = {step.module for step in traced.steps if step.kind == "sum" and step.module}
    rows = {path.rpartition(".")[0] or path for path in blocks}

    def row_of(step):
        return next((row for row in rows if f"{step.module}.".startswith(f"{row}.")), None)

    steps, position, of_row = [], {}, {}
    for i, step in enumerate(traced.steps):
        row = row_of(step)
        if row is None:
            position[i] = len(steps)
            steps.append(replace(step, sources=list(dict.fromkeys(position[s] for s in step.sources))))
            continue
        if row not in of_row:
            of_row[row] = position[i] = len(steps)
            sources = list(dict.fromkeys(position[s] for s in step.sources))
            steps.append(replace(step, kind="residual", sources=sources, repeats=0, module=row))
        position[i] = of_row[row]
        merged = steps[of_row[row]]
        merged.shape, merged.level = step.shape, max(merged.level, step.level)
        merged.repeats += step.kind == "sum"
        if step.kind == "convolution":
            merged.kernel = max(merged.kernel, step.kernel)
            merged.dilation = max(merged.dilation, step.dilation)
    for step in steps:
        if (
            step.kind == "residual" and not step.kernel
        ):  # tokens of a map: attention and a dense part, each added to its input
            step.kind, step.repeats, step.shape = "transformer", step.repeats // 2, steps[step.sources[0]].shape
    outputs = [(position[i], shape) for i, shape in traced.outputs]
    return replace(traced, steps=steps, outputs=outputs)
