"""The score of each validation image by a trained recipe, without and with flips."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from brisc.atomic import atomic
from brisc.config import Evaluate, Train
from brisc.data.dataset import Samples
from brisc.evaluation.predict import Inference, predict
from brisc.evaluation.segmentation import measure
from brisc.training.result import copy_records
from brisc.training.resume import load_weights
from brisc.vocabulary import LABELS


def write_recipe(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    training: Path,
    healthy: bool,
    train: Train,
    settings: Evaluate,
) -> None:
    """The records of the training in `training` and, unless it has no best epoch, out/validation.csv.

    healthy: whether the no-tumour slices count. `net` is left with the weights of the best epoch.
    """
    with atomic(out) as folder:
        copy_records(training, folder)
        if json.loads((folder / "summary.json").read_text(encoding="utf-8"))["best_epoch"] is not None:
            load_weights(net, training / "weights.pt")
            scores = score_images(Inference(net, train), samples, healthy=healthy, settings=settings)
            scores.to_csv(folder / "validation.csv", index=False, lineterminator="\n", float_format="%.6g")


def score_images(net: Inference, samples: Samples, *, healthy: bool, settings: Evaluate) -> pd.DataFrame:
    """A row for each validation image: id, label, group, and by head the Dice of its mask or 1 for the right
    class, else 0.

    `score` is the mean over the net's heads; columns that end in _flips are of the prediction with flips.
    """
    rows = samples.rows("validation", healthy=healthy)
    table = samples.table.iloc[rows][["id", "label", "group"]].reset_index(drop=True)
    for suffix, flips in (("", False), ("_flips", True)):
        found = predict(net, samples, rows, settings=replace(settings, flips=flips))
        heads = {}
        if "mask" in found:
            heads["dice"] = measure(found["mask"], samples.masks[rows] > 0)["dice"].to_numpy()
        if "label" in found:
            true = np.array([LABELS.index(label) for label in table["label"]])
            heads["accuracy"] = (found["label"].argmax(axis=1) == true).astype(np.float64)
        table = table.assign(**{f"{head}{suffix}": values for head, values in heads.items()})
        table[f"score{suffix}"] = np.mean(list(heads.values()), axis=0)
    return table
