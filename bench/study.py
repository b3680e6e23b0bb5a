"""The study's way to train, written plainly: float32, NCHW, every JPEG and PNG decoded anew, torch's own
loader and Adam.

The same net, images, order, batches, augmentation and loss as ours, so that only the way differs.
"""

from collections.abc import Iterable
from pathlib import Path

import albumentations as A
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from brisc.config import Optimizer, Prepare
from brisc.data.dataset import Batch, TrainingBatches
from brisc.data.picture import MASK_LEVEL, read_grey, to_square
from brisc.training.losses import TotalLoss
from brisc.vocabulary import LABELS


class Files(Dataset[Batch]):
    """One image and its mask, read and decoded when asked for, then augmented.

    paths: of image and mask in the row order of `labels`.
    """

    def __init__(
        self, paths: list[tuple[Path, Path]], labels: list[str], transform: A.Compose, prepare: Prepare
    ) -> None:
        self.paths, self.labels, self.transform, self.prepare = paths, labels, transform, prepare

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Batch:
        image, mask = (read_square(path, self.prepare) for path in self.paths[row])
        pair = self.transform(image=image[..., None], mask=(mask > MASK_LEVEL).astype(np.uint8)[..., None])
        return {
            "image": torch.from_numpy(pair["image"]).permute(2, 0, 1).float() / 255,
            "mask": torch.from_numpy(pair["mask"]).permute(2, 0, 1).float(),
            "label": torch.tensor(LABELS.index(self.labels[row])),
        }


def read_square(path: Path, prepare: Prepare) -> np.ndarray:
    """A file's pixels (size, size) uint8 as the prepare stage decodes them."""
    square: np.ndarray = to_square(read_grey(path.read_bytes()), size=prepare.size, fit=prepare.fit)
    return square


def loader(
    batches: TrainingBatches, paths: list[tuple[Path, Path]], *, prepare: Prepare, workers: int
) -> DataLoader[Batch]:
    """torch's loader over the rows of `batches`; without worker processes it draws the very same random
    numbers."""
    files = Files(paths, list(batches.samples.table["label"]), batches.transform, prepare)
    return DataLoader(files, batch_sampler=[chunk.tolist() for chunk in batches.chunks], num_workers=workers)


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
