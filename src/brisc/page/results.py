"""What the page shows of whole models: metrics with intervals, tests, curves, grid, costs, and where it all
comes from."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.vocabulary import LABELS, PLANES, SUBSETS

# Of metrics.json only what the page draws.
MASK = (
    "n_images",
    "n_pairs",
    "dice_study",
    "dice_per_image",
    "dice_per_image_low",
    "dice_per_image_high",
    "iou_per_image",
    "hd95_px",
    "hd95_undefined",
    "boundary_dice",
    "by_class",
    "false_alarms",
)
LABEL = (
    "n_images",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "f1_macro",
    "f1_macro_low",
    "f1_macro_high",
    "precision_macro",
    "recall_macro",
    "auroc_macro",
    "by_label",
    "confusion",
    "ece",
    "ece_scaled",
    "reliability",
    "reliability_scaled",
)
AUDIT = (
    "images",
    "subsets",
    "test_with_copy_in_train",
    "test_with_copy_in_train_by_relation",
    "test_with_neighbour_only",
)
PHANTOM = "phantom data: says nothing about patients"

Json = dict[str, Any]


def core(reports: Path, *, metrics: Json, models: dict[str, Json], test: Json, size: int) -> Json:
    """The content of page/data/core.js. `models`: what each made of the test images; `test`: those images;
    `size`: their side."""
    runs, provenance = _read(reports / "runs.json"), _read(reports / "provenance.json")
    history = pd.read_csv(reports / "history.csv")
    audit = _read_if_there(reports / "audit.json")
    phantom = provenance["source"] == "phantom"
    return {
        "profile": provenance["profile"],
        "phantom": phantom,
        "notice": PHANTOM
        if phantom
        else "BRISC 2025, Fateh et al., CC BY 4.0. Research material, not for diagnosis",
        "size": size,
        "labels": LABELS,
        "planes": PLANES,
        "cases": test,
        "models": [
            {
                "name": model,
                "heads": [
                    head for head, column in (("mask", "dice"), ("label", "predicted")) if column in columns
                ],
                "cases": columns,
                "metrics": {
                    subset: _metrics(metrics[model][subset]) for subset in SUBSETS if subset in metrics[model]
                },
                "temperature": metrics[model].get("temperature"),
                "cost": metrics[model]["cost"],
                "run": _run(runs[model]),
                "history": _columns(history[history["model"] == model].drop(columns="model")),
            }
            for model, columns in models.items()
        ],
        "comparisons": _read_if_there(reports / "comparisons.json"),
        "grid": _grid(reports),
        "audit": None if audit is None else {key: audit[key] for key in AUDIT if key in audit},
        "provenance": {
            key: provenance[key] for key in ("source_tree", "data", "prepare", "versions", "device")
        },
    }


def _metrics(subset: Json) -> Json:
    return {key: subset[key] for key in dict.fromkeys((*MASK, *LABEL)) if key in subset}


def _run(summary: Json) -> Json:
    """How the model was trained, as far as a reader of its curves wants to know."""
    shown = (
        "epochs",
        "best_epoch",
        "stopped",
        "train_images",
        "validation_images",
        "images_seen",
        "diverged_at",
    )
    return {key: summary[key] for key in shown if key in summary}


def _grid(reports: Path) -> Json | None:
    """grid.json, each of its cells with its curves."""
    grid = _read_if_there(reports / "grid.json")
    if grid is None or not grid["cells"]:  # params.yaml may leave the grid out
        return None
    history = pd.read_csv(reports / "grid_history.csv")
    curves = {
        key: rows.drop(columns=["optimizer", "learning_rate"])
        for key, rows in history.groupby(["optimizer", "learning_rate"])
    }
    # A cell that diverged in its first epoch has none.
    keys = [(cell["optimizer"], cell["learning_rate"]) for cell in grid["cells"]]
    cells = [
        {**cell, "history": _columns(curves[key]) if key in curves else {}}
        for cell, key in zip(grid["cells"], keys, strict=True)
    ]
    return {**grid, "cells": cells}


def _columns(table: pd.DataFrame) -> Json:
    """Column by column, as JSON can hold it: NaN becomes null."""
    return {
        str(name): [None if pd.isna(value) else value for value in column.tolist()]
        for name, column in table.items()
        if not column.isna().all()
    }


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def _read_if_there(path: Path) -> Json | None:
    return _read(path) if path.is_file() else None
