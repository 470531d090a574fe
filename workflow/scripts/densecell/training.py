"""Training of one network with one pair of seeds (Guay et al. 2021, Methods).

Every random draw comes from a generator keyed by (data seed, epoch, window), so a run killed and resumed repeats the
same numbers; with equal threads, instruction set and packages the checkpoints are equal bit for bit on the CPU.
"""

import contextlib
import math
import time
from dataclasses import dataclass, field

import torch

from densecell.evaluation import Meaning, evaluation_schedule, evaluation_voxels
from densecell.losses import get_loss

LOOK_EVERY = 50  # steps, at most, between two looks at the loss: at each the host waits for the GPU
HISTORY_ROWS = 100  # at most, of a training without evaluations

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def make_optimizer(network, settings):
    """Adam with L2 as weight decay in the gradient (the paper's), or AdamW; one group per parameter group.

    Raises ValueError when a parameter group of the network has no L2 value.
    """
    groups = []
    for name, parameters in network.parameter_groups().items():
        if name not in settings["l2"]:
            raise ValueError(f"experiments.training.l2: no value for the parameter group {name!r}.")
        groups.append({"params": parameters, "weight_decay": settings["l2"][name]})
    name = settings["optimizer"]
    if name not in OPTIMIZERS:
        raise ValueError(f"experiments.training.optimizer: unknown {name!r}; known: {', '.join(OPTIMIZERS)}.")
    return OPTIMIZERS[name](
        groups, lr=settings["learning_rate"], betas=tuple(settings["betas"]), eps=settings["epsilon"]
    )


def staircase(step, n_steps, settings):
    """decay_factor every decay_steps, in steps (Guay et al. 2021: 0.75 every 10^3.4)."""
    return settings["decay_factor"] ** math.floor(step / settings["decay_steps"])


def polynomial(step, n_steps, settings):
    """(1 - step / n_steps)^power: reaches 0 at the end of the budget."""
    return (1 - step / n_steps) ** settings["polynomial_power"]


SCHEDULES = {"staircase": staircase, "polynomial": polynomial, "constant": lambda step, n_steps, settings: 1.0}


def learning_rate(step, n_steps, settings):
    """The learning rate of optimizer step `step` (0-based) out of `n_steps`, warm-up included."""
    if settings["schedule"] not in SCHEDULES:
        raise ValueError(
            f"experiments.training.schedule: unknown {settings['schedule']!r}; known: {', '.join(SCHEDULES)}."
        )
    rate = settings["learning_rate"] * SCHEDULES[settings["schedule"]](step, n_steps, settings)
    return rate * min(1.0, (step + 1) / (settings["warmup_steps"] + 1))


@dataclass
class Run:
    """What a training run remembers: everything its restart state holds beside network and optimizer."""

    step: int = 0
    best_miou: float = -1.0
    best_step: int = -1
    best_state: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    loss_sum: float = 0.0
    loss_count: int = 0
    stopped: str = ""


class Stopwatch:
    """Seconds by what they were spent on."""

    def __init__(self):
        self.seconds, self.started = {}, time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, what):
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - started

    def __str__(self):
        total = time.perf_counter() - self.started
        parts = ", ".join(f"{what} {duration(s)} ({s / total:.1%})" for what, s in self.seconds.items())
        return f"{duration(total)}: {parts}"


