"""Training of one network with one pair of seeds (Guay et al. 2021, Methods).

Every random draw comes from a generator keyed by (data seed, epoch, window), so a run killed and resumed repeats the
same numbers; with equal threads, instruction set and packages the checkpoints are equal bit for bit on the CPU.
"""

import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch

from densecell import augmentation, prediction, windows
from densecell.classes import UNLABELLED
from densecell.losses import get_loss
from densecell.metrics import METRICS, confusion_counts


@dataclass
class Region:
    """A labelled region with the context around it.

    image: (Z, Y, X) float32 normalized, region plus context; labels (uint8, 255 = unlabelled) and weights (float32):
    same shape, unlabelled and 0 in the context; inner: three (start, stop) of the region in it.
    """

    image: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    inner: tuple

    @property
    def shape(self):
        return tuple(b - a for a, b in self.inner)


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


class Sampler:
    """The windows of one epoch over all training regions, deformed once for the epoch."""

    def __init__(self, regions, network, window, spacing, settings, data_seed):
        self.regions, self.window, self.spacing = regions, tuple(window), tuple(spacing)
        self.output = network.output_shape(window)
        self.settings, self.data_seed = settings["augmentation"], data_seed
        self.ranges = [float(r.image.max() - r.image.min()) for r in regions]
        self._epoch = None

    def count(self):
        """Windows per epoch."""
        return sum(windows.count_windows(r.shape, self.output, self.spacing) for r in self.regions)

    def start(self, epoch):
        """Draw the epoch's corners and deformation; windows without a labelled voxel are left out."""
        if epoch == self._epoch:
            return
        self._epoch, self.order, self.deformed = epoch, [], []
        for i, region in enumerate(self.regions):
            generator = np.random.default_rng([self.data_seed, epoch, i])
            for corner in windows.draw_corners(region.shape, self.output, self.spacing, generator):
                self.order.append((i, tuple(int(c) for c in corner)))
            tensors = (region.image, region.labels, region.weights)
            if self.settings["elastic"]:
                displacement = augmentation.elastic_displacement(
                    region.image.shape[1:],
                    generator,
                    self.settings["elastic_grid_px"],
                    self.settings["elastic_smoothing"],
                    self.settings["elastic_amplitude_px"],
                )
                index = torch.from_numpy(augmentation.elastic_index(displacement)).to(region.image.device)
                tensors = tuple(augmentation.deform(t, index) for t in tensors)
            self.deformed.append(tensors)
        if len(self.regions) > 1:
            order = np.random.default_rng([self.data_seed, epoch, len(self.regions)]).permutation(len(self.order))
            self.order = [self.order[i] for i in order]

    def __getitem__(self, number):
        """Window `number` of the epoch: image (1, Z, Y, X), labels and weights (Z', Y', X'); None if all unlabelled."""
        i, corner = self.order[number]
        image, labels, weights = self.deformed[i]
        first = tuple(c + inner[0] for c, inner in zip(corner, self.regions[i].inner))
        box = tuple(slice(f, f + n) for f, n in zip(first, self.output))
        labels, weights = labels[box], weights[box]
        if not bool((labels != UNLABELLED).any()):
            return None
        start = windows.input_start(first, self.window, self.output)
        index = [windows.mirror(s, n, size) for s, n, size in zip(start, self.window, image.shape)]
        z, y, x = (torch.from_numpy(j).to(image.device) for j in index)
        image = image[z[:, None, None], y[:, None], x]
        generator = np.random.default_rng([self.data_seed, self._epoch, 1_000_003, number])
        options = {k: self.settings[k] for k in ("flip", "rot90", "brightness", "contrast")}
        image, (labels, weights) = augmentation.augment_window(
            image, [labels, weights], generator, intensity_range=self.ranges[i], **options
        )
        return image[None], labels, weights


@torch.no_grad()
def evaluate(network, tile, regions, computation, group_ids):
    """IoU per class and MIoU(all) of the stitched prediction of the regions, each voxel once.

    Returns (miou, iou per class with NaN where the class is in neither); classes the reference lacks are NaN too when
    nothing of them is predicted.
    """
    network.eval()
    n_classes = len(group_ids)
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    member = prediction.Member(network, tile)
    for region in regions:
        sink = prediction.ArraySink(region.image.shape)
        prediction.predict([member], region.image.numpy(), computation, sink)
        inner = tuple(slice(a, b) for a, b in region.inner)
        confusion += confusion_counts(region.labels.numpy()[inner], sink.labels[inner], n_classes).sum(axis=0)
    network.train()
    iou = METRICS["iou"].function(confusion, group_ids)
    present = confusion.sum(axis=1) > 0
    return float(METRICS["miou_all"].function(confusion, group_ids)), np.where(present, iou, np.nan)


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


