"""Finished trainings of given scores, written by the real function without any training."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import nn

from brisc.config import Run, TrainingPlan
from brisc.data.dataset import Samples
from brisc.training.result import write_result

# 30 validation images of one pixel, gliomas, in a group each.
SAMPLES = Samples(
    images=np.zeros((30, 1, 1), np.uint8),
    masks=np.zeros((30, 1, 1), np.uint8),
    table=pd.DataFrame(
        {
            "id": [f"i{i:02}" for i in range(30)],
            "split": "validation",
            "label": "glioma",
            "group": [f"g{i:02}" for i in range(30)],
        }
    ),
    fingerprint="f" * 64,
)


def write_training(
    out: Path,
    net: nn.Module,
    samples: Samples,
    run: Run,
    scores: Mapping[str, ArrayLike],
    *,
    diverged: bool = False,
) -> None:
    """A training of two epochs, the second one its best, with these scores of the validation images by head
    ("dice", "accuracy"); or one that diverged in its first epoch."""
    images = {name: torch.from_numpy(np.array(values, dtype=float)) for name, values in scores.items()}
    means = {name: float(values.mean()) for name, values in images.items()}
    score, loss = sum(means.values()) / len(means), float("nan") if diverged else 1.0
    row = {
        "learning_rate": run.optimizer.learning_rate,
        "train_loss": loss,
        "validation_loss": loss,
        **{f"validation_{name}": mean for name, mean in means.items()},
        "validation_score": score,
    }
    best = {"score": score, "epoch": 2, "weights": net.state_dict(), "images": images}
    progress = {
        "history": [{"epoch": epoch, **row} for epoch in ((1,) if diverged else (1, 2))],
        "best": {"score": -1.0, "epoch": 0} if diverged else best,
        "seconds": 8.0,
        "diverged_at": int(diverged),
    }
    write_result(
        net,
        samples,
        out,
        progress,
        torch.device("cpu"),
        plan=TrainingPlan(run=run, code={"stages/train.py": "0"}),
        fingerprint="r" * 64,
        keep_weights=True,
    )
