"""Each fast way to train against a plain one on the same images: are the losses the same, and what is it
worth?

Made-up images and small nets do: what is compared is the way, on whatever device there is.
"""

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from bench import study
from brisc.config import Run
from brisc.data.dataset import Samples, plain_batches, scaled
from brisc.models import build
from brisc.progress import Track, silent
from brisc.training.device import build_fabric, to_device
from brisc.training.fit import Learner, Progress, set_up, train_epochs, training_batches
from brisc.training.losses import TotalLoss
from brisc.training.resume import Checkpoints
from brisc.vocabulary import HEALTHY, LABELS, VALIDATION

# Relative, of any loss of any epoch. Sums in another order made 1e-7, numbers of eight bits 3e-4; twice the
# learning rate makes 2e-2.
ROUNDING, BFLOAT = 1e-3, 5e-3
NEVER = 1e9


@dataclass(frozen=True)
class Curve:
    """Training and validation loss of each epoch; images per second of all but the first."""

    losses: list[float]
    images_per_second: float


@dataclass(frozen=True)
class Way:
    """against: the way whose losses it has to give, and which its ratio is to; tolerance: 0 where it promises
    the same bits."""

    what: str
    against: str
    tolerance: float
    train: Callable[[], Curve]


def ways(samples: Samples, run: Run, device: torch.device) -> list[Way]:
    """The plain ones first."""
    on_gpu = device.type == "cuda"
    same_bits = ROUNDING if on_gpu else 0.0  # a GPU adds up in an order of its own each time
    plain = replace(
        run, precision="32-true", channels_last=False, compile="none", workers=0, checkpoint_seconds=NEVER
    )
    found = [
        Way("the study's loop", "the study's loop", 0.0, lambda: study_curve(samples, plain, device)),
        Way("ours", "the study's loop", ROUNDING, lambda: our_curve(samples, plain)),
    ]

    def changed(what: str, tolerance: float, **changes: Any) -> None:
        found.append(Way(what, "ours", tolerance, lambda: our_curve(samples, replace(plain, **changes))))

    changed("1 worker", same_bits, workers=1)
    changed("2 workers", same_bits, workers=2)
    changed("a checkpoint after each epoch", same_bits, checkpoint_seconds=0.0)
    changed("channels last", ROUNDING, channels_last=True)
    changed("bf16-mixed", BFLOAT, precision="bf16-mixed")
    if on_gpu or shutil.which("g++") is not None:
        changed("compiled", ROUNDING, compile="default")
    if on_gpu:
        changed("CUDA graphs", ROUNDING, compile="graphs")
    return found


