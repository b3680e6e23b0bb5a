"""The training loop, in plain sight."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils._pytree import tree_map

from brisc.config import Run, TrainingPlan
from brisc.data.dataset import Batch, Samples, TrainingBatches
from brisc.errors import InputError
from brisc.progress import Items, Track, silent
from brisc.training import resume
from brisc.training.device import build_fabric, compiled, to_device, workers_on
from brisc.training.losses import TotalLoss
from brisc.training.optim import RunningMean, build_optimizer, learning_rate
from brisc.training.result import versions, write_result
from brisc.training.validation import validate

DROPOUT_STREAM = 31


@dataclass
class Progress:
    """How far a run is; what a checkpoint holds beside the state of net, loss and optimizer.

    best: {"score", "epoch", "weights", "images"} of the best epoch, epoch 0 before there is one; images: the
    score of each validation image. diverged_at: the epoch whose loss was not finite, 0 while there is none.
    """

    history: list[dict[str, Any]]
    best: dict[str, Any]
    seconds: float
    diverged_at: int


@dataclass(frozen=True)
class Learner:
    """A net with all that training changes. wrapped: the net as fabric runs it; mean: its running mean over
    steps, None where there is none."""

    net: nn.Module
    wrapped: Any
    criterion: TotalLoss
    optimizer: torch.optim.Optimizer
    mean: RunningMean | None

    @property
    def judged(self) -> nn.Module:
        """What is validated and kept."""
        return self.net if self.mean is None else self.mean.module

    def parts(self) -> dict[str, Any]:
        parts = {"net": self.net, "loss": self.criterion, "optimizer": self.optimizer}
        return parts if self.mean is None else {**parts, "averaged": self.mean}


def fit(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    plan: TrainingPlan,
    scratch: Path,
    keep_weights: bool,
    track: Track,
    log: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Train `net` and write into the folder `out` what `write_result` says, of the epoch of the best score.

    The score is the mean over the net's heads of per-image Dice and accuracy on validation. Everything but
    cost.json depends on plan and data alone. A loss that is not finite raises InputError, unless the run
    `may_diverge`: then it ends there, and that it diverged is its result. clock: decides when a checkpoint is
    due.
    """
    versions()  # a package without its metadata is found out now, not when all is trained
    torch.backends.cudnn.benchmark = not plan.run.portable_cpu  # the fastest of the algorithms, measured
    fabric = build_fabric(plan.run, net, devices=plan.run.devices)
    fabric.launch()
    if not fabric.is_global_zero:  # one of several processes tells
        track, log = silent, lambda line: None
    fingerprint = resume.run_fingerprint(plan, samples.fingerprint)
    scratch = scratch / fingerprint[:16]
    with resume.hold(scratch) if fabric.is_global_zero else nullcontext():
        learner = set_up(net, fabric, plan.run)
        checkpoint = scratch / "checkpoint.pt"
        state = resume.load_checkpoint(checkpoint, learner.parts(), log)
        progress = Progress([], {"score": -1.0, "epoch": 0}, 0.0, 0) if state is None else Progress(**state)
        with resume.Checkpoints(checkpoint, seconds=plan.run.checkpoint_seconds, clock=clock) as checkpoints:
            train_epochs(
                learner, samples, fabric, plan.run, progress, checkpoints=checkpoints, track=track, log=log
            )
        if fabric.is_global_zero:
            write_result(
                net,
                samples,
                out,
                vars(progress),
                fabric.device,
                plan=plan,
                fingerprint=fingerprint,
                keep_weights=keep_weights,
            )
            resume.drop_others(scratch)


def set_up(net: nn.Module, fabric: Fabric, run: Run) -> Learner:
    if run.channels_last:
        net = net.to(memory_format=torch.channels_last)
    criterion = TotalLoss(run.loss).to(fabric.device)
    optimizer = build_optimizer([*net.parameters(), *criterion.parameters()], run.optimizer)
    wrapped, optimizer = fabric.setup(compiled(net, run), optimizer)
    mean = RunningMean(net, decay=run.ema_decay) if run.ema_decay > 0 else None
    return Learner(net, wrapped, criterion, optimizer, mean)


def training_batches(samples: Samples, fabric: Fabric, run: Run) -> TrainingBatches:
    return TrainingBatches(
        samples,
        samples.rows("train", healthy=run.healthy_slices),
        batch_size=run.batch_size,
        augment=run.augment,
        seed=run.seed,
        workers=workers_on(fabric.device, run.workers),
        pinned=fabric.device.type == "cuda",
        rank=fabric.global_rank,
        world=fabric.world_size,
    )