def train(
    network,
    sampler,
    eval_regions,
    settings,
    computation,
    group_ids,
    *,
    tile=None,
    run=None,
    restart=None,
    snapshots=None,
    say=print,
):
    """Train `network` in place; returns the Run with the best state (by eval MIoU over all classes) and history.

    settings: as in config/presets.yaml. tile: input (Z, Y, X) of the network in evaluations, default the training window.
    snapshots: None, or an object with every_steps that is called with (network, step) before the first step and every
    so many steps. restart: None, or an object with load(network, optimizer) -> Run or None,
    save(network, optimizer, run), called every save_every_minutes, at each evaluation and when its asked_to_stop is
    true. say: prints progress lines.
    """
    per_epoch = sampler.count()
    n_steps = settings["steps"] or settings["epochs"] * math.ceil(per_epoch / settings["batch_size"])
    steps_per_epoch = math.ceil(per_epoch / settings["batch_size"])
    evaluate_every = settings["evaluate_every_steps"] or steps_per_epoch
    loss_function = get_loss(settings["loss"])
    computation.place(network).train()
    optimizer = make_optimizer(network, settings)
    run = (restart.load(network, optimizer) if restart else None) or run or Run()
    say(
        f"{n_steps} steps, {per_epoch} windows per epoch, {computation}"
        + (f"; resuming at step {run.step}" if run.step else "")
    )
    tile = tuple(tile or sampler.window)
    if snapshots and run.step == 0:
        snapshots(network, 0)
    started, first_step, last_line, last_save = time.monotonic(), run.step, time.monotonic(), time.monotonic()

    while run.step < n_steps and not run.stopped:
        epoch, position = divmod(run.step, steps_per_epoch)
        sampler.start(epoch)
        numbers = range(position * settings["batch_size"], min((position + 1) * settings["batch_size"], per_epoch))
        batch = [w for w in (sampler[n] for n in numbers) if w is not None]
        if batch:
            image, labels, weights = (torch.stack(t) for t in zip(*batch))
            outputs = computation.forward(network, image)
            loss = loss_function(
                outputs,
                labels.to(computation.device),
                weights.to(computation.device),
                settings["loss_reduction"],
                settings["auxiliary_weight"],
                settings["main_weight"],
            )
            if not torch.isfinite(loss):
                raise ValueError(
                    f"training diverged: the loss is {loss.item()} at step {run.step}. "
                    "Lower experiments.training.learning_rate, set gradient_clip, or use the robust preset."
                )
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(run.step, n_steps, settings)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if settings["gradient_clip"]:
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings["gradient_clip"])
            optimizer.step()
            run.loss_sum += loss.item()
            run.loss_count += 1
        run.step += 1

        now = time.monotonic()
        if now - last_line > 10:
            speed = (run.step - first_step) / (now - started)
            left = (n_steps - run.step) / speed
            say(
                f"step {run.step}/{n_steps}, loss {run.loss_sum / max(1, run.loss_count):.4g}, {speed * settings['batch_size']:.2f} windows/s, {duration(left)} left"
            )
            last_line = now
        if snapshots and run.step % snapshots.every_steps == 0:
            snapshots(network, run.step)
        if run.step % evaluate_every == 0 or run.step == n_steps:
            _evaluate(network, tile, eval_regions, settings, computation, group_ids, run, n_steps, epoch, say)
            last_save = -math.inf
        if restart and (restart.asked_to_stop or now - last_save > 60 * settings["save_every_minutes"]):
            restart.save(network, optimizer, run)
            last_save = time.monotonic()
    return run


def _evaluate(network, tile, regions, settings, computation, group_ids, run, n_steps, epoch, say):
    """One evaluation: score, history rows, the best state so far, the early stop."""
    miou, iou = evaluate(network, tile, regions, computation, group_ids)
    loss = run.loss_sum / max(1, run.loss_count)
    rate = learning_rate(run.step - 1, n_steps, settings)
    run.history.append(
        {
            "step": run.step,
            "epoch": epoch,
            "learning_rate": rate,
            "training_loss": loss,
            "eval_miou": miou,
            "eval_iou": iou.tolist(),
        }
    )
    run.loss_sum, run.loss_count = 0.0, 0
    better = miou > run.best_miou
    say(
        f"step {run.step}/{n_steps}, epoch {epoch}: loss {loss:.4g}, eval MIoU {miou:.4f}{' (best so far)' if better else ''}"
    )
    if better:
        run.best_miou, run.best_step = miou, run.step
        run.best_state = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in network.state_dict().items()}
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
