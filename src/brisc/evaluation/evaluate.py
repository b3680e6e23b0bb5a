"""Every metric of one trained model, on validation and on each subset of the test images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Evaluate, Train
from brisc.data.dataset import Samples
from brisc.evaluation.predict import predict_masks
from brisc.evaluation.segmentation import TUMOURS, measure, summarise

SUBSETS = ("official", "clean", "strict")


def evaluate(net: nn.Module, samples: Samples, out: Path, *, settings: Evaluate, train: Train) -> None:
    """Write out/metrics.json, out/per_image.csv and out/masks.npy.

    masks.npy is (N, H, W / 8) uint8, the predicted masks packed eight pixels to a byte, in the row order of per_image.csv.
    """
    rows = np.sort(np.concatenate([samples.rows(split, healthy=True) for split in ("validation", "test")]))
    masks = predict_masks(
        net, samples, rows, batch_size=settings.batch_size, threshold=settings.threshold, train=train
    )  # fmt: skip
    table = samples.table.iloc[rows].drop(columns="mask_pixels").reset_index(drop=True)
    table = pd.concat([table, measure(masks, samples.masks[rows] > 0)], axis=1)
    with atomic(out) as folder:
        folder.mkdir()
        table.to_csv(folder / "per_image.csv", index=False, lineterminator="\n", float_format="%.6g")
        np.save(folder / "masks.npy", np.packbits(masks, axis=2))
        write_json(folder / "metrics.json", subset_metrics(table, settings))


def subset_metrics(table: pd.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """{"official", "clean", "strict", "validation"}: the metrics of each, all weighted to the official class mix as well."""
    official = table.loc[table["official"] == 1, "label"]
    weights = {label: int((official == label).sum()) for label in TUMOURS}
    subsets = {name: table[table[name] == 1] for name in SUBSETS}
    subsets["validation"] = table[table["split"] == "validation"]
    return {
        name: summarise(
            rows, study_batch_size=settings.study_batch_size, resamples=settings.bootstrap_resamples,
            seed=settings.bootstrap_seed, class_weights=weights,
        )
        for name, rows in subsets.items()
    }  # fmt: skip
