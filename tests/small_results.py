"""Results of four models and a grid of four cells as small dicts, for tests of what is made of them."""

import copy
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pandas as pd

from brisc.analysis.results import GridResult, Record, Results

Change = Callable[[dict[str, Any]], object]

PUBLISHED = {
    "study": {
        "settings": [
            {"setting": "source", "name": "data", "value": "brisc2025"},
            {"setting": "prepare.size", "name": "image size", "value": 256},
            {"setting": "precision", "name": "precision", "value": "32-true"},
            {"setting": "schedule", "name": "schedule", "value": "plateau"},
            {"setting": "plateau_patience", "name": "plateau patience", "value": 7},
            {"setting": "epochs", "name": "epochs", "value": 100},
            {"setting": "optimizer.learning_rate", "name": "rate", "value": 0.0001},
        ],
        "cost": {
            "device": "one RTX 3070, 8 GB",
            "device_name": "RTX 3070",
            "model": "unet",
            "images_per_second": 45,
            "trainings": 27,
            "gpu_hours": 52,
        },
    },
    "data": {"images": {"train": 5000, "test": 1000}, "pairs": {"train": 3933, "test": 860}},
    "models": {
        "unet": {
            "test": {"dice_study": 88.22, "iou_study": None},
            "validation": {"dice_study": 83.1},
            "settings": [{"setting": "model.levels", "name": "levels", "value": 5}],
        },
        "attention_unet": {"test": {"dice_study": 87.83}},
        "densenet121": {
            "test": {"accuracy": 97.5},
            "f1_by_class": {"glioma": 97.5},
            "cost": {"weights_mb": 88},
            "settings": [{"setting": "model.growth_rate", "name": "growth rate", "value": 32}],
        },
        "mobilenetv2": {"test": {"accuracy": 94.1}},
        "joint": {"against_separate": {"dice_study": -4.91}, "gaps": {"dice_study": "of validation"}},
    },
    "grid": {
        "epochs": 20,
        "minutes": 29,
        "best": {"optimizer": "adam", "learning_rate": 0.0001, "dice": 78.57},
        "log": {"optimizer": "adam", "learning_rate": 0.001, "dice": 79.19},
        "higher_rates": "sgd",
    },
    "others": [
        {
            "source": "others",
            "model": "unet",
            "metric": "dice_native",
            "value": 86,
            "unknown": "their average",
        }
    ],
}


def mask(dice: float) -> dict[str, float]:
    ends = {"dice_study_low": dice - 0.01, "dice_study_high": dice + 0.01}
    image = {"dice_per_image": dice, "dice_per_image_low": dice - 0.01, "dice_per_image_high": dice + 0.01}
    native = {"dice_native": dice - 0.01, "dice_native_low": dice - 0.02, "dice_native_high": dice}
    return {"dice_study": dice, **ends, **image, **native}


def label(accuracy: float) -> dict[str, Any]:
    f1 = {"f1": accuracy, "f1_low": accuracy - 0.01, "f1_high": accuracy + 0.01}
    ends = {"accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.01}
    return {"accuracy": accuracy, **ends, "by_label": {"glioma": f1}}


def run(**model: Any) -> dict[str, Any]:
    common = {"epochs": 100, "precision": "auto", "schedule": "plateau", "plateau_patience": 7}
    settings = {"model": model, **common, "optimizer": {"learning_rate": 0.0001}}
    return {"kind": "model", "of_study": True, "settings": settings}


def cell(optimizer: str, rate: float, score: float, ranks: tuple[int, int]) -> dict[str, Any]:
    return {
        "optimizer": optimizer,
        "learning_rate": rate,
        "score": score,
        "low": score - 0.01,
        "high": score + 0.01,
        "epoch": 10,
        "epochs": 10,
        "diverged_at": None,
        "seconds": 90.0,
        "rank_first": ranks[0],
        "rank_last": ranks[1],
    }


SCORES = {"unet": mask(0.87), "attention_unet": mask(0.86), "densenet121": label(0.97), "joint": mask(0.85)}
COST = {"weights_mb": 22.0, "images_per_second": 15.5, "seconds": 3600.0, "precision": "32-true"}

PARTS: dict[str, dict[str, Any]] = {
    "metrics": {
        model: {"official": scores, "validation": scores, "cost": COST} for model, scores in SCORES.items()
    },
    "runs": {
        "unet": run(levels=5),
        "attention_unet": run(levels=5),
        "densenet121": run(growth_rate=32),
        "joint": run(levels=5),
    },
    "provenance": {
        "runs_of_profile": 7,
        "source": "brisc2025",
        "prepare": {"size": 128, "split": "grouped"},
        "device": "NVIDIA GeForce RTX 3070",
    },
    "validation": {"images": {"train": 5000, "test": 1000}, "pairs": {"train": 3933, "test": 860}},
    "comparisons": {
        "heads": {
            "mask": {
                "subsets": {
                    "official": {
                        "n": 860,
                        "groups": 400,
                        "tested": True,
                        "family": 1,
                        "smallest_p": 0.001,
                        "order": [],
                        "pairs": [
                            {
                                "a": "attention_unet",
                                "b": "unet",
                                "difference": -0.02,
                                "low": -0.03,
                                "high": -0.01,
                                "p_holm": 0.04,
                                "significant": True,
                            }
                        ],
                    }
                }
            }
        },
        "joint_against_separate": {
            "subsets": {
                "official": [
                    {
                        "joint": "joint",
                        "measure": "dice_study",
                        "like_for_like": True,
                        "separate": "unet",
                        "difference": -0.02,
                        "low": -0.03,
                        "high": -0.01,
                    }
                ]
            }
        },
    },
    "grid": {
        "epochs": 10,
        "cells": [
            cell("adam", 0.001, 0.80, (1, 1)),
            cell("adam", 0.0001, 0.70, (2, 2)),
            cell("sgd", 0.001, 0.50, (3, 3)),
            cell("sgd", 0.0001, 0.10, (4, 4)),
        ],
        "claims": [
            {
                "optimizer": "adam",
                "learning_rate": 0.0001,
                "verdict": "not supported",
                "reason": {"code": "behind", "better": 1, "others": 3},
            },
            {
                "optimizer": "adam",
                "learning_rate": 0.001,
                "verdict": "supported",
                "reason": {"code": "ahead"},
            },
        ],
    },
    "published": PUBLISHED,
}


def small_results(profile: str = "laptop", **changes: Change) -> Results:
    """small_results(metrics=change) -> Results in which change(metrics) was called on a copy of that file; an
    unused part is None."""
    parts = copy.deepcopy(PARTS)
    for part, change in changes.items():
        change(parts[part])
    records = {part: Record(content, f"{part}.json") for part, content in parts.items()}
    grid = GridResult(records.pop("grid"), pd.DataFrame())
    unused: dict[str, Any] = {entry.name: None for entry in fields(Results)}
    return Results(**unused | records | {"profile": profile, "grid": grid})
