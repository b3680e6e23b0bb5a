"""A small profile made by code, in the schemas of the stages, so that the page is tested without a run of the
pipeline."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brisc.atomic import write_json
from brisc.config import Evaluate
from brisc.evaluation.classification import measure_labels
from brisc.evaluation.evaluate import subset_metrics
from brisc.evaluation.segmentation import measure
from brisc.vocabulary import HEADS, HEALTHY, LABEL_CODES, LABELS, PLANE_CODES, PLANES, SUBSETS, TEST_SUBSETS

SIDE = 64
TEST, VALIDATION, TRAIN = 24, 8, 16
MASKS = {"unet": 0.9, "attention_unet": 1.1, "joint": 0.7}  # the share of the true diameter that each draws
CLASSIFIERS = {"densenet121": 0.8, "mobilenetv2": 0.6, "joint": 0.7}  # how often each is right
MODELS = ("unet", "attention_unet", "mobilenetv2", "densenet121", "joint")
OTHERS = {  # runs that are not judged on test: what they are like, and what they change
    "unet-43": ("seed", "unet", {"seed": 43}),
    "unet-fewer": ("pruned", "unet", {"prune": "copies"}),
    "unet-bare": ("recipe", "unet", {"epochs": 4, "augment.horizontal_flip": 0.0}),
}
SETTINGS = Evaluate(
    batch_size=8,
    threshold=0.5,
    flips=False,
    calibration_bins=4,
    study_batch_size=16,
    bootstrap_resamples=50,
    bootstrap_seed=0,
)
OPTIMIZERS, RATES = ("adam", "sgd"), (1e-5, 1e-4, 1e-3)


def write_profile(root: Path) -> None:
    rng = np.random.default_rng(6)
    samples, images, masks = draw_slices(rng)
    cache, reports = root / "data" / "cache", root / "reports"
    cache.mkdir(parents=True)
    reports.mkdir()
    np.save(cache / "images.npy", images)
    np.save(cache / "masks.npy", masks)
    samples.to_csv(cache / "samples.csv", index=False)
    copies_of(samples).to_csv(root / "data" / "copies.csv", index=False)

    seen = samples["split"].isin(["validation", "test"]).to_numpy()
    table, truth = samples[seen].drop(columns="mask_pixels").reset_index(drop=True), masks[seen] > 0
    metrics, runs, histories = {}, {}, []
    for number, model in enumerate(MODELS):
        folder = root / "runs" / "eval" / model
        folder.mkdir(parents=True)
        per_image = table
        if model in MASKS:
            predicted = rescale(truth, MASKS[model], rng)
            per_image = pd.concat([per_image, measure(predicted, truth)], axis=1)
            np.savez_compressed(folder / "masks.npz", rows=np.packbits(predicted, axis=2))
        if model in CLASSIFIERS:
            guessed = measure_labels(classify(table, CLASSIFIERS[model], rng))
            per_image = pd.concat([per_image, guessed], axis=1)
            np.savez_compressed(folder / "cam.npz", rows=draw_cams(truth, rng))
        per_image.to_csv(folder / "per_image.csv", index=False, float_format="%.6g")
        metrics[model] = subset_metrics(per_image, SUBSETS, SETTINGS) | {"cost": cost(number)}
        runs[model] = summary("model", heads(model), None, {"model.arch": model})
        histories.append(history(model, heads(model), number))
    for subset in SUBSETS:  # the others are of an older revision that did not measure it
        metrics["unet"][subset] |= {"dice_native": 0.5, "dice_native_low": 0.4, "dice_native_high": 0.6}
    for number, (run, (kind, like, changes)) in enumerate(OTHERS.items()):
        metrics[run] = {"validation": {"n_pairs": 6, "dice_per_image": 0.7}}
        runs[run] = summary(kind, heads(like), like, changes)
        histories.append(history(run, heads(like), number + len(MODELS)))
    write_json(reports / "metrics.json", metrics)
    write_json(reports / "runs.json", runs)
    write_json(reports / "comparisons.json", comparisons())
    write_json(reports / "audit.json", audit(samples))
    write_json(reports / "provenance.json", provenance())
    pd.concat(histories).to_csv(reports / "history.csv", index=False)
    grid, curves = grid_results()
    write_json(reports / "grid.json", grid)
    curves.to_csv(reports / "grid_history.csv", index=False)


def heads(model: str) -> list[str]:
    return [head for head, models in (("mask", MASKS), ("label", CLASSIFIERS)) if model in models]


def summary(kind: str, heads: list[str], like: str | None, changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "like": like,
        "changes": changes,
        "of_study": True,
        "heads": heads,
        "epochs": 6,
        "best_epoch": 5,
        "best_validation_score": 0.7,
        "stopped": "finished",
        "diverged_at": None,
    }


def draw_slices(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """samples.csv, images and masks (N, SIDE, SIDE) uint8, rows sorted by id. The first eight test images are
    in train again, every second of them mirrored.
    """
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    rows, images, masks = [], [], []
    for split, count in (("test", TEST), ("train", TRAIN), ("validation", VALIDATION)):
        half = "test" if split == "test" else "train"
        for number in range(count):
            label, plane = LABELS[number % 4], PLANES[number // 4 % 3]
            # Validation is taken from the publisher's train half, so its numbers follow those of train.
            position = number + 1 + TRAIN * (split == "validation")
            name = f"brisc2025_{half}_{position:05d}_{LABEL_CODES[label]}_{PLANE_CODES[plane]}_t1"
            copied = split == "test" and number < 8
            if split == "train" and number < 8:
                image, mask = images[number], masks[number]
                if number % 2:
                    image, mask = image[:, ::-1], mask[:, ::-1]
            else:
                head = (x / 0.42) ** 2 + (y / 0.47) ** 2
                tissue = np.where(head < 1, 90 - 30 * head + 12 * np.sin(22 * x) * np.cos(19 * y), 4)
                image = tissue + 60 * (abs(head - 0.95) < 0.06)  # the skull
                mask = np.zeros((SIDE, SIDE), bool)
                if label != HEALTHY:
                    cx, cy = rng.uniform(-0.2, 0.2, 2)
                    mask = np.hypot(x - cx, (y - cy) * rng.uniform(0.8, 1.2)) < rng.uniform(0.05, 0.12)
                    image = image + 90 * mask
                image = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
                mask = mask.astype(np.uint8)
            images.append(image)
            masks.append(mask)
            rows.append(
                {
                    "id": name,
                    "split": split,
                    "label": label,
                    "plane": plane,
                    "group": name,
                    "official": int(split == "test"),
                    "clean": int(split == "test" and not copied),
                    "strict": int(split == "test" and number >= 12),
                    "mask_pixels": int(mask.sum()),
                }
            )
    order = sorted(range(len(rows)), key=lambda row: str(rows[row]["id"]))
    return (
        pd.DataFrame(rows).iloc[order].reset_index(drop=True),
        np.stack(images)[order],
        np.stack(masks)[order],
    )


def copies_of(samples: pd.DataFrame) -> pd.DataFrame:
    test, train = (samples[samples["split"] == split]["id"].tolist() for split in ("test", "train"))
    relations = ["reencoded", "mirrored"] * 4 + ["neighbour"] * 2
    pairs = pd.DataFrame({"test_id": test[:10], "train_id": train[:10], "relation": relations})
    mirrored = (pairs["relation"] == "mirrored").astype(int)
    return pairs.assign(mirrored=mirrored, aligned=[0.99] * 8 + [0.7] * 2, frame=0.9, head=0.9)


def rescale(truth: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Each mask drawn again about its centre with `share` of its diameter, one pixel aside; on some healthy
    slices a false positive. The last tumour of test is missed.
    """
    y, x = np.mgrid[:SIDE, :SIDE]
    out = np.zeros_like(truth)
    for number, mask in enumerate(truth):
        if not mask.any():
            if number % 8 == 2:
                out[number, 20:24, 30:35] = True
            continue
        cy, cx = (float(axis.mean()) for axis in np.nonzero(mask))
        radius = share * np.sqrt(mask.sum() / np.pi)
        out[number] = np.hypot(x - cx - rng.uniform(-1, 1), y - cy - 1) < radius
    out[TEST - 1] = False
    return out


