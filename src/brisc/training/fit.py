"""The training loop, in plain sight."""

import platform
import resource
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Run, Train
from brisc.data.dataset import Samples, TrainingBatches, evaluation_batches
from brisc.errors import InputError
from brisc.progress import Track
from brisc.training import resume
from brisc.training.losses import total_loss
from brisc.training.optim import build_optimizer, build_schedule

DROPOUT_STREAM = 31


@dataclass
class Progress:
    """How far a run is; what a checkpoint holds beside the state of net, optimiser and schedule."""

    history: list[dict[str, Any]]
    best: dict[str, Any]
    seconds: float


def fit(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    run: Run,
    train: Train,
    scratch: Path,
    track: Track,
    log: Callable[[str], None],
) -> None:
    """Train `net` and write out/weights.pt (the epoch of the best validation Dice), history.csv, summary.json, cost.json.

    Everything but cost.json depends on knobs, data and code alone. Raises InputError when the loss is not finite.
    """
    fabric = Fabric(accelerator=train.accelerator, devices=train.devices, precision=train.precision)
    fabric.launch()
    fingerprint = resume.run_fingerprint(run, train, samples.fingerprint)
    scratch = scratch / fingerprint[:16]
    with resume.hold(scratch) if fabric.is_global_zero else nullcontext():
        progress = train_epochs(
            net, samples, fabric, run=run, train=train, checkpoint=scratch / "checkpoint.pt", track=track, log=log
        )
        if fabric.is_global_zero:
            write_result(net, samples, out, progress, fabric.device, run=run, train=train, fingerprint=fingerprint)
            resume.drop_others(scratch)


def train_epochs(
    net: nn.Module,
    samples: Samples,
    fabric: Fabric,
    *,
    run: Run,
    train: Train,
    checkpoint: Path,
    track: Track,
    log: Callable[[str], None],
) -> Progress:
    """Epochs from the checkpoint, or from the start, to the last one or to early stopping."""
    train_rows = samples.rows("train", healthy=run.healthy_slices)
    validation_rows = samples.rows("validation", healthy=run.healthy_slices)
    if train.channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = build_optimizer(net.parameters(), run.optimizer)
    schedule = build_schedule(optimizer, train)
    wrapped, optimizer = fabric.setup(net, optimizer)
    progress = Progress([], {"dice": -1.0, "epoch": 0, "weights": {}}, 0.0)
    if (state := resume.load(checkpoint)) is not None:
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        progress = Progress(**state["progress"])
        log(f"resumed after epoch {len(progress.history)}")

    history = progress.history
    while len(history) < run.epochs and len(history) - progress.best["epoch"] < train.early_stopping_patience:
        epoch, started, rate = len(history) + 1, time.perf_counter(), optimizer.param_groups[0]["lr"]
        torch.manual_seed(int(np.random.SeedSequence([train.seed, DROPOUT_STREAM, epoch]).generate_state(1)[0]))
        batches = TrainingBatches(
            samples, train_rows, batch_size=train.batch_size, augment=train.augment, seed=train.seed, epoch=epoch,
            rank=fabric.global_rank, world=fabric.world_size,
        )  # fmt: skip
        wrapped.train()
        total, seen = torch.zeros((), device=fabric.device), 0
        for batch in track(batches, f"epoch {epoch}/{run.epochs}"):
            batch = to_device(batch, fabric.device, train.channels_last)
            loss = total_loss(wrapped(batch["image"]), batch, loss=run.loss)
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            total += loss.detach() * len(batch["image"])
            seen += len(batch["image"])
        mean = fabric.all_reduce(total / seen, reduce_op="mean")
        assert isinstance(mean, torch.Tensor)
        train_loss = mean.item()
        validation_loss, dice = validate(wrapped, samples, validation_rows, run=run, train=train, device=fabric.device)
        if not np.isfinite([train_loss, validation_loss]).all():
            raise InputError(
                "the loss is not finite",
                where=f"epoch {epoch}",
                got=f"training {train_loss}, validation {validation_loss}",
                expected="finite numbers",
                mend="Lower optimizer.learning_rate or train with precision 32-true.",
            )
        schedule.step(dice)
        if dice > progress.best["dice"]:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}
            progress.best = {"dice": dice, "epoch": epoch, "weights": weights}
        losses = {"train_loss": train_loss, "validation_loss": validation_loss}
        history.append({"epoch": epoch, "learning_rate": rate, **losses, "validation_dice": dice})
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        log(
            f"epoch {epoch}/{run.epochs}  train loss {train_loss:.4f}  validation loss {validation_loss:.4f}  "
            f"validation dice {dice:.4f}  {seconds:.1f} s"
        )
        if fabric.is_global_zero:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            resume.save(checkpoint, {**state, "progress": vars(progress)})
        fabric.barrier()
    return progress


