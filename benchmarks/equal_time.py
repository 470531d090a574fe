"""How many steps of each experiment of a configuration take equal time? One step of training, timed, for equal-time comparisons.

Each experiment's network, options, window, batch, loss and precision, on random images, one thread. The time is the process's own, so
that other work on the machine counts less; half of the targets' voxels are labelled. `steps` is what fits into --seconds; the
configuration's `training.steps` are written by hand from it.

    python benchmarks/equal_time.py --config config/vnc_sparse.yaml --seconds 60
"""

import sys
import time
from pathlib import Path

import measuring
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "workflow" / "rules")]

import configuration  # noqa: E402
from densecell import training  # noqa: E402
from densecell.devices import Computation  # noqa: E402
from densecell.networks import build_network  # noqa: E402


def experiments(path):
    """The experiments of a configuration file with their presets, one for each network of a grid."""
    config = yaml.safe_load(Path(path).read_text())
    resolved = configuration.resolve(config, configuration.load_presets(ROOT / "config" / "presets.yaml"))
    first = {}
    for experiment in resolved["experiments"]:
        first.setdefault((experiment["network"], str(experiment["options"]), tuple(experiment["window"])), experiment)
    return [{**e, "targets": e["targets"] or [c["name"] for c in resolved["classes"]]} for e in first.values()]


def seconds_per_step(experiment, n_steps):
    """Processor seconds of one optimizer step, the mean of `n_steps` after one that isn't counted."""
    settings, window = experiment["training"], tuple(experiment["window"])
    computation = Computation("cpu", settings["precision"], settings["channels_last"])
    torch.manual_seed(0)
    is_sigmoid = experiment["activation"] == "sigmoid"
    n = len(experiment["targets"])
    network = computation.place(build_network(experiment["network"], n_classes=n, **experiment["options"])).train()
    optimizer, output = training.make_optimizer(network, settings), network.output_shape(window)

    def one_window():
        labels = torch.randint(0, 2 if is_sigmoid else n, (n, *output) if is_sigmoid else output, dtype=torch.uint8)
        return torch.randn(1, *window), labels, torch.ones(output)

    batch = [one_window() for _ in range(settings["batch_size"])]
    for step in range(n_steps + 1):
        if step == 1:
            started = time.process_time()
        training.optimize(network, optimizer, batch, settings, computation, 1e-4, experiment["activation"])
    return (time.process_time() - started) / n_steps


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="one step of the first experiment: whether it runs")
    parser.add_argument("--config", default=str(ROOT / "config" / "vnc_sparse.yaml"), help="configuration file")
    parser.add_argument("--seconds", type=float, default=60, help="time of a training, s")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = []
    for experiment in experiments(args.config)[: 1 if args.quick else None]:
        seconds = seconds_per_step(experiment, 1 if args.quick else args.steps)
        told = ", ".join([experiment["network"], *(f"{k} {v}" for k, v in experiment["options"].items())])
        window, batch = str(tuple(experiment["window"])), str(experiment["training"]["batch_size"])
        rows.append([told, window, batch, 1 / seconds, str(round(args.seconds / seconds))])
    columns = ["network", "window", "batch", "steps/s", f"steps in {args.seconds:g} s"]
    note = f"Processor time of one thread; {Path(args.config).name}; random images; the mean of {args.steps} steps."
    measuring.report("equal_time", columns, rows, args, notes=[note])


if __name__ == "__main__":
    main()