def train(
    network,
    sampler,
    eval_regions,
    settings,
    computation,
    meaning,
    *,
    tile=None,
    run=None,
    restart=None,
    snapshots=None,
    say=print,
):
    """Train `network` in place; returns the Run with the best state (by eval MIoU over all classes or targets) and history.

    eval_regions: sampling.Regions, with sigmoid LabelledSlices; without any nothing is evaluated, the best state is the last and
    the history holds losses. settings: as in config/presets.yaml. meaning: of the outputs (`evaluation.Meaning`), or only the
    group_ids of classes. tile: input (Z, Y, X) of the network in evaluations, default the training window.
    snapshots: None, or an object with every_steps that is called with (network, step) before the first step and every
    so many steps. restart: None, or an object with load(network, optimizer) -> Run or None,
    save(network, optimizer, run), called every save_every_minutes, at each evaluation and when its asked_to_stop is
    true. say: prints progress lines. Raises ValueError when a loss or a weight is not a number, before the state is
    evaluated, filmed or saved.
    """
    meaning = meaning if isinstance(meaning, Meaning) else Meaning(meaning)
    per_epoch, tile = sampler.count(), tuple(tile or sampler.window)
    steps_per_epoch = math.ceil(per_epoch / settings["batch_size"])
    n_steps = settings["steps"] or settings["epochs"] * steps_per_epoch
    if eval_regions:
        evaluation = evaluation_voxels(network, tile, eval_regions, computation)
        every, share = evaluation_schedule(settings, steps_per_epoch, sampler.window, evaluation)
    else:
        epochs = math.ceil(n_steps / (HISTORY_ROWS * steps_per_epoch))
        every, share = settings["evaluate_every_steps"] or epochs * steps_per_epoch, 0
    computation.place(network).train()
    optimizer = make_optimizer(network, settings)
    run = (restart.load(network, optimizer) if restart else None) or run or Run()
    resuming = f"; resuming at step {run.step}" if run.step else ""
    say(f"{n_steps} steps, {per_epoch} windows per epoch, {computation}{resuming}")
    say_costs(settings, every, share, n_steps, say)
    if snapshots and run.step == 0:
        snapshots(network, 0)
    started, first_step, last_line, last_save = time.monotonic(), run.step, time.monotonic(), time.monotonic()
    spent, pending = Stopwatch(), []

    while run.step < n_steps and not run.stopped:
        epoch, position = divmod(run.step, steps_per_epoch)
        with spent("sampler"):
            sampler.start(epoch)
            numbers = range(position * settings["batch_size"], min((position + 1) * settings["batch_size"], per_epoch))
            batch = [w for w in (sampler[n] for n in numbers) if w is not None]
        if batch:
            with spent("steps"):
                rate = learning_rate(run.step, n_steps, settings)
                loss = optimize(network, optimizer, batch, settings, computation, rate, meaning.activation)
                pending.append((run.step, loss))
        run.step += 1

        now = time.monotonic()
        line, film = now - last_line > 10, snapshots and run.step % snapshots.every_steps == 0
        score = run.step % every == 0 or run.step == n_steps
        due = now - last_save > 60 * settings["save_every_minutes"]
        save = restart and ((score and eval_regions) or restart.asked_to_stop or due)
        if line or film or score or save or len(pending) == LOOK_EVERY:
            with spent("steps"):
                look(pending, run, network if film or score or save else None)
        if line:
            speed = (run.step - first_step) / (now - started)
            loss, left = run.loss_sum / max(1, run.loss_count), duration((n_steps - run.step) / speed)
            say(
                f"step {run.step}/{n_steps}, loss {loss:.4g}, {speed * settings['batch_size']:.2f} windows/s, {left} left"
            )
            last_line = now
        if film:
            with spent("snapshots"):
                snapshots(network, run.step)
        if score:
            row = close_row(run, settings, n_steps, epoch)
            if eval_regions:
                with spent("evaluations"):
                    scores = meaning.evaluate(network, tile, eval_regions, computation)
                    take_scores(network, scores, row, settings, run, n_steps, say)
        if save:
            with spent("restart states"):
                restart.save(network, optimizer, run)
            last_save = time.monotonic()
    if not eval_regions:
        run.best_miou, run.best_step, run.best_state = None, run.step, state_of(network)
    say(f"{run.step - first_step} steps in {spent}")
    return run


