"""What does the training loop cost beside the bare step, and beside a plain loop over a PyTorch DataLoader?

Bare step: forward, loss, backward, clipping and optimizer step, again and again on one window that lies ready on the
device; no loop can be faster. Loop: `training.train` on the windows of a region, drawn and augmented; without evaluations,
whose cost is a column of its own, as is the once-per-epoch deformation. DataLoader: the same windows from a map-style
Dataset on the host, handed over by 0 or 2 workers, in the loop that most projects have, which reads the loss every step.
All take turns in one process. Sizes are for a CPU; --full-width takes the paper's widths, windows and regions.

    python benchmarks/train.py --threads 2
    python benchmarks/train.py --full-width --device cuda
"""

import measuring
import numpy as np
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from densecell import evaluation, sampling, training
from densecell.devices import Computation
from densecell.losses import get_loss
from densecell.networks import build_network

N_CLASSES = 7
# network, base width, window, spacing of the windows
CPU_CASES = [
    ("hybrid_2d3d_333", 8, (5, 96, 96), (2, 32, 32)),
    ("hybrid_2d3d_333", 16, (5, 160, 160), (2, 53, 53)),
    ("unet_2d", 8, (1, 380, 380), (1, 20, 20)),
]
FULL_CASES = [
    ("hybrid_2d3d_333", 64, (5, 300, 300), (2, 100, 100)),
    ("unet_2d", 64, (1, 572, 572), (1, 80, 80)),
    ("unet_3d_thin", 32, (5, 300, 300), (6, 100, 100)),
    ("unet_3d_thick", 32, (16, 180, 180), (3, 140, 140)),
]
QUICK_CASES = [("hybrid_2d3d_333", 4, (3, 32, 32), (2, 8, 8)), ("unet_2d", 4, (1, 204, 204), (1, 8, 8))]
REGIONS = {"cpu": ((20, 400, 400), (10, 400, 400)), "full": ((50, 800, 800), (24, 800, 800)), "quick": ((6, 64, 64), (4, 48, 48))}  # fmt: skip
COLUMNS = (
    "network",
    "base width",
    "window",
    "loop / bare step",
    "DataLoader, 0 workers / bare step",
    "DataLoader, 2 workers / bare step",
    "steps/s of the loop",
    "its share of the matrix rate",
    "an evaluation / the training between two",
    "counted",
    "start of an epoch / epoch",
)


def make_region(shape, seed, device="cpu"):
    """A region of noise with random labels, all labelled."""
    generator = np.random.default_rng(seed)
    image = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
    labels = torch.from_numpy(generator.integers(0, N_CLASSES, shape, dtype=np.uint8))
    tensors = (t.to(device) for t in (image, labels, torch.ones(shape)))
    return sampling.Region(*tensors, [(0, n) for n in shape])


class Windows(torch.utils.data.Dataset):
    """The first n windows of an epoch on the host."""

    def __init__(self, sampler, n):
        self.sampler, self.n = sampler, n

    def __len__(self):
        return self.n

    def __getitem__(self, number):
        return self.sampler[number]


def step(network, optimizer, window, settings, computation):
    """Forward, loss, backward, clipping, optimizer step on a batch; returns the loss."""
    image, labels, weights = window
    outputs = computation.forward(network, image)
    loss = get_loss(settings)(outputs, labels, weights)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), settings["gradient_clip"])
    optimizer.step()
    return loss


def run_bare(network, window, settings, computation):
    optimizer = training.make_optimizer(network, settings)
    for _ in range(settings["steps"]):
        step(network, optimizer, window, settings, computation)


def run_loader(network, loader, settings, computation):
    """The common loop; returns the mean loss."""
    optimizer, total = training.make_optimizer(network, settings), 0.0
    for window in loader:
        window = [tensor.to(computation.device, non_blocking=True) for tensor in window]
        total += step(network, optimizer, window, settings, computation).item()
    return total / len(loader)


def make_loader(sampler, n, workers, device):
    pinned = torch.device(device).type == "cuda"
    return torch.utils.data.DataLoader(
        Windows(sampler, n), num_workers=workers, persistent_workers=workers > 0, pin_memory=pinned
    )


