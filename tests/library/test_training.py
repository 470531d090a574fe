"""Training: schedules by hand, learning, resuming bit for bit, evaluations within their share, no waiting for the device."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch.utils._python_dispatch import TorchDispatchMode

from densecell import evaluation, sampling, training
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.networks.blocks import InstanceNorm3d

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
    return sampling.Region(*(torch.from_numpy(a) for a in (image, labels, weights)), inner)


def make(settings, seed=1, regions=None, norm="instance"):
    torch.manual_seed(seed)
    network = build_network("hybrid_2d3d_333", n_classes=3, base_width=4, norm=norm)
    sampler = sampling.Sampler(regions or [region()], network, (3, 24, 24), (2, 8, 8), settings, data_seed=seed)
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
    again, _ = evaluation.evaluate(network, (3, 24, 24), [region(5)], Computation("cpu", "float32"), GROUPS)
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
    once_per_epoch = {"evaluate_every_steps": 1}  # its epochs are one window each
    settings = settings_of(steps=None, epochs=14, learning_rate=0.0, stop_below_miou=1.1, **once_per_epoch)
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


class Diverging:
    """A sampler whose windows weigh infinitely much from step `first` on."""

    def __init__(self, sampler, first):
        self.sampler, self.first = sampler, first
        self.window, self.count, self.start = sampler.window, sampler.count, sampler.start

    def __getitem__(self, number):
        image, labels, weights = self.sampler[number]
        return image, labels, weights * (float("inf") if number >= self.first else 1)


@pytest.mark.parametrize("save_every_minutes", [1e-9, 1e9])
def test_a_diverged_state_is_neither_evaluated_nor_saved(save_every_minutes):
    settings = settings_of(steps=30, evaluate_every_steps=10, save_every_minutes=save_every_minutes)
    network, sampler = make(settings, regions=[region(shape=(8, 56, 56))])
    kept, computation = Kept(), Computation("cpu", "float32")
    kept.asked_to_stop = False
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step 13") as error:
        training.train(
            network,
            Diverging(sampler, 13),
            [region(5)],
            settings,
            computation,
            GROUPS,
            restart=kept,
            say=lambda _: None,
        )
    assert "learning_rate" in str(error.value)
    run = training.Run(**kept.state[2])
    assert run.step == (13 if save_every_minutes < 1 else 10)
    assert [row["step"] for row in run.history] == [10]
    assert all(torch.isfinite(tensor).all() for tensor in kept.state[0].values())


def test_losses_are_added_as_they_came():
    run, pending = training.Run(loss_sum=1.0, loss_count=1), [(1, torch.tensor(0.1)), (2, torch.tensor(0.2))]
    training.look(pending, run)
    assert run.loss_sum == 1.0 + torch.tensor(0.1).item() + torch.tensor(0.2).item()
    assert (run.loss_count, pending) == (3, [])
    with pytest.raises(ValueError, match="the loss is nan at step 7"):
        training.look([(6, torch.tensor(0.5)), (7, torch.tensor(float("nan")))], run)


class Reads(TorchDispatchMode):
    """Counts values that are read from a tensor, such as by item() or bool(): on a GPU each makes the host wait."""

    def __init__(self):
        super().__init__()
        self.n, self.counts = 0, True

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.n += self.counts and function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_no_step_waits_for_the_device(monkeypatch):
    """As many values are read in 40 steps as in 20; the optimizer, whose step count is on the host, does not count."""
    data = region(shape=(8, 56, 56))
    data.labels[:, :10] = 255
    found = []
    for steps in (20, 40):
        with Reads() as reads:

            class Uncounted(torch.optim.AdamW):
                def step(self, reads=reads):
                    reads.counts = False
                    super().step()
                    reads.counts = True

            monkeypatch.setitem(training.OPTIMIZERS, "adamw", Uncounted)
            settings = settings_of(steps=steps, evaluate_every_steps=steps)
            network, sampler = make(settings, regions=[data])
            sampler.start(0)
            assert steps < sampler.count()
            before = reads.n
            training.train(network, sampler, [], settings, Computation("cpu", "float32"), GROUPS, say=lambda _: None)
            found.append(reads.n - before)
            assert torch.ones(1).item() and reads.n == before + found[-1] + 1  # it does count
    assert found[0] == found[1]


# ----------------------------------------------------------------------------------------------- when it evaluates
def test_evaluations_of_the_paper_come_once_per_epoch():
    """96 tiles against 828 steps of three passes: 3.9 % of an epoch, whatever the window."""
    window, voxels = (5, 300, 300), 96 * 5 * 300 * 300
    for preset in (PAPER, ROBUST):
        every, share = evaluation.evaluation_schedule(preset, 828, window, voxels)
        assert (every, share) == (828, pytest.approx(96 / (3 * 828)))


@pytest.mark.parametrize(
    ("changes", "every", "share"),
    [
        ({"evaluation_share": 0.03}, 2 * 828, 96 / (3 * 2 * 828)),
        ({"evaluation_share": 0.001}, 39 * 828, 96 / (3 * 39 * 828)),
        ({"evaluation_share": 0.03, "evaluate_every_steps": 100}, 100, 96 / 300),  # obeyed as given
        ({"evaluation_share": 0.01, "batch_size": 4}, 828, 96 / (12 * 828)),
    ],
)
def test_evaluations_keep_to_their_share_by_coming_after_several_epochs(changes, every, share):
    found = evaluation.evaluation_schedule({**PAPER, **changes}, 828, (5, 10, 10), 96 * 500)
    assert found == (every, pytest.approx(share))


def test_an_evaluation_counts_its_tiles():
    """(6, 40, 44) in tiles of (3, 24, 24), a third of overlap: 3 x 2 x 3 of them; a thin region gets a thin tile."""
    network, _ = make(settings_of())
    computation = Computation("cpu", "float32")
    count = evaluation.evaluation_voxels
    assert count(network, (3, 24, 24), [region()], computation) == 18 * 3 * 24 * 24
    assert count(network, (3, 24, 24), [region(), region(shape=(2, 24, 24))], computation) == (18 * 3 + 2) * 24 * 24


@pytest.mark.parametrize(("every", "expected"), [(None, [20, 40, 45]), (15, [15, 30, 45])])
def test_a_run_evaluates_when_it_may_and_says_what_that_costs(every, expected):
    """5 windows per epoch and evaluations of 18 tiles: 18 / (3 x 5) of an epoch, so every 4 epochs for a share of 0.3."""
    settings = settings_of(steps=45, evaluate_every_steps=every, evaluation_share=0.3)
    network, sampler = make(settings, regions=[region(shape=(3, 24, 60))])
    assert sampler.count() == 5
    lines = []
    run = training.train(
        network, sampler, [region(5)], settings, Computation("cpu", "float32"), GROUPS, say=lines.append
    )
    assert [row["step"] for row in run.history] == expected
    if every:
        assert "an evaluation every 15 steps costs 40.0% of them, as evaluate_every_steps says" in lines[1]
    else:
        assert lines[1] == "an evaluation every 20 steps costs 30.0% of them"
    assert all(word in lines[-1] for word in ("45 steps in", "sampler", "steps", "evaluations", "%"))


# ------------------------------------------------------------------------------------------------------- precision
def one_step(precision, norm, rounded=False):
    """(loss, gradient, network, optimizer) of a first step; rounded: with weights rounded to bfloat16 beforehand."""
    settings = settings_of(gradient_clip=None)
    network, sampler = make(settings, norm=norm)
    if rounded:
        for parameter in network.parameters():
            parameter.data = parameter.data.bfloat16().float()
    computation = Computation("cpu", precision, True)
    computation.place(network).train()
    optimizer = training.make_optimizer(network, settings)
    sampler.start(0)
    loss = training.optimize(network, optimizer, [sampler[0]], settings, computation, 0.001)
    return loss, torch.cat([p.grad.flatten() for p in network.parameters()]), network, optimizer


def difference(found, expected):
    return float(torch.linalg.norm(found - expected) / torch.linalg.norm(expected))


def test_bfloat16_trains_float32_weights_with_a_float32_loss():
    """Without norm the loss is within 0.1 % of float32's and the gradient within 5 % of its norm."""
    loss, gradient, network, optimizer = one_step("bfloat16", "none")
    exact_loss, exact_gradient, _, _ = one_step("float32", "none")
    assert loss.dtype == torch.float32
    assert {p.dtype for p in network.parameters()} == {p.grad.dtype for p in network.parameters()} == {torch.float32}
    moments = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert moments and {m.dtype for m in moments} == {torch.float32}
    assert loss.item() == pytest.approx(exact_loss.item(), rel=0.001)
    assert 0 < difference(gradient, exact_gradient) < 0.05  # 0: then both would have computed in float32