def write_result(
    net: nn.Module,
    samples: Samples,
    out: Path,
    progress: Progress,
    device: torch.device,
    *,
    run: Run,
    train: Train,
    fingerprint: str,
) -> None:
    """The four files of a finished run, in one folder that appears whole."""
    best, epochs = progress.best, len(progress.history)
    train_images = len(samples.rows("train", healthy=run.healthy_slices))
    code = {path.relative_to(resume.PACKAGE).as_posix(): resume.git_blob(path) for path in resume.code_files(run.model["arch"])}
    versions = {"python": platform.python_version(), "torch": torch.__version__, "lightning-fabric": version("lightning-fabric")}
    summary = {
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "epochs": epochs,
        "best_epoch": best["epoch"],
        "best_validation_dice": best["dice"],
        "stopped": "at the last epoch" if epochs == run.epochs else "early",
        "train_images": train_images,
        "validation_images": len(samples.rows("validation", healthy=run.healthy_slices)),
        "images_seen": train_images * epochs,
        "run_fingerprint": fingerprint,
        "data_fingerprint": samples.fingerprint,
        "source_tree": resume.git_tree(resume.PACKAGE / "training"),
        "code": code,
        "versions": versions,
        "run": asdict(run),
        "train": asdict(train),
    }
    measured = cost(device, train_images * epochs, progress.seconds) if train.measure_seconds else dict.fromkeys(COST)
    rows = pd.DataFrame(progress.history)
    rows["best"] = (rows["epoch"] == best["epoch"]).astype(int)
    with atomic(out) as folder:
        folder.mkdir()
        resume.save(folder / "weights.pt", {name: tensor.contiguous() for name, tensor in best["weights"].items()})
        rows.to_csv(folder / "history.csv", index=False, lineterminator="\n", float_format="%.6g")
        write_json(folder / "summary.json", summary)
        write_json(folder / "cost.json", measured)


def to_device(batch: dict[str, torch.Tensor], device: torch.device, channels_last: bool) -> dict[str, torch.Tensor]:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    moved = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
    return {**moved, "image": moved["image"].contiguous(memory_format=layout)}


@torch.no_grad()
def validate(
    net: nn.Module, samples: Samples, rows: np.ndarray, *, run: Run, train: Train, device: torch.device
) -> tuple[float, float]:
    """Mean loss and mean per-image Dice at 0.5 over the validation images, not augmented. Every device does them all."""
    net.eval()
    losses, dices = [], []
    for batch in evaluation_batches(samples, rows, batch_size=train.batch_size):
        batch = to_device(batch, device, train.channels_last)
        logits = net(batch["image"])
        losses.append(total_loss(logits, batch, loss=run.loss) * len(batch["image"]))
        prediction, truth = logits["mask"] > 0, batch["mask"] > 0
        overlap = (prediction & truth).sum((1, 2, 3))
        area = prediction.sum((1, 2, 3)) + truth.sum((1, 2, 3))
        dices.append(torch.where(area > 0, 2 * overlap / area.clamp_min(1), 1.0))  # empty against empty is right
    return float(torch.stack(losses).sum()) / len(rows), float(torch.cat(dices).double().mean())


COST = ("device", "threads", "seconds", "images_per_second", "peak_memory_mb")


def cost(device: torch.device, images_seen: int, seconds: float) -> dict[str, Any]:
    """Wall time of all epochs, validation included, over interruptions; peak memory of the last session."""
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    name = torch.cuda.get_device_name() if on_gpu else processor()
    values = (name, torch.get_num_threads(), round(seconds, 1), round(images_seen / seconds, 1), round(peak / 2**20))
    return dict(zip(COST, values, strict=True))


def processor() -> str:
    """The processor's marketing name, which platform.processor() leaves empty on Linux."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.machine()
