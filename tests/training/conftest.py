"""A cache of simple pictures that a small U-Net learns in seconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brisc.config import Run, resolve
from brisc.data.dataset import Samples

torch.set_num_threads(1)  # nets this small spend more time handing work over than doing it


@pytest.fixture
def samples() -> Samples:
    """40 train and 12 validation images of 32 px, each with a bright disc that is the tumour; every fourth is
    healthy."""
    generator = np.random.default_rng(5)
    images = generator.integers(0, 60, (52, 32, 32), dtype=np.uint8)
    masks = np.zeros_like(images)
    y, x = np.mgrid[:32, :32]
    for i in range(52):
        if i % 4:
            cy, cx = generator.uniform(8, 24, 2)
            masks[i] = (y - cy) ** 2 + (x - cx) ** 2 < 30
    images[masks == 1] += 120
    table = pd.DataFrame(
        {
            "id": [f"i{i:02}" for i in range(52)],
            "split": ["train"] * 40 + ["validation"] * 12,
            "label": ["no_tumor" if i % 4 == 0 else "glioma" for i in range(52)],
            "group": [f"g{i // 2:02}" for i in range(52)],
        }
    )
    return Samples(images, masks, table, "f" * 64)


@pytest.fixture
def run(repository: Path) -> Run:
    model = {"arch": "unet", "in_channels": 1, "base_channels": 2, "levels": 3}
    demo, study = resolve("demo", "unet").run, resolve("laptop", "unet-study_augmentation").run
    adam = replace(demo.optimizer, learning_rate=3e-3)
    small = replace(demo, model=model, epochs=4, accelerator="cpu", batch_size=8, optimizer=adam)
    return replace(small, augment=study.augment, schedule="plateau")