def train_epochs(
    learner: Learner,
    samples: Samples,
    fabric: Fabric,
    run: Run,
    progress: Progress,
    *,
    checkpoints: resume.Checkpoints,
    track: Track,
    log: Callable[[str], None],
) -> None:
    """Epochs from where `progress` is until the run is over."""
    history, batches = progress.history, training_batches(samples, fabric, run)
    while not is_over(run, progress):
        epoch, started = len(history) + 1, time.perf_counter()
        rate = learning_rate(run, [row["validation_score"] for row in history])
        for group in learner.optimizer.param_groups:
            group["lr"] = rate
        seed_dropout(run.seed, epoch)
        name = f"epoch {epoch}/{run.epochs}"
        train_loss = train_epoch(learner, batches.epoch(epoch), fabric, run, track, name)
        share_buffers(learner, fabric)
        validation = validate(learner.judged, learner.criterion, samples, fabric, run)
        # One decision for all devices, which may round differently.
        validation_loss, images = fabric.broadcast(validation)
        scores = {name: float(values.mean()) for name, values in images.items()}
        score = sum(scores.values()) / len(scores)
        losses = {"train_loss": train_loss, "validation_loss": validation_loss}
        if not np.isfinite(list(losses.values())).all():
            progress.diverged_at = diverged(run, epoch, losses)
        elif score > progress.best["score"]:
            weights = tree_map(resume.copied, learner.judged.state_dict())
            progress.best = {"score": score, "epoch": epoch, "weights": weights, "images": images}
        named = {f"validation_{name}": value for name, value in scores.items()}
        history.append({"epoch": epoch, "learning_rate": rate, **losses, **named, "validation_score": score})
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        log(describe(history[-1], run.epochs, seconds, progress.seconds / epoch * (run.epochs - epoch)))
        if fabric.is_global_zero:
            checkpoints.offer(learner.parts(), vars(progress), last=is_over(run, progress))
        fabric.barrier()


def is_over(run: Run, progress: Progress) -> bool:
    """At the last epoch, at early stopping, at divergence."""
    epochs = len(progress.history)
    return (
        progress.diverged_at > 0
        or epochs >= run.epochs
        or epochs - progress.best["epoch"] >= run.early_stopping_patience
    )


def train_epoch(
    learner: Learner, batches: Items[Batch], fabric: Fabric, run: Run, track: Track, name: str
) -> float:
    """One pass over the batches; the mean loss of an image."""
    learner.wrapped.train()
    total, seen = torch.zeros((), device=fabric.device), 0
    for index, batch in enumerate(track(batches, name)):
        batch = to_device(batch, fabric.device, run.channels_last)
        first = index // run.accumulate * run.accumulate  # of the batches that share this step
        group = min(run.accumulate, len(batches) - first)
        last = index == first + group - 1
        with fabric.no_backward_sync(learner.wrapped, enabled=not last):
            loss = learner.criterion(learner.wrapped(batch["image"]), batch)
            fabric.backward(loss / group)
        if last:
            step(learner, fabric)
        total += loss.detach() * len(batch["image"])
        seen += len(batch["image"])
    mean = fabric.all_reduce(total / seen, reduce_op="mean")
    assert isinstance(mean, torch.Tensor)
    return mean.item()


def step(learner: Learner, fabric: Fabric) -> None:
    for balance in learner.criterion.parameters():  # fabric keeps the net equal over devices, not the loss
        assert balance.grad is not None
        balance.grad = torch.as_tensor(fabric.all_reduce(balance.grad, reduce_op="mean"))
    learner.optimizer.step()
    learner.optimizer.zero_grad()
    if learner.mean is not None:
        learner.mean.update()


def share_buffers(learner: Learner, fabric: Fabric) -> None:
    """Give all devices the first one's running statistics, of which each has gathered its own: else they
    would judge one net differently."""
    if fabric.world_size > 1:
        nets = [learner.net] if learner.mean is None else [learner.net, learner.mean.module]
        for buffer in (buffer for net in nets for buffer in net.buffers()):
            torch.distributed.broadcast(buffer, src=0)


def seed_dropout(seed: int, epoch: int) -> None:
    """From here on torch draws as in an unbroken run, in whatever epoch this one was resumed."""
    torch.manual_seed(int(np.random.SeedSequence([seed, DROPOUT_STREAM, epoch]).generate_state(1)[0]))


def diverged(run: Run, epoch: int, losses: dict[str, float]) -> int:
    """The epoch, for a run that may diverge; else InputError."""
    if run.may_diverge:
        return epoch
    raise InputError(
        "the loss is not finite",
        where=f"epoch {epoch}",
        got=f"training {losses['train_loss']}, validation {losses['validation_loss']}",
        expected="finite numbers",
        mend="Lower optimizer.learning_rate or train with precision 32-true.",
    )


def describe(row: dict[str, Any], epochs: int, seconds: float, left: float) -> str:
    """An epoch in one line of a log, the time left at the mean pace so far."""
    shown = {
        name.replace("_", " "): value for name, value in row.items() if name not in ("epoch", "learning_rate")
    }
    values = "  ".join(f"{name} {value:.4f}" for name, value in shown.items() if name != "validation score")
    return f"epoch {row['epoch']}/{epochs}  {values}  {seconds:.1f} s, {left:.0f} s left"