def say_costs(settings, every, share, n_steps, say):
    """Tell what evaluations cost, or that there are none."""
    given = f", as evaluate_every_steps says (evaluation_share: {settings['evaluation_share']:.1%})"
    costs = f"an evaluation every {every} steps costs {share:.1%} of them"
    if every >= n_steps:
        costs = f"an evaluation once, at the end, costs {share * every / n_steps:.1%} of the {n_steps} steps"
    if not share:
        costs, given = f"no evaluation: the last step is the network; the loss is noted every {every} steps", ""
    say(f"{costs}{given if settings['evaluate_every_steps'] else ''}")


def state_of(network):
    """A copy of the weights {name: tensor} in memory."""
    return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in network.state_dict().items()}


def optimize(network, optimizer, batch, settings, computation, rate, activation="softmax"):
    """One optimizer step with the learning rate `rate` on a list of windows as of `sampling.Sampler`.

    Returns the loss as a tensor on the device; nothing here waits for it.
    """
    image, labels, weights = (torch.stack(tensors).to(computation.device) for tensors in zip(*batch))
    outputs = computation.forward(network, image)
    loss = get_loss(settings, activation)(outputs, labels, weights)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if settings["gradient_clip"]:
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings["gradient_clip"])
    optimizer.step()
    return loss.detach()


def look(pending, run, network=None):
    """Add the losses of the steps since the last look, a list of (step, tensor), to the run, and empty the list.

    The one place where the host waits for the device. Raises ValueError when a loss is not a number, or, with the
    network, when one of its weights isn't: each loss was computed before the update of its step.
    """
    values = [loss for _, loss in pending]
    if network is not None:
        weights = [v.detach() for v in network.state_dict().values() if v.is_floating_point()]
        values.append(torch.nn.utils.get_total_norm(weights, math.inf).to(torch.float32))
    values = torch.stack(values).tolist() if values else []
    found = [(f"the loss is {loss} at step {step}", loss) for (step, _), loss in zip(pending, values)]
    found += [(f"a weight is {value} after {run.step} steps", value) for value in values[len(pending) :]]
    for text, value in found:
        if not math.isfinite(value):
            raise ValueError(
                f"training diverged: {text}. "
                "Lower experiments.training.learning_rate, set gradient_clip, or use the robust preset."
            )
    for loss in values[: len(pending)]:
        run.loss_sum += loss
        run.loss_count += 1
    pending.clear()


def close_row(run, settings, n_steps, epoch):
    """Add a row with the mean loss since the last one to the history; returns it."""
    loss = run.loss_sum / max(1, run.loss_count)
    rate = learning_rate(run.step - 1, n_steps, settings)
    run.history.append({"step": run.step, "epoch": epoch, "learning_rate": rate, "training_loss": loss})
    run.loss_sum, run.loss_count = 0.0, 0
    return run.history[-1]


def take_scores(network, scores, row, settings, run, n_steps, say):
    """Put the scores (mean IoU, IoU of each class) into the history's row; keep the best state so far; the early stop."""
    miou, iou = scores
    row |= {"eval_miou": miou, "eval_iou": iou.tolist()}
    score, epoch = -1.0 if math.isnan(miou) else miou, row["epoch"]  # nan: nothing there and nothing found
    better = score > run.best_miou or run.best_step < 0
    say(
        f"step {run.step}/{n_steps}, epoch {epoch}: loss {row['training_loss']:.4g}, eval MIoU {miou:.4f}"
        f"{' (best so far)' if better else ''}"
    )
    if better:
        run.best_miou, run.best_step, run.best_state = score, run.step, state_of(network)
    limit = settings["stop_below_miou"]
    if limit and epoch >= settings["stop_after_epochs"] and run.best_miou < limit and run.step < n_steps:
        run.stopped = f"best eval MIoU {run.best_miou:.3f} below {limit} after {epoch} epochs"
        say(f"stopped: {run.stopped}")


def duration(seconds):
    """Seconds as a person reads them: 42 s, 3 min 20 s, 2 h 05 min."""
    seconds = int(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
