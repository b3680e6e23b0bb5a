"""Is what the fast paths compute what the plain ones compute?"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from bench import study, ways
from bench.race import in_child
from bench.training import Job, our_batches, study_batches
from brisc.config import Evaluate, Run
from brisc.data.dataset import evaluation_batches, load_samples, scaled
from brisc.data.picture import MASK_LEVEL
from brisc.evaluation.predict import Inference, predict
from brisc.models import build
from brisc.training.losses import TotalLoss
from stages.command import keep_freed_memory

# Relative. Sums in another order differ by 1e-6 after an epoch; training magnifies that, to 2e-4 after six.
# Doubling the learning rate makes 5e-3.
LOSS_TOLERANCE = 1e-3
PIXEL_TOLERANCE = 1e-4  # share of pixels whose probability is so close to the threshold that rounding decides


@dataclass(frozen=True)
class Check:
    """difference: 0 where both ways give the same bits."""

    what: str
    difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return self.difference <= self.tolerance  # False for NaN


def check_all(job: Job, *, epochs: int, evaluate: Evaluate) -> list[dict[str, Any]]:
    """Every check as a dict with its outcome."""
    job = replace(job, run=constant_rate(job.run, epochs))
    # Whether freed memory is kept cannot be changed back within a process.
    fast = in_child(our_curve, job)
    checks = in_child(_check_all, replace(job, keep_memory=False), fast, evaluate)
    return [{**asdict(check), "holds": check.holds} for check in checks]


def _check_all(job: Job, fast: list[float], evaluate: Evaluate) -> list[Check]:
    epochs = job.run.epochs
    return [
        Check("cached pixels against decoding each file again", cache_difference(job), 0.0),
        Check("batches against torch's loader over files", batch_difference(job), 0.0),
        Check(
            f"losses of {epochs} epochs against the study's way",
            ways.apart(fast, study_curve(job)),
            LOSS_TOLERANCE,
        ),
        Check("losses with freed memory kept against given back", ways.apart(fast, our_curve(job)), 0.0),
        Check(
            "masks of batches, channels last, against single images",
            mask_difference(job, evaluate),
            PIXEL_TOLERANCE,
        ),
    ]


def constant_rate(run: Run, epochs: int) -> Run:
    """The run without what the plain loop leaves out: a schedule, a running mean of the weights, batches that
    share a step."""
    return replace(
        run,
        epochs=epochs,
        warmup=0.0,
        schedule="plateau",
        plateau_patience=epochs,
        ema_decay=0.0,
        accumulate=1,
    )


def our_curve(job: Job) -> list[float]:
    """Training and validation loss of each epoch in brisc.training.fit."""
    if job.keep_memory:
        keep_freed_memory()
    samples, _ = job.material.samples(job.images)
    return ways.our_curve(samples, replace(job.run, accelerator="cpu")).losses


def study_curve(job: Job) -> list[float]:
    """The same of bench.study's loop and loader."""
    samples, _ = job.material.samples(job.images)
    torch.manual_seed(job.run.seed)
    net, criterion = build(**job.run.model), TotalLoss(job.run.loss)
    adam, losses = study.build_adam(net, job.run.optimizer), []
    for epoch in range(1, job.run.epochs + 1):
        losses.append(study.train_epoch(net, criterion, adam, study_batches(job, epoch)))
        validation = samples.rows("validation", healthy=False)
        unchanged = evaluation_batches(samples, validation, batch_size=job.run.validation_batch_size)
        losses.append(study.validation_loss(net, criterion, unchanged))
    return losses


def batch_difference(job: Job) -> float:
    """Largest difference of any number in the batches of an epoch."""
    samples, _ = job.material.samples(job.images)
    ours = map(scaled, our_batches(job, samples).epoch(1))
    return max(
        float((a[name] - b[name]).abs().max())
        for a, b in zip(ours, study_batches(job, 1), strict=True)
        for name in ("image", "mask", "label")
    )


def cache_difference(job: Job) -> float:
    """Largest difference of any pixel between the cache and the files, image or mask; a healthy slice has an
    empty mask."""
    cache, index = load_samples(job.material.folder / "cache"), job.material.index()
    files = job.material.folder / "files"
    worst = int(cache.masks[index["mask"].isna()].max(initial=0))
    for row, name in enumerate(index["image"]):
        pixels = study.read_square(files / name, job.material.prepare)
        worst = max(worst, int(np.abs(cache.images[row].astype(int) - pixels).max()))
    for row, name in index["mask"].dropna().items():
        outline = study.read_square(files / name, job.material.prepare) > MASK_LEVEL
        worst = max(worst, int((cache.masks[row] != outline).max()))
    return float(worst)


def mask_difference(job: Job, settings: Evaluate) -> float:
    """Share of pixels that differ between brisc.evaluation.predict and one image at a time, NCHW, of a net
    trained a little."""
    samples, _ = job.material.samples(job.images)
    batches = map(scaled, our_batches(job, samples).epoch(1))
    torch.manual_seed(job.run.seed)
    net = build(**job.run.model)
    study.train_epoch(net, TotalLoss(job.run.loss), study.build_adam(net, job.run.optimizer), batches)
    rows = samples.rows("validation", healthy=False)
    settings = replace(settings, flips=False)
    net.eval()
    with torch.no_grad():
        images = [batch["image"] for batch in evaluation_batches(samples, rows, batch_size=1)]
        plain = torch.cat([torch.sigmoid(net(image)["mask"])[:, 0] > settings.threshold for image in images])
    fast = predict(Inference(net, job.run), samples, rows, settings=settings)["mask"]
    return float((plain.numpy() != fast).mean())