def test_bfloat16_changes_a_normalized_network_little_more_than_rounding_its_weights():
    """An untrained network with instance norm is that sensitive: its gradient turns by half when weights are rounded."""
    exact = one_step("float32", "instance")[1]
    rounding = difference(one_step("float32", "instance", rounded=True)[1], exact)
    assert difference(one_step("bfloat16", "instance")[1], exact) < 1.5 * rounding


@pytest.mark.parametrize("batch_size", [1, 2])
def test_instance_norm_of_bfloat16_features_has_float32_statistics(batch_size):
    """Summed in bfloat16, the mean of 20,480 values near 8 would stop growing far below it."""
    generator = torch.Generator().manual_seed(0)
    features = (8 + torch.randn(batch_size, 3, 5, 64, 64, generator=generator)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = InstanceNorm3d(3, affine=True)(features).float()
    axes, exact = (2, 3, 4), features.double()
    expected = (exact - exact.mean(axes, keepdim=True)) / exact.var(axes, correction=0, keepdim=True).add(1e-5).sqrt()
    assert torch.allclose(found.double(), expected, atol=0.02)  # 8 bits of values up to 4.5


def test_classes_absent_from_the_reference_are_nan_in_the_iou():
    data = region(5)
    data.labels[data.labels == 2] = 255
    network, _ = make(settings_of())
    _, iou = evaluation.evaluate(network, (3, 24, 24), [data], Computation("cpu", "float32"), GROUPS)
    assert np.isnan(iou[2])
    assert not np.isnan(iou[:2]).any()


class SpoiledBySecondStep(torch.optim.AdamW):
    """Sets the weights to NaN in its second step, as an update of a finite loss can."""

    n_steps = 0

    def step(self):
        super().step()
        self.n_steps += 1
        if self.n_steps == 2:
            with torch.no_grad():
                self.param_groups[0]["params"][0][:] = float("nan")


class Filmed:
    every_steps = 2

    def __init__(self):
        self.steps = []

    def __call__(self, network, step):
        self.steps.append(step)


@pytest.mark.parametrize("evaluate_every_steps", [2, 100])  # scored and saved in step 2, or only filmed
def test_weights_that_the_last_update_spoiled_are_neither_scored_nor_filmed_nor_saved(
    evaluate_every_steps, monkeypatch
):
    monkeypatch.setitem(training.OPTIMIZERS, "adamw", SpoiledBySecondStep)
    settings = settings_of(steps=4, evaluate_every_steps=evaluate_every_steps, save_every_minutes=1e9)
    network, sampler = make(settings)
    kept, filmed, run = Kept(), Filmed(), training.Run()
    kept.asked_to_stop = False
    monkeypatch.setattr(kept, "load", lambda network, optimizer: None)
    arguments = (network, sampler, [region(5)], settings, Computation("cpu", "float32"), GROUPS)
    with pytest.raises(ValueError, match=r"diverged: a weight is nan after 2 steps.*learning_rate"):
        training.train(*arguments, run=run, restart=kept, snapshots=filmed, say=lambda _: None)
    assert kept.state is None and run.history == [] and run.best_step == -1 and filmed.steps == [0]


def test_a_run_with_its_only_evaluation_at_the_end_says_so():
    settings = settings_of(steps=5, evaluate_every_steps=15, evaluation_share=0.3)
    network, sampler = make(settings, regions=[region(shape=(3, 24, 60))])
    lines = []
    run = training.train(
        network, sampler, [region(5)], settings, Computation("cpu", "float32"), GROUPS, say=lines.append
    )
    assert [row["step"] for row in run.history] == [5]
    assert "an evaluation once, at the end, costs 120.0% of the 5 steps, as evaluate_every_steps" in lines[1]


def test_without_eval_regions_the_last_state_is_the_best_and_the_history_holds_losses():
    settings = settings_of(steps=7, evaluate_every_steps=3, stop_below_miou=0.9, stop_after_epochs=0)
    network, sampler = make(settings)
    kept, lines = Kept(), []
    kept.asked_to_stop = False
    run = training.train(
        network, sampler, [], settings, Computation("cpu", "float32"), GROUPS, restart=kept, say=lines.append
    )
    assert [row["step"] for row in run.history] == [3, 6, 7] and kept.state is None
    assert all(row.keys() == {"step", "epoch", "learning_rate", "training_loss"} for row in run.history)
    assert run.best_step == 7 and run.best_miou is None and not run.stopped
    assert all(torch.equal(run.best_state[name], value) for name, value in network.state_dict().items())
    assert lines[1] == "no evaluation: the last step is the network; the loss is noted every 3 steps"


@pytest.mark.parametrize(("steps", "every"), [(30, 5), (600, 10), (499, 5), (501, 10)])
def test_the_loss_is_noted_once_per_epoch_but_at_most_a_hundred_times(steps, every):
    settings, lines = settings_of(steps=steps, evaluate_every_steps=None), []
    network, sampler = make(settings, regions=[region(shape=(3, 24, 60))])
    run = training.Run(step=steps, history=[{}])
    training.train(network, sampler, [], settings, Computation("cpu", "float32"), GROUPS, run=run, say=lines.append)
    assert lines[1].endswith(f"the loss is noted every {every} steps")


def test_a_run_whose_scores_are_all_undefined_keeps_its_first_state():
    network, _ = make(settings_of())
    run = training.Run()
    for step, miou in ((1, np.nan), (2, np.nan), (3, 0.0)):
        run.step = step
        row = {"epoch": 0, "training_loss": 1.0}
        training.take_scores(network, (miou, np.array([miou])), row, settings_of(), run, 9, lambda text: None)
        assert run.best_step == (1 if step < 3 else 3) and run.best_state
    assert run.best_miou == 0
