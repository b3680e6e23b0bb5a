"""Every metric of one trained model, on validation and on each subset of the test images."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Evaluate, Train
from brisc.data.dataset import Samples
from brisc.data.native import NativeMasks
from brisc.errors import InputError
from brisc.evaluation.calibration import fit_temperature, summarise_calibration
from brisc.evaluation.classification import codes, measure_labels, summarise_labels
from brisc.evaluation.cost import measure_cost
from brisc.evaluation.gradcam import activation_maps
from brisc.evaluation.native import dice_native
from brisc.evaluation.predict import Inference, Output, predict_batches
from brisc.evaluation.rows import FLOAT_FORMAT
from brisc.evaluation.segmentation import measure, summarise
from brisc.training.result import copy_records
from brisc.vocabulary import LABELS, TEST_SUBSETS, TUMOURS

Subsets = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Job:
    """Which net sees which images, and how."""

    net: Inference
    samples: Samples
    native: NativeMasks
    rows: np.ndarray
    settings: Evaluate


@dataclass(frozen=True)
class Head:
    """How what a head predicts is measured, a row per image, summed up by subset, and shown."""

    column: str  # that a table of this head's measurements has, and no other
    measure: Callable[[Output, Job], pd.DataFrame]
    summarise: Callable[[Subsets, Evaluate], dict[str, Any]]
    file: str
    picture: Callable[[np.ndarray, Job], np.ndarray]


def evaluate(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    native: NativeMasks,
    training: Path,
    data: Path,
    settings: Evaluate,
    train: Train,
) -> None:
    """Write out/metrics.json, out/per_image.csv, out/cost.json and what shows each head at work.

    native: the masks that `dice_native` is measured against. training: the folder of the training whose
    weights `net` has; what it records is copied to out/training. data: what the prepare stage says of its
    cache, copied to out/data.json. `net` is left in evaluation mode, without gradients of its weights.
    metrics.json: see `subset_metrics`. masks.npz, of a mask head, holds
    "rows", (N, H, W / 8) uint8, the predicted masks packed eight pixels to a byte; cam.npz, of a label head,
    "rows", (N, h, w) uint8, Grad-CAM of the predicted class. Both have the row order of per_image.csv:
    validation and test images by id.
    """
    _check_rows(samples, native)
    rows = np.sort(np.concatenate([samples.rows(split, healthy=True) for split in ("validation", "test")]))
    job = Job(Inference(net, train), samples, native, rows, settings)
    table, predictions = measure_images(job)
    pictures = {
        HEADS[head].file: HEADS[head].picture(prediction, job) for head, prediction in predictions.items()
    }
    cost = measure_cost(
        job.net,
        size=samples.images.shape[1],
        batch_size=settings.batch_size,
        weights=training / "weights.pt",
        measure_seconds=train.measure_seconds,
    )
    with atomic(out) as folder:
        folder.mkdir()
        table.to_csv(folder / "per_image.csv", index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
        for file, picture in pictures.items():
            np.savez_compressed(folder / file, rows=picture)
        write_json(folder / "metrics.json", subset_metrics(table, settings))
        write_json(folder / "cost.json", cost)
        copy_records(training, folder / "training")
        shutil.copyfile(data, folder / "data.json")


def measure_images(job: Job) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The content of per_image.csv, what is known of each image and what is measured of each head; and each
    head's predictions.

    Batch by batch, since logits of all images would not fit into memory.
    """
    tables: list[pd.DataFrame] = []
    predictions: dict[str, list[np.ndarray]] = {}
    for rows, outputs in predict_batches(job.net, job.samples, job.rows, settings=job.settings):
        part = replace(job, rows=rows)
        known = job.samples.table.iloc[rows].drop(columns="mask_pixels").reset_index(drop=True)
        measured = [HEADS[head].measure(outputs[head], part) for head in HEADS if head in outputs]
        tables.append(pd.concat([known, *measured], axis=1))
        for head, output in outputs.items():
            predictions.setdefault(head, []).append(output.prediction(job.settings.threshold))
    return (
        pd.concat(tables, ignore_index=True),
        {head: np.concatenate(parts) for head, parts in predictions.items()},
    )


def subset_metrics(table: pd.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """{"official", "clean", "strict", "validation"}: the metrics of each, of all heads that `table` has
    columns of.

    With a label head also "temperature", by which its logits are divided in `ece_scaled`: fitted on
    validation alone. All class-weighted numbers are in the class mix of the official test set.
    """
    subsets = {name: table[table[name] == 1] for name in TEST_SUBSETS}
    subsets["validation"] = table[table["split"] == "validation"]
    metrics: dict[str, Any] = {}
    for head in HEADS.values():
        if head.column in table:
            metrics = _merge(metrics, head.summarise(subsets, settings))
    return metrics


def _check_rows(samples: Samples, native: NativeMasks) -> None:
    if len(native) != len(samples.table):
        raise InputError(
            "original masks and cache differ in length",
            where="masks.npz",
            got=f"{len(native)} masks",
            expected=f"{len(samples.table)}",
            mend="Run the prepare stage again.",
        )


def _measure_masks(output: Output, job: Job) -> pd.DataFrame:
    threshold = job.settings.threshold
    table = measure(output.prediction(threshold), job.samples.masks[job.rows] > 0)
    scores = dice_native(output.mask_logits(), job.native, job.rows, threshold=threshold)
    return table.assign(dice_native=scores)


def _measure_labels(output: Output, job: Job) -> pd.DataFrame:
    return measure_labels(output.prediction(job.settings.threshold))


def _summarise_masks(subsets: Subsets, settings: Evaluate) -> dict[str, Any]:
    mix = _class_mix(subsets, TUMOURS)
    return {
        name: summarise(
            table,
            study_batch_size=settings.study_batch_size,
            resamples=settings.bootstrap_resamples,
            seed=settings.bootstrap_seed,
            class_weights=mix,
        )
        for name, table in subsets.items()
    }


def _summarise_labels(subsets: Subsets, settings: Evaluate) -> dict[str, Any]:
    mix, temperature = _class_mix(subsets, LABELS), fit_temperature(subsets["validation"])
    metrics: dict[str, Any] = {
        name: {
            **summarise_labels(
                table, resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed, class_weights=mix
            ),
            **summarise_calibration(table, temperature=temperature, bins=settings.calibration_bins),
        }
        for name, table in subsets.items()
    }
    return {**metrics, "temperature": temperature}


def _class_mix(subsets: Subsets, labels: tuple[str, ...]) -> dict[str, int]:
    return {label: int((subsets["official"]["label"] == label).sum()) for label in labels}


def _pack(masks: np.ndarray, job: Job) -> np.ndarray:
    return np.packbits(masks, axis=2)


def _explain(probabilities: np.ndarray, job: Job) -> np.ndarray:
    predicted = codes(measure_labels(probabilities)["predicted"])
    return activation_maps(job.net, job.samples, job.rows, predicted, batch_size=job.settings.batch_size)


def _merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both, dicts within them too. What else both have, such as the number of images, is the same."""
    merged = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict):
            merged[key] = _merge(one[key], other[key])
    return merged


HEADS = {
    "mask": Head("dice", _measure_masks, _summarise_masks, "masks.npz", _pack),
    "label": Head("predicted", _measure_labels, _summarise_labels, "cam.npz", _explain),
}
