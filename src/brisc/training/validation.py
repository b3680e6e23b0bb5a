"""The score of each validation image, for intervals and paired tests between trainings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from brisc.atomic import atomic
from brisc.config import Run, Train
from brisc.data.dataset import Samples, evaluation_batches
from brisc.training.device import build_fabric
from brisc.training.fit import SCORES, to_device
from brisc.training.result import copy_records
from brisc.training.resume import load_weights


def write_cell(
    net: nn.Module, samples: Samples, out: Path, *, training: Path, run: Run, train: Train
) -> None:
    """What a grid is judged by: the records of the training in `training` and, unless it has no best epoch,
    out/validation.csv.

    `net` is left with the weights of that epoch.
    """
    with atomic(out) as folder:
        copy_records(training, folder)
        if json.loads((folder / "summary.json").read_text(encoding="utf-8"))["best_epoch"] is not None:
            load_weights(net, training / "weights.pt")
            scores = score_images(net, samples, run=run, train=train)
            scores.to_csv(folder / "validation.csv", index=False, lineterminator="\n", float_format="%.6g")


@torch.no_grad()
def score_images(net: nn.Module, samples: Samples, *, run: Run, train: Train) -> pd.DataFrame:
    """A row for each validation image, in the order of the cache: id, label, group, `dice` and `accuracy` by
    head, `score`.

    `dice` is that of the mask at probability 0.5, `accuracy` 1 where the likeliest class is the true one;
    `score` is their mean over the net's heads. Its mean over the images is the validation score by which
    training keeps its best epoch.
    """
    fabric = build_fabric(train, devices=1)
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
                scores.setdefault(score.__name__, []).append(
                    score(logits[head], batch[head]).double().cpu().numpy()
                )
    columns = {name: np.concatenate(parts) for name, parts in scores.items()}
    table = samples.table.iloc[rows][["id", "label", "group"]].reset_index(drop=True)
    return table.assign(**columns, score=sum(columns.values()) / len(columns))