def try_all(found: list[Way], tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Of each way: images per second, how many times those of the way it is held against, the largest
    relative difference of a loss, and whether that is allowed. One that ends in an error does not hold."""
    curves: dict[str, Curve] = {}
    rows = []
    for way in found:
        row: dict[str, Any] = {"what": way.what, "against": way.against, "tolerance": way.tolerance}
        try:
            curves[way.what] = curve = way.train()
        except Exception as error:  # whatever a compiler or driver lacks must not hide the other ways
            row |= {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", "holds": False}
        else:
            if (other := curves.get(way.against)) is None:
                row |= {
                    "error": f"{way.against} failed, so there is nothing to hold it against",
                    "holds": False,
                }
            else:
                difference = apart(curve.losses, other.losses)
                row |= {
                    "images_per_second": curve.images_per_second,
                    "ratio": curve.images_per_second / other.images_per_second,
                    "difference": difference,
                    "holds": difference <= way.tolerance,
                }
        tell(line(row))
        rows.append(row)
    return rows


def line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['what']}: {row['error']}"
    verdict = "holds" if row["holds"] else "DIFFERS"
    return (
        f"{row['what']}: {row['images_per_second']:.1f} images/s, {row['ratio']:.2f} of {row['against']}; "
        f"losses differ by {row['difference']:.1e} of {row['tolerance']:g}: {verdict}"
    )


def apart(one: list[float], other: list[float]) -> float:
    """The largest relative difference of two loss curves."""
    return float(np.max(np.abs(np.array(one) - other) / np.abs(other)))


def our_curve(samples: Samples, run: Run) -> Curve:
    """Of brisc.training.fit's own loop."""
    ends = Ends()
    with tempfile.TemporaryDirectory() as folder:
        progress = train(samples, run, Path(folder) / "checkpoint.pt", track=silent, log=ends)
    losses = [row[kind] for row in progress.history for kind in ("train_loss", "validation_loss")]
    return Curve(losses, ends.rate(samples, run))


def train(
    samples: Samples, run: Run, checkpoint: Path, *, track: Track, log: Callable[[str], None]
) -> Progress:
    """What brisc.training.fit does but write its result."""
    fabric, learner = learner_of(run)
    progress = Progress([], {"score": -1.0, "epoch": 0}, 0.0, 0)
    with Checkpoints(checkpoint, seconds=run.checkpoint_seconds, clock=time.monotonic) as checkpoints:
        train_epochs(learner, samples, fabric, run, progress, checkpoints=checkpoints, track=track, log=log)
    return progress


def learner_of(run: Run) -> tuple[Fabric, Learner]:
    """A new net of the run on one device."""
    torch.manual_seed(run.seed)
    net = build(**run.model)
    fabric = build_fabric(run, net, devices=1)
    return fabric, set_up(net, fabric, run)


def study_curve(samples: Samples, run: Run, device: torch.device) -> Curve:
    """Of the plain loop, with float32 batches that it waits for and torch's own Adam."""
    torch.manual_seed(run.seed)
    net = build(**run.model).to(device)
    fabric = build_fabric(run, net, devices=1)
    batches = training_batches(samples, fabric, run)
    criterion, adam = TotalLoss(run.loss), study.build_adam(net, run.optimizer)
    losses, ends = [], Ends()
    for epoch in range(1, run.epochs + 1):
        losses.append(study.train_epoch(net, criterion, adam, moved(batches.epoch(epoch), device)))
        rows = samples.rows(VALIDATION, healthy=run.healthy_slices)
        plain = plain_batches(samples, rows, batch_size=run.validation_batch_size)
        losses.append(study.validation_loss(net, criterion, moved(plain, device)))
        ends("")
    return Curve(losses, ends.rate(samples, run))


def moved(batches: Any, device: torch.device) -> Any:
    for batch in batches:
        yield {name: tensor.to(device) for name, tensor in scaled(batch).items()}


class Ends:
    """When each epoch ended; called with the line that an epoch logs."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, line: str) -> None:
        self.seconds.append(time.perf_counter())

    def rate(self, samples: Samples, run: Run) -> float:
        """Images per second of all epochs but the first, in which kernels are chosen and nets compiled."""
        images = len(samples.rows("train", healthy=run.healthy_slices)) * (len(self.seconds) - 1)
        return images / (self.seconds[-1] - self.seconds[0])


def made_up(*, train: int, validation: int, side: int, seed: int = 5) -> Samples:
    """Noise with a bright disc that is the tumour; the class goes by its size."""
    generator = np.random.default_rng(seed)
    count = train + validation
    images = generator.integers(0, 60, (count, side, side), dtype=np.uint8)
    kinds = np.arange(count) % len(LABELS)
    y, x = np.mgrid[:side, :side] / side
    centres = generator.uniform(0.3, 0.7, (count, 2))
    radii = np.where(kinds == LABELS.index(HEALTHY), 0.0, 0.05 + 0.05 * kinds)
    masks = np.stack(
        [(y - cy) ** 2 + (x - cx) ** 2 < r**2 for (cy, cx), r in zip(centres, radii, strict=True)]
    ).astype(np.uint8)
    images[masks == 1] += 120
    table = pd.DataFrame(
        {
            "id": [f"i{i:05}" for i in range(count)],
            "split": ["train"] * train + [VALIDATION] * validation,
            "label": [LABELS[kind] for kind in kinds],
            "group": [f"g{i:05}" for i in range(count)],
        }
    )
    return Samples(images, masks, table, "f" * 64)


def first_losses(samples: Samples, run: Run, *, steps: int) -> list[float]:
    """The loss of each of the first steps, on the device of `run.accelerator`."""
    fabric, learner = learner_of(run)
    made = training_batches(samples, fabric, run)
    batches = (batch for epoch in itertools.count(1) for batch in made.epoch(epoch))
    learner.wrapped.train()
    losses: list[torch.Tensor] = []
    for batch in itertools.islice(batches, steps):
        batch = to_device(batch, fabric.device, run.channels_last)
        loss = learner.criterion(learner.wrapped(batch["image"]), batch)
        fabric.backward(loss)
        learner.optimizer.step()
        learner.optimizer.zero_grad()
        losses.append(loss.detach())
    return torch.stack(losses).tolist()
