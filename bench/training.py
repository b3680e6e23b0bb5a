"""Who races in training: the study's way, ours, and the step alone on a batch that is always the same."""

import itertools
from dataclasses import dataclass, replace

import torch
from torch.utils.data import DataLoader

from bench import study
from bench.material import Material
from bench.race import Contestant, Pace
from bench.ways import train
from brisc.config import Run
from brisc.data.dataset import Batch, Samples, TrainingBatches
from brisc.models import build
from brisc.training.device import build_fabric, to_device, workers_on
from brisc.training.losses import TotalLoss
from brisc.training.optim import build_optimizer
from stages.command import keep_freed_memory


@dataclass(frozen=True)
class Job:
    """What is trained, on what, how long at most; keep_memory: as our stages do, see stages/command.py."""

    material: Material
    run: Run
    images: int
    workers: int
    keep_memory: bool


def our_batches(job: Job, samples: Samples) -> TrainingBatches:
    return TrainingBatches(
        samples,
        samples.rows("train", healthy=False),
        batch_size=job.run.batch_size,
        augment=job.run.augment,
        seed=job.run.seed,
        workers=0,
        pinned=False,
        rank=0,
        world=1,
    )


def study_batches(job: Job, epoch: int) -> DataLoader[Batch]:
    """The same images in the same batches from their files, as numbers."""
    samples, paths = job.material.samples(job.images)
    ours = our_batches(job, samples)
    ours.epoch(epoch)
    files = study.Files(paths, list(samples.table["label"]), job.run, job.material.prepare, epoch)
    return study.loader(ours.tasks, files, workers=job.workers)


def the_study(job: Job, pace: Pace) -> None:
    loader = study_batches(job, 1)
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
    samples, _ = job.material.samples(job.images)
    train(samples, replace(job.run, epochs=1), job.material.folder / "none.pt", track=pace, log=print)


def step_alone(job: Job, pace: Pace) -> None:
    """No loader and no loop around it: what the hardware leaves to be had with this net, precision and memory
    layout."""
    if job.keep_memory:
        keep_freed_memory()
    step = Step(job.run, first_batch(job))
    for _ in pace(itertools.repeat(step.batch), "step alone"):
        step()


def first_batch(job: Job) -> Batch:
    samples, _ = job.material.samples(job.images)
    return next(iter(our_batches(job, samples).epoch(1)))


class Step:
    """forward, loss, backward, optimizer, always on the same batch; returns how many images that is.

    fused: the optimizer of our trainings, or torch's Adam as it comes.
    """

    def __init__(self, run: Run, batch: Batch, *, fused: bool = True, compiled: bool = False) -> None:
        torch.manual_seed(run.seed)
        net = build(**run.model)
        self.fabric = build_fabric(run, net, devices=1)
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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "study, 0 workers": (the_study, replace(job, workers=0), 0),
        "study, 2 workers": (the_study, replace(job, workers=2), 2 * two_each),
        "ours": (ours, job, two_each * workers_on(device, job.run.workers)),
        "step alone": (step_alone, job, 0),
        "step alone, memory given back": (step_alone, replace(job, keep_memory=False), 0),
    }
