"""make show: runs of the commit, and of experiments what differs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.git import git
from pipeline.show import collect, table

SETTINGS = {"seed": 42, "optimizer": {"name": "adam", "learning_rate": 0.001}}


def write(root: Path, runs: dict[str, tuple[float, dict[str, Any]]], cells: list[dict[str, Any]]) -> None:
    """runs: by name the validation Dice and what differs in SETTINGS; a name with a hyphen is a recipe."""
    reports = root / "reports" / "demo"
    reports.mkdir(parents=True, exist_ok=True)
    metrics, about = {}, {}
    for name, (dice, changes) in runs.items():
        recipe = "-" in name
        scores = {"validation": {"dice_per_image": dice}, "cost": {"seconds": 90.0}}
        metrics[name] = scores if recipe else {**scores, "official": {"dice_per_image": dice + 0.1}}
        about[name] = {
            "heads": ["mask"],
            "like": "unet" if recipe else None,
            "changes": {"ema_decay": 0.9} if recipe else {},
            "epochs": 8,
            "settings": {**SETTINGS, **changes},
        }
    (reports / "metrics.json").write_text(json.dumps(metrics))
    (reports / "runs.json").write_text(json.dumps(about))
    (reports / "grid.json").write_text(json.dumps({"model": "unet", "measure": "dice", "cells": cells}))


def cell(rate: float, score: float | None) -> dict[str, Any]:
    return {"optimizer": "adam", "learning_rate": rate, "score": score, "epochs": 2, "seconds": None}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    write(tmp_path, {"unet": (0.5, {}), "unet-ema": (0.6, {})}, [cell(0.001, 0.55), cell(0.1, None)])
    commit(tmp_path, "results")
    return tmp_path


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", message)


def test_every_run_and_cell_sorted_by_validation(root: Path) -> None:
    rows = collect(root, "demo")
    assert [row.name for row in rows] == ["unet-ema", "grid/adam-0.001", "unet", "grid/adam-0.1"]
    assert [row.validation for row in rows] == [0.6, 0.55, 0.5, None]
    assert (rows[0].changes, rows[0].official, rows[2].official) == ("like unet; ema_decay 0.9", None, 0.6)
    assert (rows[2].epochs, rows[2].minutes) == (8, 1.5)


def test_folds_stand_together(root: Path) -> None:
    fold = {"folds": [0, 3], "validation": 0.8, "n_pairs": 1900, "dice_per_image": 0.75}
    path = root / "reports" / "demo" / "out_of_fold.json"
    path.write_text(json.dumps({"models": {"unet": fold}}))
    (row,) = [row for row in collect(root, "demo") if "out of fold" in row.name]
    assert (row.validation, row.official) == (0.8, None)
    assert row.changes == "like unet; 75.00 on the 1,900 slices of folds 0, 3"


def test_an_experiment_shows_what_differs_and_nothing_else(root: Path) -> None:
    head = git(root, "rev-parse", "HEAD")
    faster = {"optimizer": {"name": "adam", "learning_rate": 0.01}}
    write(root, {"unet": (0.7, faster), "unet-ema": (0.6, {})}, [cell(0.001, 0.55), cell(0.1, None)])
    commit(root, "experiment")
    git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/faster", "HEAD")
    git(root, "reset", "-q", "--hard", head)
    first, *others = collect(root, "demo")
    assert (first.name, first.changes, first.validation) == ("faster: unet", "learning_rate 0.01", 0.7)
    assert len(others) == 4


def test_results_of_the_work_tree_that_no_commit_has_are_told(root: Path) -> None:
    write(root, {"unet": (0.4, {"seed": 43}), "unet-ema": (0.6, {})}, [cell(0.001, 0.55), cell(0.1, None)])
    (row,) = [row for row in collect(root, "demo") if row.name.startswith("work tree: ")]
    assert (row.name, row.changes) == ("work tree: unet", "seed 43")


def test_a_row_of_the_table_for_each_result(root: Path) -> None:
    assert table(collect(root, "demo"), "demo").row_count == 4


def test_without_results_there_are_no_rows(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "a").write_text("")
    commit(tmp_path, "nothing")
    assert collect(tmp_path, "demo") == []
