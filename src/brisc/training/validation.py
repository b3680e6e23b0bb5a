"""How a net stands on the validation images: its loss, and the score of each image."""

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import nn

from brisc.config import Run
from brisc.data.dataset import Samples, plain_batches
from brisc.training.device import to_device
from brisc.training.losses import TotalLoss
from brisc.vocabulary import HEADS, VALIDATION


def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Dice of each image at probability 0.5: (B, 1, H, W) twice -> (B,). Empty against empty is right."""
    prediction, tumour = logits > 0, truth > 0
    overlap = (prediction & tumour).sum((1, 2, 3))
    area = prediction.sum((1, 2, 3)) + tumour.sum((1, 2, 3))
    return torch.where(area > 0, 2 * overlap / area.clamp_min(1), 1.0)


def accuracy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 where the likeliest class is the true one, else 0: (B, K) and (B,) -> (B,)."""
    return (logits.argmax(1) == truth).float()


SCORES = {"mask": dice, "label": accuracy}


@torch.no_grad()
def validate(
    net: nn.Module, criterion: TotalLoss, samples: Samples, fabric: Fabric, run: Run
) -> tuple[float, dict[str, torch.Tensor]]:
    """Mean loss over the validation images, not augmented, and by the score's name ("dice", "accuracy") the
    score of each image (N,), float64 on the CPU, in the order of the cache."""
    net.eval()
    rows = samples.rows(VALIDATION, healthy=run.healthy_slices)
    losses: list[torch.Tensor] = []
    scores: dict[str, list[torch.Tensor]] = {}
    for batch in plain_batches(samples, rows, batch_size=run.validation_batch_size):
        batch = to_device(batch, fabric.device, run.channels_last)
        with fabric.autocast():
            logits = net(batch["image"])
        losses.append(criterion(logits, batch) * len(batch["image"]))
        for head, score in SCORES.items():
            if head in logits:
                scores.setdefault(HEADS[head].score, []).append(score(logits[head], batch[head]))
    of_images = {name: torch.cat(parts).double().cpu() for name, parts in scores.items()}
    return float(torch.stack(losses).sum()) / len(rows), of_images


def validation_table(samples: Samples, run: Run, scores: dict[str, torch.Tensor]) -> pd.DataFrame:
    """A row for each validation image, in the order of the cache: id, label, group, the score by head, and
    `score`, their mean. Its mean over the images is what training keeps its best epoch by."""
    rows = samples.rows(VALIDATION, healthy=run.healthy_slices)
    columns = {name: values.numpy() for name, values in scores.items()}
    table = samples.table.iloc[rows][["id", "label", "group"]].reset_index(drop=True)
    return table.assign(**columns, score=np.mean(list(columns.values()), axis=0))
