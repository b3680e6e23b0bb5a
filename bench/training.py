"""Who races in training: the study's way, ours, and the step alone on a batch that is always the same."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bench import study
from bench.material import Material
from bench.race import Contestant, Pace
from brisc.config import Run
from brisc.data.dataset import Batch, TrainingBatches
from brisc.models import build
from brisc.progress import Track
from brisc.training.device import build_fabric
from brisc.training.fit import Progress, set_up, to_device, train_epochs
from brisc.training.losses import TotalLoss
from brisc.training.optim import build_optimizer
from stages.command import helpers_take_one_core, keep_freed_memory


@dataclass(frozen=True)
class Job:
    """What is trained, on what, how long at most; keep_memory: as our stages do, see stages/command.py."""

    material: Material
    run: Run
    images: int
    workers: int
    keep_memory: bool


def first_epoch(job: Job) -> tuple[TrainingBatches, list[tuple[Path, Path]]]:
    samples, paths = job.material.samples(job.images)
    rows = samples.rows("train", healthy=False)
    settings = {"batch_size": job.run.batch_size, "augment": job.run.augment, "seed": job.run.seed}
    return TrainingBatches(samples, rows, **settings, epoch=1, rank=0, world=1), paths


def the_study(job: Job, pace: Pace) -> None:
    batches, paths = first_epoch(job)
    loader = study.loader(batches, paths, prepare=job.material.prepare, workers=job.workers)
    torch.manual_seed(job.run.seed)
    net = build(**job.run.model)
    study.train_epoch(
        net,
        TotalLoss(job.run.loss),
        study.build_adam(net, job.run.optimizer),
        pace(loader, "the study's way"),
    )


def ours(job: Job, pace: Pace) -> None:
    """brisc.training.fit's own loop, which `pace` ends before the epoch does."""
    if job.keep_memory:
        keep_freed_memory()
    helpers_take_one_core()
    train(
        replace(job, run=replace(job.run, epochs=1)), job.material.folder / "none.pt", track=pace, log=print
    )


def train(job: Job, checkpoint: Path, *, track: Track, log: Callable[[str], None]) -> Progress:
    """What brisc.training.fit does but write its result."""
    samples, _ = job.material.samples(job.images)
    fabric = build_fabric(job.run, devices=1)
    torch.manual_seed(job.run.seed)
    learner = set_up(build(**job.run.model), fabric, job.run)
    progress = Progress([], {"score": -1.0, "epoch": 0}, 0.0, 0)
    train_epochs(learner, samples, fabric, job.run, progress, checkpoint=checkpoint, track=track, log=log)
    return progress


def step_alone(job: Job, pace: Pace) -> None:
    """No loader and no loop around it: what the hardware leaves to be had with this net, precision and memory
    layout."""
    if job.keep_memory:
        keep_freed_memory()
    step = Step(job.run, first_batch(job))
    for _ in pace(itertools.repeat(step.batch), "step alone"):
        step()


def first_batch(job: Job) -> Batch:
    return next(iter(first_epoch(job)[0]))


class Step:
    """forward, loss, backward, optimizer, always on the same batch; returns how many images that is.

    fused: the optimizer of our trainings, or torch's Adam as it comes.
    """

    def __init__(self, run: Run, batch: Batch, *, fused: bool = True, compiled: bool = False) -> None:
        self.fabric = build_fabric(run, devices=1)
        torch.manual_seed(run.seed)
        net = build(**run.model)
        if run.channels_last:
            net = net.to(memory_format=torch.channels_last)
        if compiled:
            net.compile()
        optimizer = (
            build_optimizer(net.parameters(), run.optimizer)
            if fused
            else study.build_adam(net, run.optimizer)
        )
        self.net, self.optimizer = self.fabric.setup(net, optimizer)
        self.criterion = TotalLoss(run.loss).to(self.fabric.device)
        self.batch = to_device(batch, self.fabric.device, run.channels_last)

    def __call__(self) -> int:
        self.fabric.backward(self.criterion(self.net(self.batch["image"]), self.batch))
        self.optimizer.step()
        self.optimizer.zero_grad()
        return len(self.batch["image"])


def contestants(job: Job) -> dict[str, tuple[Contestant, Job, int]]:
    """{name: (contestant, settings, batches that it has ready when its turn begins)}."""
    two_each = 2  # torch's loader keeps this many batches ready for each worker
    return {
        "study, 0 workers": (the_study, replace(job, workers=0), 0),
        "study, 2 workers": (the_study, replace(job, workers=2), 2 * two_each),
        "ours": (ours, job, 1),
        "step alone": (step_alone, job, 0),
        "step alone, memory given back": (step_alone, replace(job, keep_memory=False), 0),
    }