def classify(table: pd.DataFrame, skill: float, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (N, 4)."""
    truth = table["label"].map(LABELS.index).to_numpy()
    guess = np.where(rng.random(len(table)) < skill, truth, (truth + rng.integers(1, 4, len(table))) % 4)
    scores = rng.uniform(0, 1, (len(table), 4))
    scores[np.arange(len(table)), guess] += 2
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def draw_cams(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 8, 8) uint8: warm where the tumour is."""
    blocks = truth.reshape(len(truth), 8, SIDE // 8, 8, SIDE // 8).mean(axis=(2, 4))
    return np.clip(255 * blocks + rng.uniform(0, 70, blocks.shape), 0, 255).astype(np.uint8)


def cost(number: int) -> dict[str, Any]:
    """As in demo, where nothing that depends on the machine is written."""
    unmeasured = dict.fromkeys(
        (
            "latency_ms",
            "batch_latency_ms",
            "seconds",
            "images_per_second",
            "peak_memory_mb",
            "device",
            "threads",
        )
    )
    return {
        "parameters": 120_000 * (number + 1),
        "macs": 9e6 * (number + 2),
        "weights_mb": 0.5 + number,
        "batch_size": 8,
        **unmeasured,
    }


def history(run: str, heads: list[str], number: int) -> pd.DataFrame:
    epoch = np.arange(1, 7)
    rise = 0.8 - 0.6 * np.exp(-epoch / (2 + number))
    columns = {
        "run": run,
        "epoch": epoch,
        "learning_rate": 1e-3,
        "train_loss": 1.2 - rise,
        "validation_loss": 1.3 - rise,
    }
    for head in heads:
        columns[f"validation_{HEADS[head].score}"] = rise + 0.1 * (head == "label")
    return pd.DataFrame(columns | {"validation_score": rise, "best": (epoch == 5).astype(int)})


def comparisons() -> dict[str, Any]:
    """unet and attention_unet are not significantly different; both are ahead of joint. No classifiers are
    compared on strict."""

    def part(models: list[str], apart: set[tuple[str, str]]) -> dict[str, Any]:
        pairs = [
            {
                "a": a,
                "b": b,
                "difference": 0.02,
                "low": -0.01,
                "high": 0.05,
                "p": 0.01 if (a, b) in apart else 0.3,
                "p_holm": 0.02 if (a, b) in apart else 0.6,
                "significant": (a, b) in apart,
            }
            for i, a in enumerate(models)
            for b in models[i + 1 :]
        ]
        letters = {model: ["a"] if not any(b == model for _, b in apart) else ["b"] for model in models}
        order = [{"model": model, "value": 0.8, "letters": letters[model]} for model in models]
        return {
            "n": 18,
            "groups": 18,
            "tested": True,
            "family": len(pairs),
            "smallest_p": 0.001,
            "order": order,
            "pairs": pairs,
        }

    untested = part(["densenet121", "joint", "mobilenetv2"], set()) | {"tested": False, "groups": 9}
    for pair in untested["pairs"]:
        pair |= {"p": None, "p_holm": None, "low": None, "high": None}
    masks = part(["unet", "attention_unet", "joint"], {("unet", "joint"), ("attention_unet", "joint")})
    labels = part(["densenet121", "joint", "mobilenetv2"], set())
    return {
        "level": 0.95,
        "resamples": 50,
        "seed": 0,
        "min_groups": 20,
        "heads": {
            "mask": {
                "measure": HEADS["mask"].primary,
                "test": "bootstrap",
                "subsets": dict.fromkeys(SUBSETS, masks),
            },
            "label": {
                "measure": HEADS["label"].primary,
                "test": "bootstrap_and_mcnemar",
                "subsets": dict.fromkeys(SUBSETS, labels) | {"strict": untested},
            },
        },
        "joint_against_separate": None,
        "seeds": {
            "models": {},
            "pairs": [
                {
                    "a": "unet",
                    "b": "attention_unet",
                    "subset": "official",
                    "measure": "dice_study",
                    "n": 2,
                    "differences": {"42": 0.01, "43": -0.02},
                    "mean": -0.005,
                    "sd": 0.02,
                    "low": -0.2,
                    "high": 0.19,
                    "smallest_p": 0.5,
                },
            ],
        },
    }


def grid_results() -> tuple[dict[str, Any], pd.DataFrame]:
    """sgd at the highest rate diverges in its second epoch."""
    cells, curves = [], []
    for row, optimizer in enumerate(OPTIMIZERS):
        for column, rate in enumerate(RATES):
            diverged = (optimizer, rate) == ("sgd", 1e-3)
            epochs = 1 if diverged else 4
            dice = [round(0.2 + 0.1 * epoch + 0.05 * column - 0.03 * row, 4) for epoch in range(epochs)]
            cells.append(
                {
                    "optimizer": optimizer,
                    "learning_rate": rate,
                    "score": max(dice),
                    "low": max(dice) - 0.05,
                    "high": max(dice) + 0.05,
                    "epoch": epochs,
                    "epochs": epochs,
                    "diverged_at": 2 if diverged else None,
                    "seconds": None,
                    "rank_first": 1,
                    "rank_last": 6,
                }
            )
            curves.append(
                pd.DataFrame(
                    {
                        "optimizer": optimizer,
                        "learning_rate": rate,
                        "epoch": range(1, epochs + 1),
                        "validation_dice": dice,
                    }
                )
            )
    cells.sort(key=lambda cell: -cell["score"])
    claims = [
        {
            "source": "the study's table",
            "optimizer": "adam",
            "learning_rate": 1e-5,
            "published": 0.79,
            "ours": 0.5,
            "verdict": "inconclusive",
            "reason": {"code": "tied", "tied": 4, "others": 5},
        },
    ]
    grid = {
        "model": "unet",
        "epochs": 4,
        "optimizers": list(OPTIMIZERS),
        "learning_rates": list(RATES),
        "measure": "dice",
        "cells": cells,
        "claims": claims,
    }
    return grid, pd.concat(curves)


def audit(samples: pd.DataFrame) -> dict[str, Any]:
    test = samples[samples["official"] == 1]
    return {
        "images": {"train": TRAIN + VALIDATION, "test": TEST},
        "subsets": {name: {"total": int(test[name].sum())} for name in TEST_SUBSETS},
        "test_with_copy_in_train": {"total": 8, **dict.fromkeys(LABELS, 2)},
        "test_with_copy_in_train_by_relation": {"same_bytes": 0, "reencoded": 4, "mirrored": 4},
    }


def provenance() -> dict[str, Any]:
    return {
        "profile": "demo",
        "source": "phantom",
        "data": {
            "raw_sha256": "b" * 64,
            "fingerprint": "d" * 64,
            "size": SIDE,
            "images": {"test": TEST},
            "vanished_masks": 0,
        },
        "prepare": {"size": SIDE, "fit": "squeeze", "split": "grouped"},
        "versions": {"python": "3.11"},
        "device": None,
    }