def measure(case, shapes, settings, computation, repeats, peak):
    """The row of one case."""
    name, base_width, window, spacing = case
    torch.manual_seed(0)
    network = build_network(name, n_classes=N_CLASSES, base_width=base_width, norm="instance")
    network = computation.place(network).train()
    device, n, groups = computation.device, settings["steps"], np.arange(N_CLASSES)
    region, eval_region = make_region(shapes[0], 1, device), make_region(shapes[1], 2)
    sampler = sampling.Sampler([region], network, window, spacing, settings, data_seed=1)
    on_host = sampling.Sampler([make_region(shapes[0], 1)], network, window, spacing, settings, data_seed=1)
    if sampler.count() < n:
        raise SystemExit(f"--steps: expected at most the {sampler.count()} windows of an epoch, found {n}.")
    sampler.start(0)
    on_host.start(0)
    ready = [tensor[None].contiguous() for tensor in sampler[0]]
    quiet = {"say": lambda text: None}
    functions = {
        "bare": lambda: run_bare(network, ready, settings, computation),
        "loop": lambda: training.train(network, sampler, [], settings, computation, groups, **quiet),
    }
    for workers in (0, 2):
        loader = make_loader(on_host, n, workers, device)
        functions[f"loader {workers}"] = lambda loader=loader: run_loader(network, loader, settings, computation)
    seconds = measuring.paired(functions, repeats, 1, device)
    per_step = measuring.median(seconds)["loop"] / n

    with FlopCounterMode(display=False) as counter:
        step(network, training.make_optimizer(network, settings), ready, settings, computation)
    every, counted = evaluation.evaluation_schedule(
        settings, sampler.count(), window, evaluation.evaluation_voxels(network, window, [eval_region], computation)
    )
    epochs = iter(range(1, 99))
    once = {
        "evaluation": lambda: evaluation.evaluate(network, window, [eval_region], computation, groups),
        "start": lambda: sampler.start(next(epochs)),
    }
    once = measuring.median(measuring.paired(once, max(1, repeats // 2), 1, device))
    ratios = [measuring.ratio(seconds, other, "bare") for other in ("loop", "loader 0", "loader 2")]
    share = counter.get_total_flops() / per_step / peak
    costs = (once["evaluation"] / (every * per_step), counted, once["start"] / (sampler.count() * per_step))
    return [name, str(base_width), str(window), *ratios, 1 / per_step, share, *costs]


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", help="float32, bfloat16 or auto")
    parser.add_argument("--steps", type=int, default=20, help="steps in a turn")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full-width", action="store_true", help="the paper's widths, windows and regions")
    size.add_argument("--quick", action="store_true", help="tiny networks, to see that it runs")
    args = parser.parse_args(argv)
    if args.quick:
        args.steps, args.repeats = min(args.steps, 3), 1
    torch.set_num_threads(args.threads)
    presets = yaml.safe_load((measuring.ROOT / "config" / "presets.yaml").read_text())["presets"]
    robust = next(p["training"] for p in presets if p["name"] == "robust")
    settings = {**robust, "steps": args.steps}
    computation = Computation(args.device, args.precision)
    kind = "quick" if args.quick else "full" if args.full_width else "cpu"
    cases = {"quick": QUICK_CASES, "full": FULL_CASES, "cpu": CPU_CASES}[kind]
    peak = measuring.matrix_rate(computation.precision, computation.device)
    rows = [measure(case, REGIONS[kind], settings, computation, args.repeats, peak) for case in cases]
    train_shape, eval_shape = REGIONS[kind]
    notes = [
        f"{computation}; preset robust; medians of {args.repeats} turns of {args.steps} steps each; train region {train_shape}, "
        f"eval region {eval_shape}. Matrix product: {peak / 1e9:.0f} GFLOP/s. An evaluation comes after every epoch, or after "
        "so many that what it counts stays below evaluation_share."
    ]
    measuring.report("train", COLUMNS, rows, args, notes=notes, device=computation.device)


if __name__ == "__main__":
    main()
