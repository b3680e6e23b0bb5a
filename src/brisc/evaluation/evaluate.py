"""Every metric of one trained model, on validation and on each subset of the test images."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Evaluate, EvaluationPlan, Run
from brisc.data.dataset import Samples
from brisc.evaluation.calibration import fit_temperature, summarise_calibration
from brisc.evaluation.classification import codes, measure_labels, summarise_labels
from brisc.evaluation.cost import measure_cost
from brisc.evaluation.gradcam import activation_maps
from brisc.evaluation.predict import Inference, predict
from brisc.evaluation.rows import FLOAT_FORMAT, subset_of
from brisc.evaluation.segmentation import measure, summarise
from brisc.evaluation.validation import score_images, summarise_validation
from brisc.training.result import copy_records
from brisc.training.resume import load_weights
from brisc.vocabulary import LABELS, SUBSETS, TUMOURS, VALIDATION

Subsets = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Job:
    """Which net sees which images, and how."""

    net: Inference
    samples: Samples
    rows: np.ndarray
    settings: Evaluate


@dataclass(frozen=True)
class Head:
    """How what a head predicts is measured, a row per image, summed up by subset, and shown."""

    column: str  # that a table of this head's measurements has, and no other
    measure: Callable[[np.ndarray, Job], pd.DataFrame]
    summarise: Callable[[Subsets, Evaluate], dict[str, Any]]
    file: str
    picture: Callable[[np.ndarray, Job], np.ndarray]


def evaluate(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    training: Path,
    data: Path,
    plan: EvaluationPlan,
    run: Run,
) -> None:
    """Load into `net` the weights of the folder `training` and write its results into the folder `out`.

    out/run.json: what the run is to the others. out/training/: all that the training recorded but its
    weights. out/data.json: a copy of `data`, what the prepare stage says of its cache. out/metrics.json and
    what else `judge_on_test` or `judge_on_validation` say. `net` is left in evaluation mode, without
    gradients.
    """
    with atomic(out) as folder:
        copy_records(training, folder / "training")
        shutil.copyfile(data, folder / "data.json")
        about = {"kind": plan.kind, "like": plan.like, "changes": plan.changes, "judge": plan.judge}
        write_json(folder / "run.json", about)
        if json.loads((training / "summary.json").read_text(encoding="utf-8"))["best_epoch"] is None:
            write_json(folder / "metrics.json", {})
            return
        load_weights(net, training / "weights.pt")
        if plan.judge == VALIDATION:
            judge_on_validation(Inference(net, run), samples, folder, settings=plan.evaluate, run=run)
        else:
            weights = training / "weights.pt"
            judge_on_test(
                Inference(net, run), samples, folder, settings=plan.evaluate, run=run, weights=weights
            )


def judge_on_validation(
    net: Inference, samples: Samples, folder: Path, *, settings: Evaluate, run: Run
) -> None:
    """validation.csv, see `score_images`, and metrics.json of that alone."""
    table = score_images(net, samples, healthy=run.healthy_slices, settings=settings)
    table.to_csv(folder / "validation.csv", index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
    write_json(folder / "metrics.json", summarise_validation(table, settings))


def judge_on_test(
    net: Inference, samples: Samples, folder: Path, *, settings: Evaluate, run: Run, weights: Path
) -> None:
    """metrics.json, see `subset_metrics`, per_image.csv, inference.json, and what shows each head at work.

    masks.npz, of a mask head, holds "rows", (N, H, W / 8) uint8, the predicted masks packed eight pixels to a
    byte; cam.npz, of a label head, "rows", (N, h, w) uint8, Grad-CAM of the predicted class. Both have the
    row order of per_image.csv: validation and test images by id.
    """
    rows = np.sort(np.concatenate([samples.rows(split, healthy=True) for split in (VALIDATION, "test")]))
    job = Job(net, samples, rows, settings)
    predictions = predict(job.net, samples, rows, settings=settings)
    table = measure_images(predictions, job)
    table.to_csv(folder / "per_image.csv", index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
    for head, prediction in predictions.items():
        np.savez_compressed(folder / HEADS[head].file, rows=HEADS[head].picture(prediction, job))
    write_json(folder / "metrics.json", subset_metrics(table, settings))
    cost = measure_cost(
        net,
        size=samples.images.shape[1],
        batch_size=settings.batch_size,
        weights=weights,
        measure_seconds=run.measure_seconds,
    )
    write_json(folder / "inference.json", cost)


def measure_images(predictions: Mapping[str, np.ndarray], job: Job) -> pd.DataFrame:
    """The content of per_image.csv: what is known of each image, and what is measured of each head's
    prediction."""
    known = job.samples.table.iloc[job.rows].drop(columns="mask_pixels").reset_index(drop=True)
    return pd.concat(
        [known, *(HEADS[head].measure(predictions[head], job) for head in HEADS if head in predictions)],
        axis=1,
    )


def subset_metrics(table: pd.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """{"official", "clean", "strict", "validation"}: the metrics of each, of all heads that `table` has
    columns of.

    With a label head also "temperature", by which its logits are divided in `ece_scaled`: fitted on
    validation alone. All class-weighted numbers are in the class mix of the official test set.
    """
    subsets = {name: subset_of(table, name) for name in SUBSETS}
    metrics: dict[str, Any] = {}
    for head in HEADS.values():
        if head.column in table:
            metrics = _merge(metrics, head.summarise(subsets, settings))
    return metrics


def _measure_masks(masks: np.ndarray, job: Job) -> pd.DataFrame:
    return measure(masks, job.samples.masks[job.rows] > 0)


def _measure_labels(probabilities: np.ndarray, job: Job) -> pd.DataFrame:
    return measure_labels(probabilities)


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
