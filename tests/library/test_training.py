"""Training: schedules by hand, the sampler's alignment, learning, resuming bit for bit, the early stop."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from densecell import training
from densecell.devices import Computation
from densecell.networks import build_network

PRESETS = yaml.safe_load((Path(__file__).parents[2] / "config/presets.yaml").read_text())["presets"]
PAPER, ROBUST = (next(p["training"] for p in PRESETS if p["name"] == n) for n in ("paper", "robust"))
GROUPS = np.array([0, 1, 2])


def region(seed=0, shape=(6, 40, 44), context=0):
    """An image whose three classes are bands of its smooth intensity."""
    generator = np.random.default_rng(seed)
    coarse = generator.standard_normal((shape[0], shape[1] // 4, shape[2] // 4))
    image = np.kron(coarse, np.ones((1, 4, 4))).astype(np.float32) + 0.1 * generator.standard_normal(shape).astype(
        np.float32
    )
    labels = np.digitize(image, [-0.5, 0.5]).astype(np.uint8)
    if context:
        labels[:context] = labels[-context:] = 255
    inner = [(context, shape[0] - context), (0, shape[1]), (0, shape[2])]
    weights = (labels != 255).astype(np.float32)
    return training.Region(*(torch.from_numpy(a) for a in (image, labels, weights)), inner)


def make(settings, seed=1, regions=None):
    torch.manual_seed(seed)
    network = build_network("hybrid_2d3d_333", n_classes=3, base_width=4, norm="instance")
    sampler = training.Sampler(regions or [region()], network, (3, 24, 24), (2, 8, 8), settings, data_seed=seed)
    return network, sampler


def test_the_papers_staircase_and_its_last_value():
    assert training.learning_rate(0, 33120, PAPER) == 1e-3
    assert training.learning_rate(2511, 33120, PAPER) == 1e-3
    assert training.learning_rate(2512, 33120, PAPER) == pytest.approx(0.75e-3)
    assert training.learning_rate(33119, 33120, PAPER) == pytest.approx(2.376e-5, rel=1e-3)


def test_the_robust_schedule_warms_up_and_ends_at_zero_inside_the_budget():
    rates = [training.learning_rate(s, 500, ROBUST) for s in range(500)]
    assert rates[0] == pytest.approx(ROBUST["learning_rate"] / 101)
    assert np.argmax(rates) in (99, 100)
    assert rates[-1] < 0.01 * max(rates)


def test_adam_of_the_paper_has_its_groups_and_numbers():
    network, _ = make(PAPER)
    optimizer = training.make_optimizer(network, PAPER)
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["betas"] == (0.968377, 0.992057)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [1.99526e-5, 1e-5, 1e-9]
    with pytest.raises(ValueError, match="no value for the parameter group 'pyramid'"):
        training.make_optimizer(network, {**PAPER, "l2": {"encoder_decoder": 0, "predictors": 0}})


def test_image_labels_and_weights_of_a_window_stay_aligned():
    settings = {"augmentation": {**ROBUST["augmentation"], "brightness": 0, "contrast": 0}}
    data = region(context=1)
    _, sampler = make(settings, regions=[data])
    sampler.start(3)
    assert len(sampler.order) == sampler.count()
    for n in range(sampler.count()):
        image, labels, weights = sampler[n]
        found = torch.from_numpy(np.digitize(image[0].numpy(), [-0.5, 0.5]))
        labelled = labels != 255
        assert labelled.any()
        assert torch.equal(found[labelled], labels[labelled].long())
        assert torch.equal(weights > 0, labelled)


def test_a_window_without_a_label_is_left_out():
    data = region()
    data.labels[:, :, :36] = 255
    _, sampler = make({"augmentation": {**ROBUST["augmentation"], "elastic": False}}, regions=[data])
    sampler.start(0)
    windows = [sampler[n] for n in range(sampler.count())]
    assert any(w is None for w in windows)
    assert all((w[1] != 255).any() for w in windows if w is not None)


def settings_of(**changes):
    return {**ROBUST, "steps": 40, "evaluate_every_steps": 10, "warmup_steps": 5, "learning_rate": 0.01, **changes}


def test_a_network_learns_and_the_best_state_is_kept():
    settings = settings_of(steps=120, evaluate_every_steps=30)
    network, sampler = make(settings)
    lines = []
    run = training.train(
        network, sampler, [region(5)], settings, Computation("cpu", "float32"), GROUPS, say=lines.append
    )
    scores = [row["eval_miou"] for row in run.history]
    assert [row["step"] for row in run.history] == [30, 60, 90, 120]
    assert run.best_miou == max(scores) > max(0.45, 1.5 * scores[0])
    network.load_state_dict(run.best_state)
    again, _ = training.evaluate(network, (3, 24, 24), [region(5)], Computation("cpu", "float32"), GROUPS)
    assert again == run.best_miou
    assert any("eval MIoU" in line for line in lines)


class Kept:
    """Restart states in memory; `kill_at` ends the run like a signal, after the state was saved."""

    def __init__(self, kill_at=None):
        self.state, self.kill_at, self.asked_to_stop = None, kill_at, True

    def load(self, network, optimizer):
        if self.state is None:
            return None
        network.load_state_dict(self.state[0])
        optimizer.load_state_dict(self.state[1])
        return training.Run(**self.state[2])

    def save(self, network, optimizer, run):
        import copy

        self.state = copy.deepcopy((network.state_dict(), optimizer.state_dict(), vars(run)))
        if run.step == self.kill_at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kill_at", [7, 10, 23])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_killed_and_resumed_equals_never_interrupted(kill_at, precision):
    settings = settings_of(steps=26)
    computation = Computation("cpu", precision, precision == "bfloat16")
    network, sampler = make(settings)
    whole = training.train(network, sampler, [region(5)], settings, computation, GROUPS, say=lambda _: None)
    kept = Kept(kill_at)
    first, sampler = make(settings)
    with pytest.raises(KeyboardInterrupt):
        training.train(first, sampler, [region(5)], settings, computation, GROUPS, restart=kept, say=lambda _: None)
    kept.kill_at = None
    second, sampler = make(settings, seed=1)
    resumed = training.train(
        second, sampler, [region(5)], settings, computation, GROUPS, restart=kept, say=lambda _: None
    )
    assert resumed.history == whole.history
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), second.state_dict().values()))
    assert all(torch.equal(whole.best_state[k], resumed.best_state[k]) for k in whole.best_state)


def test_the_early_stop_of_the_paper():
    """Stop at the first evaluation in epoch 10 or later if the best eval MIoU so far is below 0.3."""
    settings = settings_of(steps=None, epochs=14, learning_rate=0.0, stop_below_miou=1.1, evaluate_every_steps=None)
    network, sampler = make(settings, regions=[region(0, (3, 24, 24))])
    run = training.train(
        network, sampler, [region(5)], settings, Computation("cpu", "float32"), GROUPS, say=lambda _: None
    )
    assert run.history[-1]["epoch"] == 10
    assert "below 1.1" in run.stopped


def test_a_loss_that_is_not_a_number_stops_with_advice():
    data = region()
    data.weights[:] = float("inf")
    settings = settings_of()
    network, sampler = make(settings, regions=[data])
    with pytest.raises(ValueError, match=r"diverged.*learning_rate"):
        training.train(
            network, sampler, [region(5)], settings, Computation("cpu", "float32"), GROUPS, say=lambda _: None
        )


def test_classes_absent_from_the_reference_are_nan_in_the_iou():
    data = region(5)
    data.labels[data.labels == 2] = 255
    network, _ = make(settings_of())
    _, iou = training.evaluate(network, (3, 24, 24), [data], Computation("cpu", "float32"), GROUPS)
    assert np.isnan(iou[2])
    assert not np.isnan(iou[:2]).any()
