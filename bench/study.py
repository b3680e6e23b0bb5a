"""The study's way to train, written plainly: float32, NCHW, every JPEG and PNG decoded anew, torch's own
loader and Adam.

The same net, images, order, batches, augmentation and loss as ours, so that only the way differs.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from brisc.config import Optimizer, Prepare, Run
from brisc.data.augment import augmented
from brisc.data.dataset import AUGMENT_STREAM, Batch, Task
from brisc.data.picture import MASK_LEVEL, read_grey, to_square
from brisc.training.losses import TotalLoss
from brisc.vocabulary import LABELS


class Files(Dataset[Batch]):
    """One image and its mask, read and decoded when asked for, then augmented.

    paths: of image and mask in the row order of `labels`. An item is named by its row and its place in the
    order of the epoch, which seeds its augmentation as in brisc.data.dataset.
    """

    def __init__(
        self, paths: list[tuple[Path, Path]], labels: list[str], run: Run, prepare: Prepare, epoch: int
    ) -> None:
        self.paths, self.labels, self.run, self.prepare, self.epoch = paths, labels, run, prepare, epoch

    def __getitem__(self, item: tuple[int, int]) -> Batch:
        row, place = item
        image, mask = (read_square(path, self.prepare) for path in self.paths[row])
        generator = np.random.default_rng([self.run.seed, AUGMENT_STREAM, self.epoch, place])
        outline = (mask > MASK_LEVEL).astype(np.uint8)
        image, outline = augmented(image, outline, self.run.augment, generator)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image))[None].float() / 255,
            "mask": torch.from_numpy(np.ascontiguousarray(outline))[None].float(),
            "label": torch.tensor(LABELS.index(self.labels[row])),
        }


def read_square(path: Path, prepare: Prepare) -> np.ndarray:
    """A file's pixels (size, size) uint8 as the prepare stage decodes them."""
    square: np.ndarray = to_square(read_grey(path.read_bytes()), size=prepare.size, fit=prepare.fit)
    return square


def loader(tasks: list[Task], files: Files, *, workers: int) -> DataLoader[Batch]:
    """torch's loader over the same images in the same batches."""
    batches = [[(int(row), task.first + place) for place, row in enumerate(task.rows)] for task in tasks]
    return DataLoader(files, batch_sampler=batches, num_workers=workers)


def build_adam(net: nn.Module, optimizer: Optimizer) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=optimizer.learning_rate, weight_decay=optimizer.weight_decay)


def train_epoch(
    net: nn.Module, criterion: TotalLoss, optimizer: torch.optim.Optimizer, batches: Iterable[Batch]
) -> float:
    """One epoch of the plain loop; the mean loss over its images."""
    net.train()
    total, seen = 0.0, 0
    for batch in batches:
        optimizer.zero_grad()
        loss = criterion(net(batch["image"]), batch)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch["image"])
        seen += len(batch["image"])
    return total / seen


@torch.no_grad()
def validation_loss(net: nn.Module, criterion: TotalLoss, batches: Iterable[Batch]) -> float:
    net.eval()
    losses = [(float(criterion(net(batch["image"]), batch)), len(batch["image"])) for batch in batches]
    return sum(loss * images for loss, images in losses) / sum(images for _, images in losses)
