"""What a model sees: augmented training batches and plain evaluation batches from the decoded cache."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = (
    "1"  # albumentations asks the network for its newest version at import
)

import albumentations as A
import cv2
import numpy as np
import pandas as pd
import torch

from brisc.config import Augment
from brisc.errors import InputError
from brisc.vocabulary import HEALTHY, LABELS

ORDER_STREAM, AUGMENT_STREAM = 21, 22
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Samples:
    """The decoded cache: images and masks (N, H, W) uint8 mapped read-only, and the table of its rows."""

    images: np.ndarray
    masks: np.ndarray
    table: pd.DataFrame
    fingerprint: str

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


def augmentation(augment: Augment) -> A.Compose:
    """The study's augmentation on (H, W, 1) uint8 images and masks; borders are filled with black."""
    return A.Compose(
        [
            A.HorizontalFlip(p=augment.horizontal_flip),
            A.VerticalFlip(p=augment.vertical_flip),
            A.Rotate(
                limit=augment.rotate_degrees, border_mode=cv2.BORDER_CONSTANT, p=augment.rotate_probability
            ),
            A.Affine(
                translate_percent=(-augment.shift_fraction, augment.shift_fraction),
                scale=(1 - augment.zoom_fraction, 1 + augment.zoom_fraction),
                p=augment.affine_probability,
            ),
            A.RandomBrightnessContrast(
                brightness_limit=augment.brightness,
                contrast_limit=augment.contrast,
                p=augment.brightness_contrast_probability,
            ),
            A.GaussNoise(std_range=(augment.noise_std[0], augment.noise_std[1]), p=augment.noise_probability),
        ]
    )


class TrainingBatches:
    """One epoch in a fresh order: every image once, the last batch smaller.

    Order and augmentation depend on (seed, epoch, rank) alone, so that a run resumed at any epoch draws what
    an unbroken one draws. One thread prepares the next batch while the model works on this one.
    """

    def __init__(
        self,
        samples: Samples,
        rows: np.ndarray,
        *,
        batch_size: int,
        augment: Augment,
        seed: int,
        epoch: int,
        rank: int,
        world: int,
    ) -> None:
        order = np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(rows)
        chunks = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        if len(chunks[-1]) == 1 and len(chunks) > 1:
            # A batch of one has no spread for batch normalisation to estimate; its image joins the batch
            # before.
            chunks[-2:] = [np.concatenate(chunks[-2:])]
        # Of several devices each takes every world-th batch; they all take the same number, so a rest may be
        # left out.
        self.chunks = chunks[: len(chunks) // world * world][rank::world]
        self.samples = samples
        self.transform = augmentation(augment)
        # Compose keeps a generator of its own; it takes one integer, so the numbers are mixed into one.
        self.transform.set_random_seed(
            int(np.random.SeedSequence([seed, AUGMENT_STREAM, epoch, rank]).generate_state(1)[0])
        )

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self._prepare, self.chunks[0])
            for following in self.chunks[1:]:
                batch, pending = pending.result(), pool.submit(self._prepare, following)
                yield batch
            yield pending.result()

    def _prepare(self, chosen: np.ndarray) -> Batch:
        images, masks = self.samples.images, self.samples.masks
        pairs = [self.transform(image=images[i][..., None], mask=masks[i][..., None]) for i in chosen]
        augmented = (np.stack([pair[kind][..., 0] for pair in pairs]) for kind in ("image", "mask"))
        return _batch(self.samples, chosen, *augmented)


def evaluation_batches(samples: Samples, rows: np.ndarray, *, batch_size: int) -> Iterator[Batch]:
    """The rows as they are, in the given order."""
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        yield _batch(samples, chosen, samples.images[chosen], samples.masks[chosen])


def _batch(samples: Samples, chosen: np.ndarray, images: np.ndarray, masks: np.ndarray) -> Batch:
    """{"image": (B, 1, H, W) float32 in 0..1, "mask": (B, 1, H, W) float32 of 0 and 1, "label": (B,)
    int64}."""
    labels = [LABELS.index(label) for label in samples.table["label"].iloc[chosen]]
    return {
        "image": torch.from_numpy(images).unsqueeze(1).float().div_(255),
        "mask": torch.from_numpy(masks).unsqueeze(1).float(),
        "label": torch.tensor(labels),
    }
