"""What a model sees: augmented training batches and plain evaluation batches from the decoded cache."""

import ctypes
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from brisc.config import Augment
from brisc.data.augment import augmented
from brisc.errors import InputError
from brisc.vocabulary import HEALTHY, LABELS

ORDER_STREAM, AUGMENT_STREAM = 21, 22
# Of images and masks (B, 1, H, W) uint8 as the cache has them, and labels (B,) int64: a quarter of the bytes
# that numbers take on their way to the device, where `scaled` makes them.
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Samples:
    """The decoded cache: images and masks (N, H, W) uint8 mapped read-only, and the table of its rows."""

    images: np.ndarray
    masks: np.ndarray
    table: pd.DataFrame
    fingerprint: str

    @cached_property
    def labels(self) -> np.ndarray:
        """(N,) int64: the place of each row's label in LABELS."""
        return np.array([LABELS.index(label) for label in self.table["label"]], np.int64)

    def rows(self, split: str, *, healthy: bool) -> np.ndarray:
        """Positions of the split's images in sorted file order; without the no-tumour slices unless
        `healthy`."""
        chosen = self.table["split"] == split
        if not healthy:
            chosen &= self.table["label"] != HEALTHY
        return np.flatnonzero(chosen)


def load_samples(cache: Path) -> Samples:
    """Open what the prepare stage wrote."""
    table = pd.read_csv(cache / "samples.csv")
    images = np.load(cache / "images.npy", mmap_mode="r")
    masks = np.load(cache / "masks.npy", mmap_mode="r")
    if not len(table) == len(images) == len(masks):
        raise InputError(
            "arrays and table differ in length",
            where=cache,
            got=f"{len(images)} images, {len(masks)} masks",
            expected=f"{len(table)} rows",
            mend="Run the prepare stage again.",
        )
    return Samples(images, masks, table, json.loads((cache / "fingerprint.json").read_text())["fingerprint"])


@dataclass(frozen=True)
class Task:
    """A batch to prepare: these rows of the cache, which stand in the epoch's order from place `first` on."""

    epoch: int
    first: int
    rows: np.ndarray


class Augmented(Dataset[Batch]):
    """Prepares the batch of a Task. Each image has a generator of its own, seeded by the run's seed, the
    epoch and its place in the epoch's order: who prepares it, and which device it goes to, changes no bit."""

    def __init__(self, samples: Samples, augment: Augment, seed: int) -> None:
        self.samples, self.augment, self.seed = samples, augment, seed

    def __getitem__(self, task: Task) -> Batch:
        pairs = [self.pair(task.epoch, task.first + place, row) for place, row in enumerate(task.rows)]
        images, masks = (np.stack(pixels) for pixels in zip(*pairs, strict=True))
        return _batch(self.samples, task.rows, images, masks)

    def pair(self, epoch: int, place: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng([self.seed, AUGMENT_STREAM, epoch, place])
        return augmented(self.samples.images[row], self.samples.masks[row], self.augment, generator)


class TrainingBatches:
    """Epoch after epoch in a fresh order: every image once, the last batch smaller.

    workers: processes that prepare batches, 0: this one does, between its steps. pinned: in memory that a GPU
    reads by itself. Of several devices (`world`) each takes every world-th batch; they all take the same
    number, so a rest may be left out.
    """

    def __init__(
        self,
        samples: Samples,
        rows: np.ndarray,
        *,
        batch_size: int,
        augment: Augment,
        seed: int,
        workers: int,
        pinned: bool,
        rank: int,
        world: int,
    ) -> None:
        self.rows, self.batch_size, self.seed, self.rank, self.world = rows, batch_size, seed, rank, world
        self.tasks: list[Task] = []  # of the epoch at hand; the loader goes through them
        self.loader = DataLoader(
            Augmented(samples, augment, seed),
            batch_size=None,  # a task is a batch
            sampler=self.tasks,
            num_workers=workers,
            persistent_workers=workers > 0,
            # They see the cache as it is mapped here; started anew they would get a copy each.
            multiprocessing_context="fork" if workers > 0 else None,
            worker_init_fn=end_with_parent,
            pin_memory=pinned,
            generator=torch.Generator(),  # else it draws from the one that dropout draws from
        )

    def epoch(self, epoch: int) -> DataLoader[Batch]:
        """The batches of this epoch; only one epoch at a time."""
        order = np.random.default_rng([self.seed, ORDER_STREAM, epoch]).permutation(self.rows)
        starts = list(range(0, len(order), self.batch_size))
        if len(starts) > 1 and len(order) - starts[-1] == 1:
            # A batch of one has no spread for batch normalisation to estimate; its image joins the batch
            # before.
            starts.pop()
        ends = [*starts[1:], len(order)]
        tasks = [Task(epoch, start, order[start:end]) for start, end in zip(starts, ends, strict=True)]
        self.tasks[:] = tasks[: len(tasks) // self.world * self.world][self.rank :: self.world]
        return self.loader


def end_with_parent(worker: int) -> None:
    """Ask Linux to kill this process when its parent ends however it ends: an orphan would go on holding the
    locks of run and device."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def plain_batches(samples: Samples, rows: np.ndarray, *, batch_size: int) -> Iterator[Batch]:
    """The rows as they are, in the given order."""
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        yield _batch(samples, chosen, samples.images[chosen], samples.masks[chosen])


def evaluation_batches(samples: Samples, rows: np.ndarray, *, batch_size: int) -> Iterator[Batch]:
    """`plain_batches` as numbers."""
    return map(scaled, plain_batches(samples, rows, batch_size=batch_size))


def scaled(batch: Batch) -> Batch:
    """The batch as what nets and losses compute with: "image" float32 in 0..1, "mask" float32 of 0 and 1."""
    return {**batch, "image": batch["image"].float().div_(255), "mask": batch["mask"].float()}


def _batch(samples: Samples, chosen: np.ndarray, images: np.ndarray, masks: np.ndarray) -> Batch:
    return {
        "image": torch.from_numpy(images).unsqueeze(1),
        "mask": torch.from_numpy(masks).unsqueeze(1),
        "label": torch.from_numpy(samples.labels[chosen]),
    }
