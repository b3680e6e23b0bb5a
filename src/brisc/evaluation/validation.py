"""A run judged on validation alone, without and with flips: a choice of training must not see test."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from brisc.config import Evaluate
from brisc.data.dataset import Samples
from brisc.evaluation.classification import codes
from brisc.evaluation.predict import Inference, predict
from brisc.evaluation.rows import as_written
from brisc.evaluation.segmentation import measure
from brisc.evaluation.statistics import bootstrap_mean
from brisc.vocabulary import HEADS, HEALTHY, VALIDATION


def score_images(net: Inference, samples: Samples, *, healthy: bool, settings: Evaluate) -> pd.DataFrame:
    """A row for each validation image: id, label, group, and by head the Dice of its mask or 1 for the right
    class, else 0.

    `score` is the mean over the net's heads; columns that end in _flips are of the prediction with flips.
    healthy: whether the no-tumour slices count.
    """
    rows = samples.rows(VALIDATION, healthy=healthy)
    table = samples.table.iloc[rows][["id", "label", "group"]].reset_index(drop=True)
    for suffix, flips in (("", False), ("_flips", True)):
        found = predict(net, samples, rows, settings=replace(settings, flips=flips))
        scores = {}
        if "mask" in found:
            scores["dice"] = measure(found["mask"], samples.masks[rows] > 0)["dice"].to_numpy()
        if "label" in found:
            right = found["label"].argmax(axis=1) == codes(table["label"])
            scores["accuracy"] = right.astype(np.float64)
        table = table.assign(**{f"{score}{suffix}": values for score, values in scores.items()})
        table[f"score{suffix}"] = np.mean(list(scores.values()), axis=0)
    return table


def summarise_validation(table: pd.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """{"validation": {metric: value}}: the primary metric of each head without flips, with its interval and
    the number of images. table: see `score_images`."""
    metrics: dict[str, Any] = {}
    for head in HEADS.values():
        if head.score in table:
            images = table[table["label"] != HEALTHY] if head.name == "mask" else table
            scores = as_written(images[head.score])
            low, high = bootstrap_mean(
                scores,
                groups=images["group"],
                resamples=settings.bootstrap_resamples,
                seed=settings.bootstrap_seed,
            )
            metrics[head.images] = len(images)
            metrics[head.primary] = float(scores.mean())
            metrics |= {f"{head.primary}_low": low, f"{head.primary}_high": high}
    return {VALIDATION: metrics}
