"""Training on the device: the same step as on the CPU, no waiting for the device in between, a run from end to end."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

yaml = pytest.importorskip("yaml", reason="the presets are read from config/presets.yaml")
pytest.importorskip("pandas", reason="densecell.metrics makes tables with it")

from densecell import training  # noqa: E402
from densecell.devices import Computation  # noqa: E402
from densecell.networks import build_network  # noqa: E402
from densecell.sampling import Region, Sampler  # noqa: E402

PRESETS = Path(__file__).resolve().parents[2] / "config" / "presets.yaml"
N_CLASSES, WINDOW, SPACING = 3, (3, 40, 40), (2, 20, 20)
# operations whose result the host must see before it goes on: on a GPU it waits for them
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "repeat_interleave"}


def settings(**changes):
    presets = yaml.safe_load(PRESETS.read_text())["presets"]
    robust = next(p for p in presets if p["name"] == "robust")["training"]
    return {**robust, "steps": 4, "evaluate_every_steps": 2, "precision": "float32", **changes}


def region(device, seed=0):
    """A region of three classes by intensity, a tenth of it unlabelled, one slice of context on each side."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, (7, 8, 8)).repeat(10, 1).repeat(10, 2).astype(np.uint8)
    image = (labels + rng.normal(0, 0.3, labels.shape)).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = 255
    labels[[0, -1]] = 255
    weights = (labels != 255).astype(np.float32)
    tensors = (torch.from_numpy(a).to(device) for a in (image, labels, weights))
    return Region(*tensors, ((1, 6), (0, 80), (0, 80)))


def network():
    torch.manual_seed(0)
    return build_network("hybrid_2d3d_333", n_classes=N_CLASSES, base_width=4, norm="instance")


def prepared(device, precision="float32", channels_last="auto"):
    """(network on the device, computation, sampler whose first epoch is drawn)."""
    computation = Computation(device, precision, channels_last)
    placed = computation.place(network()).train()
    sampler = Sampler([region(device)], placed, WINDOW, SPACING, settings(), data_seed=1)
    sampler.start(0)
    return placed, computation, sampler


def one_step(device, channels_last="auto"):
    """Loss, gradients and change of the weights of the first step, on the CPU."""
    placed, computation, sampler = prepared(device, channels_last=channels_last)
    before = [p.detach().clone() for p in placed.parameters()]
    optimizer = training.make_optimizer(placed, settings())
    loss = training.optimize(placed, optimizer, [sampler[0]], settings(), computation, 0.003)
    gradients = torch.cat([p.grad.flatten().cpu() for p in placed.parameters()])
    changes = torch.cat([(p.detach() - b).flatten().cpu() for p, b in zip(placed.parameters(), before)])
    return loss.item(), gradients, changes


class NoWaiting(TorchDispatchMode):
    """Raises where an operation makes the host wait for its result: what CUDA's own check does, for the CPU."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        masks = name.startswith("index") and any(t is not None and t.dtype == torch.bool for t in args[1] or ())
        if name in WAITING or masks:
            raise RuntimeError(f"{name} makes the host wait for the device")
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def no_waiting(device):
    """Any wait of the host for the device raises RuntimeError."""
    if device == "cpu":
        with NoWaiting():
            yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_step_on_the_device_is_the_step_on_the_cpu(device):
    loss, gradients, changes = one_step(device)
    expected_loss, expected_gradients, expected_changes = one_step("cpu", channels_last=False)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    assert (gradients - expected_gradients).norm() < 1e-3 * expected_gradients.norm()
    # Adam's first step has the size of the learning rate whatever the gradient, and so where it is all but zero
    assert (changes - expected_changes).norm() < 0.05 * expected_changes.norm() > 0


def test_a_wait_for_the_device_is_noticed(device):
    x = torch.arange(4.0, device=device)
    for wait in (lambda: x[0].item(), lambda: x[x > 1], lambda: bool((x > 1).any())):
        with pytest.raises(RuntimeError), no_waiting(device):
            wait()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_do_not_wait_for_the_device(device, precision):
    placed, computation, sampler = prepared(device, precision)
    # on the CPU Adam reads its step number from a tensor, which on a GPU stays on the host
    optimizer = torch.optim.SGD(placed.parameters(), 0.001) if device == "cpu" else None
    optimizer = optimizer or training.make_optimizer(placed, settings())
    training.optimize(
        placed, optimizer, [sampler[0]], settings(), computation, 0.003
    )  # state is made, kernels are chosen
    losses = []
    with no_waiting(device):
        for number in range(1, 5):
            losses.append(training.optimize(placed, optimizer, [sampler[number]], settings(), computation, 0.003))
    assert len(losses) == 4 and torch.isfinite(torch.stack(losses)).all()


def test_a_run_on_the_device_from_end_to_end(device):
    placed, computation, sampler = prepared(device)
    run = training.train(
        placed, sampler, [region("cpu", seed=1)], settings(), computation, np.arange(N_CLASSES), say=lambda line: None
    )
    assert [row["step"] for row in run.history] == [2, 4]
    assert all(0 <= row["eval_miou"] <= 1 and np.isfinite(row["training_loss"]) for row in run.history)
    assert all(tensor.device.type == "cpu" for tensor in run.best_state.values())
