"""The score of each validation image, for intervals and paired tests between trainings."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import nn

from brisc.config import Run, Train
from brisc.data.dataset import Samples, evaluation_batches
from brisc.training.fit import SCORES, to_device


@torch.no_grad()
def score_images(net: nn.Module, samples: Samples, *, run: Run, train: Train) -> pd.DataFrame:
    """A row for each validation image, in the order of the cache: id, label, group, `dice` and `accuracy` by head, `score`.

    `dice` is that of the mask at probability 0.5, `accuracy` 1 where the likeliest class is the true one; `score` is their mean
    over the net's heads. Its mean over the images is the validation score by which training keeps its best epoch.
    """
    fabric = Fabric(accelerator=train.accelerator, devices=1, precision=train.precision)
    layout = torch.channels_last if train.channels_last else torch.contiguous_format
    net = net.to(device=fabric.device, memory_format=layout).eval()  # type: ignore[call-overload]
    rows = samples.rows("validation", healthy=run.healthy_slices)
    scores: dict[str, list[Any]] = {}
    for batch in evaluation_batches(samples, rows, batch_size=train.batch_size):
        batch = to_device(batch, fabric.device, train.channels_last)
        with fabric.autocast():
            logits = net(batch["image"])
        for head, score in SCORES.items():
            if head in logits:
                scores.setdefault(score.__name__, []).append(score(logits[head], batch[head]).double().cpu().numpy())
    columns = {name: np.concatenate(parts) for name, parts in scores.items()}
    table = samples.table.iloc[rows][["id", "label", "group"]].reset_index(drop=True)
    return table.assign(**columns, score=sum(columns.values()) / len(columns))
