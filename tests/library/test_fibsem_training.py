"""The networks for FIB-SEM stacks in a training: killed and resumed equals never interrupted, batch statistics included."""

import pytest
import test_training as tiny
import torch

from densecell import sampling, training
from densecell.devices import Computation
from densecell.networks import build_network

OPTIONS = {
    "resunet": {"norm_momentum": 0.1},
    "setr_pup": {"size": "small", "side_px": 32},
    "transunet": {"size": "small", "side_px": 48},  # an embedding that is interpolated
}


def train(name, settings, seed=0, restart=None):
    """(network, Run) of a tiny training."""
    torch.manual_seed(seed)
    network = build_network(name, n_classes=3, base_width=4, **OPTIONS[name])
    sampler = sampling.Sampler([tiny.region(0, (3, 40, 40))], network, (1, 32, 32), (1, 32, 32), settings, data_seed=3)
    regions, computation = [tiny.region(5, (3, 32, 32))], Computation("cpu", "float32", True)
    return network, training.train(
        network, sampler, regions, settings, computation, tiny.GROUPS, restart=restart, say=lambda _: None
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_killed_and_resumed_equals_never_interrupted(name):
    settings = tiny.settings_of(steps=4, batch_size=2, evaluate_every_steps=2, save_every_minutes=0, optimizer="adam")
    network, whole = train(name, settings)
    kept = tiny.Kept(2)
    with pytest.raises(KeyboardInterrupt):
        train(name, settings, restart=kept)
    kept.kill_at = None
    resumed_network, resumed = train(name, settings, seed=1, restart=kept)
    assert resumed.history == whole.history
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), resumed_network.state_dict().values()))
