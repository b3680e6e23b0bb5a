"""The grid's results: cells, ranking, and the study's claims about the best one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from torch import nn

from brisc.analysis.grid import grid_history, judge_claims, read_cells, shown_scores, summarise_grid
from brisc.config import Evaluate, Grid, Run
from brisc.errors import InputError
from trained import SAMPLES, write_training

AXES = Grid(run="unet", optimizers=["adam", "sgd"], learning_rates=[5e-5, 1e-3])
PUBLISHED = {
    "source": "table",
    "runs": 2,
    "best": {"optimizer": "adam", "learning_rate": 5e-5, "dice": 78.57},
    "log": {"source": "log", "optimizer": "rmsprop", "learning_rate": 5e-5, "dice": 79.19},
}
# Mean scores in the order of the axes; None: diverged in the first epoch.
MEANS = {"adam-5e-05": 0.8, "adam-0.001": 0.5, "sgd-5e-05": 0.2, "sgd-0.001": None}


@pytest.fixture
def folder(tmp_path: Path, run: Run) -> Path:
    for name, mean in MEANS.items():
        optimizer, rate = name.split("-", 1)
        chosen = replace(run.optimizer, name=optimizer, learning_rate=float(rate))
        dice = (mean or 0.1) + np.random.default_rng(len(name)).normal(0, 0.02, 30)
        write_training(
            tmp_path / "grid" / name,
            nn.Linear(2, 3),
            SAMPLES,
            replace(run, optimizer=chosen),
            {"dice": dice},
            diverged=mean is None,
        )
    return tmp_path / "grid"


def summary(folder: Path, settings: Evaluate) -> dict[str, Any]:
    return summarise_grid(
        read_cells(folder, AXES), axes=AXES, epochs=3, published=PUBLISHED, settings=settings
    )


def test_cells_are_ranked_and_the_diverged_one_is_last(folder: Path, settings: Evaluate) -> None:
    grid = summary(folder, settings)
    assert [(row["optimizer"], row["learning_rate"]) for row in grid["cells"]] == [
        ("adam", 5e-5),
        ("adam", 1e-3),
        ("sgd", 5e-5),
        ("sgd", 1e-3),
    ]
    assert [(row["rank_first"], row["rank_last"]) for row in grid["cells"]] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (None, None),
    ]
    first, last = grid["cells"][0], grid["cells"][-1]
    assert first["score"] == pytest.approx(0.8, abs=0.02)
    assert 0.78 < first["low"] < first["score"] < first["high"] < 0.82
    assert (first["epoch"], first["epochs"], first["diverged_at"]) == (2, 2, None)
    assert (last["score"], last["low"], last["epoch"], last["diverged_at"]) == (None, None, None, 1)
    assert (grid["measure"], grid["model"], grid["epochs"]) == ("dice", "unet", 3)
    assert shown_scores(grid) == {
        "optimizer": "adam",
        "learning_rate": 5e-5,
        "dice": first["score"],
        "epoch": 2,
    }


def test_history_tells_the_cell_s_rate_from_the_epoch_s(folder: Path) -> None:
    cells = read_cells(folder, AXES)
    cells[0].history["learning_rate"] = [5e-5, 2.5e-5]
    history = grid_history(cells)
    assert list(history.columns[:4]) == ["optimizer", "learning_rate", "epoch", "epoch_learning_rate"]
    assert len(history) == 2 + 2 + 2 + 1
    assert history.iloc[1, :4].to_list() == ["adam", 5e-5, 2, 2.5e-5]


def test_a_study_without_a_grid_has_empty_results(tmp_path: Path, settings: Evaluate) -> None:
    none = Grid(run="unet", optimizers=[], learning_rates=[1e-3])
    cells = read_cells(tmp_path, none)
    grid = summarise_grid(cells, axes=none, epochs=3, published=PUBLISHED, settings=settings)
    assert (cells, len(grid_history(cells)), grid["cells"], shown_scores(grid)) == ([], 0, [], {})
    assert [claim["verdict"] for claim in grid["claims"]] == ["inconclusive"] * 2


def test_a_missing_cell_is_named(folder: Path) -> None:
    (folder / "sgd-5e-05" / "summary.json").unlink()
    with pytest.raises(InputError, match=r"grid/sgd-5e-05/summary\.json: a result is missing.*dvc repro"):
        read_cells(folder, AXES)


def test_a_cell_under_another_s_name_is_told(folder: Path) -> None:
    (folder / "sgd-5e-05" / "summary.json").write_text((folder / "adam-5e-05" / "summary.json").read_text())
    with pytest.raises(
        InputError, match=r"the result of another training: got adam at 5e-05, expected sgd at 5e-05"
    ):
        read_cells(folder, AXES)


def test_cells_measured_on_other_images_are_told(folder: Path) -> None:
    path = folder / "sgd-5e-05" / "validation.csv"
    pd.read_csv(path).iloc[1:].to_csv(path, index=False)
    with pytest.raises(InputError, match="cells measured on different images"):
        read_cells(folder, AXES)


def row(ranks: tuple[int | None, int | None], **values: Any) -> dict[str, Any]:
    cell = {"optimizer": "adam", "learning_rate": 5e-5, "score": 0.7, "diverged_at": None}
    return {**cell, "rank_first": ranks[0], "rank_last": ranks[1], **values}


OTHER = row((1, 2), optimizer="sgd")
LOST = row((None, None), score=None, diverged_at=2)


@pytest.mark.parametrize(
    ("rows", "measure", "theirs", "verdict", "reason"),
    [
        ([row((1, 1)), OTHER], "dice", 2, "supported", {"code": "ahead", "others": 1}),
        ([OTHER, row((2, 2))], "dice", 2, "not supported", {"code": "behind", "better": 1, "others": 1}),
        # Cells that may be as good come after those that are better.
        (
            [OTHER, row((2, 3)), OTHER],
            "dice",
            2,
            "not supported",
            {"code": "behind", "better": 1, "others": 2},
        ),
        ([row((1, 2)), OTHER], "dice", 2, "inconclusive", {"code": "tied", "tied": 1, "others": 1}),
        ([OTHER, LOST], "dice", 2, "not supported", {"code": "diverged", "epoch": 2}),
        ([OTHER], "dice", 2, "inconclusive", {"code": "absent"}),
        ([row((1, 1))], "dice", 2, "inconclusive", {"code": "alone"}),
        ([row((1, 1)), OTHER], "accuracy", 2, "inconclusive", {"code": "measure", "measure": "accuracy"}),
        # The best of fewer cells than the study had is not yet the best.
        (
            [row((1, 1)), OTHER],
            "dice",
            20,
            "inconclusive",
            {"code": "fewer", "cells": 2, "published_cells": 20},
        ),
    ],
)
def test_a_claim_is_judged_by_ranks(
    rows: list[dict[str, Any]], measure: str, theirs: int, verdict: str, reason: dict[str, Any]
) -> None:
    table, log = judge_claims(rows, measure, {**PUBLISHED, "runs": theirs})
    assert (table["source"], table["published"], table["verdict"]) == ("table", 0.7857, verdict)
    assert table["reason"] == reason
    assert (log["source"], log["optimizer"], log["ours"]) == ("log", "rmsprop", None)
    assert (log["verdict"], log["reason"]) == ("inconclusive", {"code": "absent"})
