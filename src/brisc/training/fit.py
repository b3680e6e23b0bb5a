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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from brisc.config import Run, Train
from brisc.data.dataset import Samples, TrainingBatches, evaluation_batches
from brisc.errors import InputError
from brisc.progress import Track
from brisc.training import resume
from brisc.training.device import build_fabric
from brisc.training.losses import TotalLoss
from brisc.training.optim import advance, build_optimizer, build_schedule
from brisc.training.result import write_result

DROPOUT_STREAM = 31


@dataclass
class Progress:
    """How far a run is; what a checkpoint holds beside the state of net, loss, optimiser and schedule.

    best: {"score", "epoch", "weights"} of the best epoch, epoch 0 before there is one; diverged_at: the epoch
    whose loss was not finite, 0 while there is none.
    """

    history: list[dict[str, Any]]
    best: dict[str, Any]
    seconds: float
    diverged_at: int


def fit(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    run: Run,
    train: Train,
    scratch: Path,
    may_diverge: bool,
    track: Track,
    log: Callable[[str], None],
) -> None:
    """Train `net` and write out/weights.pt (the epoch of the best validation score), history.csv,
    summary.json, cost.json.

    The score is the mean over the net's heads of per-image Dice and accuracy. Everything but cost.json
    depends on knobs, data and code alone. A loss that is not finite raises InputError, unless the run
    `may_diverge`: then it ends there, and that it diverged is its result.
    """
    fabric = build_fabric(train, devices=train.devices)
    fabric.launch()
    fingerprint = resume.run_fingerprint(run, train, samples.fingerprint)
    scratch = scratch / fingerprint[:16]
    with resume.hold(scratch) if fabric.is_global_zero else nullcontext():
        progress = train_epochs(
            net,
            samples,
            fabric,
            run=run,
            train=train,
            checkpoint=scratch / "checkpoint.pt",
            may_diverge=may_diverge,
            track=track,
            log=log,
        )
        if fabric.is_global_zero:
            write_result(
                net,
                samples,
                out,
                vars(progress),
                fabric.device,
                run=run,
                train=train,
                fingerprint=fingerprint,
            )
            resume.drop_others(scratch)


def train_epochs(
    net: nn.Module,
    samples: Samples,
    fabric: Fabric,
    *,
    run: Run,
    train: Train,
    checkpoint: Path,
    may_diverge: bool,
    track: Track,
    log: Callable[[str], None],
) -> Progress:
    """Epochs from the checkpoint, or from the start, to the last one, to early stopping or to divergence."""
    train_rows = samples.rows("train", healthy=run.healthy_slices)
    if train.channels_last:
        net = net.to(memory_format=torch.channels_last)
    criterion = TotalLoss(run.loss).to(fabric.device)
    optimizer = build_optimizer([*net.parameters(), *criterion.parameters()], run.optimizer)
    schedule = build_schedule(optimizer, train, epochs=run.epochs)
    wrapped, optimizer = fabric.setup(net, optimizer)
    averaged = None
    if train.ema_decay > 0:
        mean_of_steps = get_ema_multi_avg_fn(train.ema_decay)  # type: ignore[no-untyped-call]
        averaged = AveragedModel(net, multi_avg_fn=mean_of_steps, use_buffers=True)
    judged = net if averaged is None else averaged.module  # what is validated and kept
    parts = {"net": net, "loss": criterion, "optimizer": optimizer, "schedule": schedule}
    parts |= {} if averaged is None else {"averaged": averaged}
    progress = Progress([], {"score": -1.0, "epoch": 0, "weights": {}}, 0.0, 0)
    if (state := resume.load(checkpoint)) is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        progress = Progress(**state["progress"])
        log(f"resumed after epoch {len(progress.history)}")

    history = progress.history
    while not progress.diverged_at and len(history) < run.epochs:
        if len(history) - progress.best["epoch"] >= train.early_stopping_patience:
            break
        epoch, started, rate = len(history) + 1, time.perf_counter(), optimizer.param_groups[0]["lr"]
        torch.manual_seed(
            int(np.random.SeedSequence([train.seed, DROPOUT_STREAM, epoch]).generate_state(1)[0])
        )
        batches = TrainingBatches(
            samples,
            train_rows,
            batch_size=train.batch_size,
            augment=train.augment,
            seed=train.seed,
            epoch=epoch,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        wrapped.train()
        total, seen = torch.zeros((), device=fabric.device), 0
        for index, batch in enumerate(track(batches, f"epoch {epoch}/{run.epochs}")):
            batch = to_device(batch, fabric.device, train.channels_last)
            first = index // train.accumulate * train.accumulate  # of the batches that share this step
            group = min(train.accumulate, len(batches) - first)
            last = index == first + group - 1
            with fabric.no_backward_sync(wrapped, enabled=not last):
                loss = criterion(wrapped(batch["image"]), batch)
                fabric.backward(loss / group)
            if last:
                for (
                    balance
                ) in criterion.parameters():  # fabric keeps the net equal over devices, not the loss
                    assert balance.grad is not None
                    balance.grad = torch.as_tensor(fabric.all_reduce(balance.grad, reduce_op="mean"))
                optimizer.step()
                optimizer.zero_grad()
                if averaged is not None:
                    averaged.update_parameters(net)
            total += loss.detach() * len(batch["image"])
            seen += len(batch["image"])
        mean = fabric.all_reduce(total / seen, reduce_op="mean")
        assert isinstance(mean, torch.Tensor)
        losses = {"train_loss": mean.item()}
        losses["validation_loss"], scores = validate(judged, criterion, samples, fabric, run=run, train=train)
        score = sum(scores.values()) / len(scores)
        if not np.isfinite(list(losses.values())).all():
            if not may_diverge:
                raise InputError(
                    "the loss is not finite",
                    where=f"epoch {epoch}",
                    got=f"training {losses['train_loss']}, validation {losses['validation_loss']}",
                    expected="finite numbers",
                    mend="Lower optimizer.learning_rate or train with precision 32-true.",
                )
            progress.diverged_at = epoch
        elif score > progress.best["score"]:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in judged.state_dict().items()}
            progress.best = {"score": score, "epoch": epoch, "weights": weights}
        advance(schedule, score)
        named = {f"validation_{name}": value for name, value in scores.items()}
        history.append({"epoch": epoch, "learning_rate": rate, **losses, **named, "validation_score": score})
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        log(describe(history[-1], run.epochs, seconds, progress.seconds / epoch * (run.epochs - epoch)))
        if fabric.is_global_zero:
            state = {name: part.state_dict() for name, part in parts.items()}
            resume.save(checkpoint, {**state, "progress": vars(progress)})
        fabric.barrier()
    return progress


