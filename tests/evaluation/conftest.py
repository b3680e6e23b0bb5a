"""A cache of simple pictures, and nets whose answers can be worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brisc.config import Evaluate, Run, load, resolve
from brisc.data.dataset import Samples
from brisc.data.native import load_native, pack, write_native
from brisc.vocabulary import LABELS


@pytest.fixture
def samples() -> Samples:
    """24 images of 16 px: 4 of train, 8 of validation, 12 of test, in each a quarter of each class.

    A bright square of 6 px, another one in each image, is the tumour; no-tumour images have the square and no
    mask. Test images are all official, the even ones clean and the first two of these strict.
    """
    rng = np.random.default_rng(7)
    n, splits = 24, ["train"] * 4 + ["validation"] * 8 + ["test"] * 12
    images = rng.integers(0, 60, (n, 16, 16), dtype=np.uint8)
    masks = np.zeros_like(images)
    for i, (y, x) in enumerate(rng.integers(0, 10, (n, 2))):
        masks[i, y : y + 6, x : x + 6] = 1
    images[masks == 1] += 150
    labels = [LABELS[i % 4] for i in range(n)]
    masks[[label == "no_tumor" for label in labels]] = 0
    official = [int(split == "test") for split in splits]
    table = pd.DataFrame(
        {
            "id": [f"i{i:02}" for i in range(n)],
            "split": splits,
            "label": labels,
            "plane": [("axial", "coronal", "sagittal")[i % 3] for i in range(n)],
            "group": [f"g{i // 2:02}" for i in range(n)],
            "official": official,
            "clean": [int(test and i % 2 == 0) for i, test in enumerate(official)],
            "strict": [int(i in (12, 14)) for i in range(n)],
            "mask_pixels": masks.sum(axis=(1, 2), dtype=np.int64),
        }
    )
    return Samples(images, masks, table, "f" * 64)


@pytest.fixture
def run(repository: Path) -> Run:
    return replace(resolve("demo", "unet").run, accelerator="cpu", precision="32-true")


@pytest.fixture
def settings(repository: Path) -> Evaluate:
    settings: Evaluate = load("demo", "evaluate")
    return replace(settings, batch_size=5, flips=False, calibration_bins=4, bootstrap_resamples=50)


@pytest.fixture
def native_of(tmp_path: Path):
    """Masks (H, W) bool of any sizes as the prepare stage writes the original ones."""

    def written(masks, fit="squeeze"):
        write_native(tmp_path / "native.npz", [pack(mask) for mask in masks], fit=fit)
        return load_native(tmp_path / "native.npz")

    return written
