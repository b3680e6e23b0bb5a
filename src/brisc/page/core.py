"""What the page shows of whole runs: metrics with intervals, tests, curves, grid, costs, and where it all
comes from."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.vocabulary import HEADS, HEALTHY, LABELS, PLANES, SUBSETS, TEST_SUBSETS

# Of metrics.json only what the page draws.
METRICS = (
    *(head.images for head in HEADS.values()),
    *(f"{head.primary}{end}" for head in HEADS.values() for end in ("", "_low", "_high")),
    "dice_native",
    "dice_native_low",
    "dice_native_high",
    "f1_macro",
    "f1_macro_low",
    "f1_macro_high",
    "precision_macro",
    "recall_macro",
    "auroc_macro",
    "by_label",
    "ece",
    "ece_scaled",
    "reliability",
    "reliability_scaled",
)
AUDIT = ("test_with_copy_in_train", "test_with_copy_in_train_by_relation")
PHANTOM = "Phantom data: says nothing about patients"
BRISC = "BRISC 2025, Fateh et al., CC BY 4.0. Research material, not for diagnosis"

Json = dict[str, Any]


def core(reports: Path, *, models: dict[str, Json], test: Json, size: int) -> Json:
    """The content of page/data/core.js. `models`: what each made of the test images; `test`: those images;
    `size`: their side."""
    metrics, runs = read(reports / "metrics.json"), read(reports / "runs.json")
    provenance = read(reports / "provenance.json")
    curves = _curves(pd.read_csv(reports / "history.csv"), ["run"])
    return {
        "profile": provenance["profile"],
        "phantom": provenance["source"] == "phantom",
        "notice": notice(provenance),
        "size": size,
        "labels": LABELS,
        "healthy": HEALTHY,
        "planes": PLANES,
        "subsets": TEST_SUBSETS,
        "heads": {head.name: {"primary": head.primary, "images": head.images} for head in HEADS.values()},
        "cases": test,
        "models": [
            _model(run, columns, metrics[run]) | _training(runs[run], curves.get((run,), {}))
            for run, columns in models.items()
        ],
        "others": [
            {"name": run, **_training(runs[run], curves.get((run,), {}))}
            for run in metrics
            if run not in models
        ],
        "comparisons": _read_if_there(reports / "comparisons.json"),
        "grid": _grid(reports),
        "audit": _audit(reports),
        "provenance": {key: provenance[key] for key in ("data", "prepare")},
    }


def model_names(reports: Path) -> list[str]:
    """The runs that are judged on the test images and shown in every view, in the order of metrics.json.

    The others, models with another seed or of fewer images and recipes of training, have learning curves
    alone on the page.
    """
    runs = read(reports / "runs.json")
    return [run for run in read(reports / "metrics.json") if runs[run]["kind"] == "model"]


def notice(provenance: Json) -> str:
    """What has to stand beside every image."""
    return PHANTOM if provenance["source"] == "phantom" else BRISC


def read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def _model(run: str, columns: Json, metrics: Json) -> Json:
    return {
        "name": run,
        "heads": [head.name for head in HEADS.values() if head.column in columns],
        "cases": columns,
        "metrics": {
            subset: {key: metrics[subset][key] for key in METRICS if key in metrics[subset]}
            for subset in SUBSETS
            if subset in metrics
        },
        "temperature": metrics.get("temperature"),
        "cost": metrics["cost"],
    }


def _training(summary: Json, history: Json) -> Json:
    """How a run was trained, as far as a reader of its curves wants to know."""
    told = ("kind", "like", "changes", "of_study", "best_epoch")
    return {key: summary[key] for key in told} | {"history": history}


def _grid(reports: Path) -> Json | None:
    """grid.json, each of its cells with its curves."""
    grid = _read_if_there(reports / "grid.json")
    if grid is None or not grid["cells"]:  # params.yaml may leave the grid out
        return None
    axes = ["optimizer", "learning_rate"]
    curves = _curves(pd.read_csv(reports / "grid_history.csv"), axes)
    cells = [
        {**cell, "history": curves.get(tuple(cell[axis] for axis in axes), {})} for cell in grid["cells"]
    ]
    return {**grid, "cells": cells}


def _audit(reports: Path) -> Json | None:
    audit = _read_if_there(reports / "audit.json")
    return None if audit is None else {key: audit[key] for key in AUDIT if key in audit}


def _curves(history: pd.DataFrame, keys: list[str]) -> dict[tuple, Json]:
    """The other columns by the values of `keys`. What diverged in its first epoch has none."""
    return {key: _columns(rows.drop(columns=keys)) for key, rows in history.groupby(keys)}


def _columns(table: pd.DataFrame) -> Json:
    """Column by column, as JSON can hold it: NaN becomes null."""
    return {
        str(name): [None if pd.isna(value) else value for value in column.tolist()]
        for name, column in table.items()
        if not column.isna().all()
    }


def _read_if_there(path: Path) -> Json | None:
    return read(path) if path.is_file() else None