def to_device(
    batch: dict[str, torch.Tensor], device: torch.device, channels_last: bool
) -> dict[str, torch.Tensor]:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    moved = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
    return {**moved, "image": moved["image"].contiguous(memory_format=layout)}


@torch.no_grad()
def validate(
    net: nn.Module, criterion: TotalLoss, samples: Samples, fabric: Fabric, *, run: Run, train: Train
) -> tuple[float, dict[str, float]]:
    """Mean loss and, by head, the mean per-image Dice at 0.5 or the accuracy over the validation images, not
    augmented.

    Every device does them all.
    """
    net.eval()
    rows = samples.rows("validation", healthy=run.healthy_slices)
    losses: list[torch.Tensor] = []
    right: dict[str, list[torch.Tensor]] = {}
    for batch in evaluation_batches(samples, rows, batch_size=train.batch_size):
        batch = to_device(batch, fabric.device, train.channels_last)
        with fabric.autocast():
            logits = net(batch["image"])
        losses.append(criterion(logits, batch) * len(batch["image"]))
        for head, score in SCORES.items():
            if head in logits:
                right.setdefault(score.__name__, []).append(score(logits[head], batch[head]))
    scores = {name: float(torch.cat(values).double().mean()) for name, values in right.items()}
    return float(torch.stack(losses).sum()) / len(rows), scores


def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Dice of each image at probability 0.5: (B, 1, H, W) twice -> (B,). Empty against empty is right."""
    prediction, tumour = logits > 0, truth > 0
    overlap = (prediction & tumour).sum((1, 2, 3))
    area = prediction.sum((1, 2, 3)) + tumour.sum((1, 2, 3))
    return torch.where(area > 0, 2 * overlap / area.clamp_min(1), 1.0)


def accuracy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 where the likeliest class is the true one, else 0: (B, K) and (B,) -> (B,)."""
    return (logits.argmax(1) == truth).float()


SCORES = {"mask": dice, "label": accuracy}


def describe(row: dict[str, Any], epochs: int, seconds: float, left: float) -> str:
    """An epoch in one line of a log, the time left at the mean pace so far."""
    shown = {
        name.replace("_", " "): value for name, value in row.items() if name not in ("epoch", "learning_rate")
    }
    values = "  ".join(f"{name} {value:.4f}" for name, value in shown.items() if name != "validation score")
    return f"epoch {row['epoch']}/{epochs}  {values}  {seconds:.1f} s, {left:.0f} s left"
