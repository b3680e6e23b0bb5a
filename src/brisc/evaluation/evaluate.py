"""Every metric of one trained model, on validation and on each subset of the test images."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Evaluate, EvaluationPlan, Run
from brisc.data.dataset import Samples
from brisc.data.native import NativeMasks
from brisc.errors import InputError
from brisc.evaluation.calibration import fit_temperature, summarise_calibration
from brisc.evaluation.classification import codes, measure_labels, summarise_labels
from brisc.evaluation.cost import measure_cost
from brisc.evaluation.gradcam import activation_maps
from brisc.evaluation.native import dice_native
from brisc.evaluation.predict import Inference, Output, predict, predict_batches
from brisc.evaluation.rows import FLOAT_FORMAT, subset_of
from brisc.evaluation.segmentation import dice, measure, summarise
from brisc.evaluation.validation import score_images, summarise_validation
from brisc.training.result import copy_records
from brisc.training.resume import load_weights
from brisc.vocabulary import FOLD, HEADS, LABELS, SUBSETS, TEST_SUBSETS, TUMOURS, VALIDATION

Subsets = Mapping[str, pd.DataFrame]

FOLD_SUBSETS = (FOLD, VALIDATION)  # of a run with a fold, in place of SUBSETS

# What per_image.csv says of an image beside what is measured.
KNOWN = ("id", "split", "label", "plane", "group", *TEST_SUBSETS)


@dataclass(frozen=True)
class Job:
    """Which net sees which images, and how."""

    net: Inference
    samples: Samples
    native: NativeMasks
    rows: np.ndarray
    settings: Evaluate


@dataclass(frozen=True)
class Evaluator:
    """How what a head predicts is measured, a row per image, summed up by subset, and shown."""

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
    plan: EvaluationPlan,
    run: Run,
) -> None:
    """Load into `net` the weights of the folder `training` and write its results into the folder `out`.

    out/run.json: what the run is to the others. out/training/: all that the training recorded but its
    weights. out/data.json: a copy of `data`, what the prepare stage says of its cache. out/metrics.json and
    what else `judge_on_test` or `judge_on_validation` say. native: the masks that `dice_native` is measured
    against. `net` is left in evaluation mode, without gradients.
    """
    _check_rows(samples, native)
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
            splits = [samples.rows(split, healthy=True) for split in (VALIDATION, "test")]
            job = Job(Inference(net, run), samples, native, np.sort(np.concatenate(splits)), plan.evaluate)
            judge_on_test(
                job,
                folder,
                subsets=SUBSETS if run.fold is None else FOLD_SUBSETS,
                flips=plan.kind == "model",
                weights=training / "weights.pt",
                measure_seconds=run.measure_seconds,
            )


def judge_on_validation(
    net: Inference, samples: Samples, folder: Path, *, settings: Evaluate, run: Run
) -> None:
    """validation.csv, see `score_images`, and metrics.json of that alone."""
    table = score_images(net, samples, healthy=run.healthy_slices, settings=settings)
    table.to_csv(folder / "validation.csv", index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
    write_json(folder / "metrics.json", summarise_validation(table, settings))


def judge_on_test(
    job: Job, folder: Path, *, subsets: Sequence[str], flips: bool, weights: Path, measure_seconds: bool
) -> None:
    """metrics.json, see `subset_metrics`, per_image.csv, inference.json, and what shows each head at work.

    masks.npz, of a mask head, holds "rows", (N, H, W / 8) uint8, the predicted masks packed eight pixels to a
    byte; cam.npz, of a label head, "rows", (N, h, w) uint8, Grad-CAM of the predicted class. Both have the
    row order of per_image.csv: validation and test images by id. weights: the file that the net's came from.
    """
    table, predictions = measure_images(job)
    if flips:
        table = table.assign(**measure_flips(job))
    table.to_csv(folder / "per_image.csv", index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
    for head, prediction in predictions.items():
        np.savez_compressed(folder / EVALUATORS[head].file, rows=EVALUATORS[head].picture(prediction, job))
    write_json(folder / "metrics.json", subset_metrics(table, subsets, job.settings))
    cost = measure_cost(
        job.net,
        size=job.samples.images.shape[1],
        batch_size=job.settings.batch_size,
        weights=weights,
        measure_seconds=measure_seconds,
    )
    write_json(folder / "inference.json", cost)


def measure_images(job: Job) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The content of per_image.csv, what is known of each image and what is measured of each head; and each
    head's predictions.

    Batch by batch, since logits of all images would not fit into memory.
    """
    tables: list[pd.DataFrame] = []
    predictions: dict[str, list[np.ndarray]] = {}
    for rows, outputs in predict_batches(job.net, job.samples, job.rows, settings=job.settings):
        part = replace(job, rows=rows)
        known = job.samples.table.iloc[rows][list(KNOWN)].reset_index(drop=True)
        measured = [EVALUATORS[head].measure(outputs[head], part) for head in HEADS if head in outputs]
        tables.append(pd.concat([known, *measured], axis=1))
        for head, output in outputs.items():
            predictions.setdefault(head, []).append(output.prediction(job.settings.threshold))
    return (
        pd.concat(tables, ignore_index=True),
        {head: np.concatenate(parts) for head, parts in predictions.items()},
    )


def measure_flips(job: Job) -> dict[str, np.ndarray]:
    """What the mean over an image and its views, see `Inference`, would be worth, as columns: dice_flips, and
    accuracy_flips, 1 for the right class and else 0."""
    found = predict(job.net, job.samples, job.rows, settings=replace(job.settings, flips=True))
    columns: dict[str, np.ndarray] = {}
    if "mask" in found:
        masks, truth = found["mask"], job.samples.masks[job.rows] > 0
        overlap, drawn, true = (pixels.sum(axis=(1, 2)) for pixels in (masks & truth, masks, truth))
        columns["dice_flips"] = dice(overlap, drawn, true)
    if "label" in found:
        right = found["label"].argmax(axis=1) == codes(job.samples.table["label"].iloc[job.rows])
        columns["accuracy_flips"] = right.astype(np.int64)
    return columns


def subset_metrics(table: pd.DataFrame, names: Sequence[str], settings: Evaluate) -> dict[str, Any]:
    """By subset of these names, "validation" among them: its metrics, of all heads that `table` has columns
    of.

    With a label head also "temperature", by which its logits are divided in `ece_scaled`: fitted on
    validation alone. All class-weighted numbers are in the class mix of the first subset: the official test
    set, or the fold.
    """
    subsets = {name: subset_of(table, name) for name in names}
    metrics: dict[str, Any] = {}
    for name, head in HEADS.items():
        if head.column in table:
            metrics = _merge(metrics, EVALUATORS[name].summarise(subsets, settings))
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
    first = next(iter(subsets.values()))
    return {label: int((first["label"] == label).sum()) for label in labels}


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


EVALUATORS = {
    "mask": Evaluator(_measure_masks, _summarise_masks, "masks.npz", _pack),
    "label": Evaluator(_measure_labels, _summarise_labels, "cam.npz", _explain),
}
