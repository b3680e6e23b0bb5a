"""The grid's results: cells, ranking, and the study's claims about the best one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brisc.analysis.grid import best_of, judge_claims, read_cells, summarise_grid
from brisc.config import Evaluate, GridAxes, load
from brisc.errors import InputError

AXES = GridAxes(model="unet", optimizers=["adam", "sgd"], learning_rates=[5e-5, 1e-3])
PUBLISHED = {
    "source": "table",
    "runs": 2,
    "best": {"optimizer": "adam", "learning_rate": 5e-5, "dice": 78.57},
    "log": {"source": "log", "optimizer": "rmsprop", "learning_rate": 5e-5, "dice": 79.19},
}
# Mean scores in the order of the axes; None: diverged in the first epoch.
MEANS = {"adam-5e-05": 0.8, "adam-0.001": 0.5, "sgd-5e-05": 0.2, "sgd-0.001": None}


@pytest.fixture
def settings(repository: Path) -> Evaluate:
    settings: Evaluate = load("demo", "evaluate")
    return settings


def write_cell(folder: Path, name: str, mean: float | None) -> None:
    optimizer, rate = name.split("-", 1)
    place = folder / name
    place.mkdir(parents=True)
    lost = mean is None
    summary = {
        "run": {"optimizer": {"name": optimizer, "learning_rate": float(rate)}},
        "epochs": 1 if lost else 3,
        "best_epoch": None if lost else 2,
        "diverged_at": 1 if lost else None,
    }
    (place / "summary.json").write_text(json.dumps(summary))
    (place / "cost.json").write_text(json.dumps({"seconds": None}))
    pd.DataFrame({"epoch": [1], "learning_rate": [float(rate)], "validation_score": [mean]}).to_csv(
        place / "history.csv", index=False
    )
    if mean is not None:
        dice = mean + np.random.default_rng(len(name)).normal(0, 0.02, 30)
        images = {
            "id": range(30),
            "label": "glioma",
            "group": [f"g{i}" for i in range(30)],
            "dice": dice,
            "score": dice,
        }
        pd.DataFrame(images).to_csv(place / "validation.csv", index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, mean in MEANS.items():
        write_cell(tmp_path / "grid", name, mean)
    return tmp_path / "grid"


def summary(folder: Path, settings: Evaluate) -> dict[str, Any]:
    cells, _ = read_cells(folder, AXES)
    return summarise_grid(cells, axes=AXES, epochs=3, published=PUBLISHED, settings=settings)


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
    assert (first["epoch"], first["epochs"], first["diverged_at"]) == (2, 3, None)
    assert (last["score"], last["low"], last["epoch"], last["diverged_at"]) == (None, None, None, 1)
    assert (grid["measure"], grid["model"], grid["epochs"]) == ("dice", "unet", 3)
    assert best_of(grid) == {"optimizer": "adam", "learning_rate": 5e-5, "dice": first["score"], "epoch": 2}


def test_history_tells_the_cell_s_rate_from_the_epoch_s(folder: Path) -> None:
    _, history = read_cells(folder, AXES)
    assert list(history.columns[:4]) == ["optimizer", "learning_rate", "epoch", "epoch_learning_rate"]
    assert len(history) == 4


def test_a_study_without_a_grid_has_empty_results(tmp_path: Path, settings: Evaluate) -> None:
    none = GridAxes(model="unet", optimizers=[], learning_rates=[1e-3])
    cells, history = read_cells(tmp_path, none)
    grid = summarise_grid(cells, axes=none, epochs=3, published=PUBLISHED, settings=settings)
    assert (cells, len(history), grid["cells"], best_of(grid)) == ([], 0, [], {})
    assert [claim["verdict"] for claim in grid["claims"]] == ["cannot be told"] * 2


def test_a_missing_cell_is_named(folder: Path) -> None:
    (folder / "sgd-5e-05" / "summary.json").unlink()
    with pytest.raises(InputError, match=r"grid/sgd-5e-05: no result of sgd at 5e-05.*make grid"):
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


def test_the_best_of_fewer_cells_than_the_study_had_is_not_yet_the_best() -> None:
    table, _ = judge_claims([row((1, 1)), OTHER], "dice", {**PUBLISHED, "runs": 20})
    reason = "it is better than every other cell of this grid of 2, but the study's had 20"
    assert (table["verdict"], table["reason"]) == ("cannot be told", reason)


@pytest.mark.parametrize(
    ("rows", "measure", "verdict", "reason"),
    [
        ([row((1, 1)), OTHER], "dice", "supported", "better than every other cell"),
        ([OTHER, row((2, 2))], "dice", "not supported", "1 of 1 other cells are better"),
        ([row((1, 2)), OTHER], "dice", "cannot be told", "1 of 1 other cells cannot be told apart"),
        (
            [OTHER, row((None, None), score=None, diverged_at=2)],
            "dice",
            "not supported",
            "diverged in epoch 2",
        ),
        ([OTHER], "dice", "cannot be told", "does not have the cell"),
        ([row((1, 1))], "dice", "cannot be told", "no other cell"),
        ([row((1, 1)), OTHER], "accuracy", "cannot be told", "measures accuracy"),
    ],
)
def test_a_claim_is_judged_by_ranks(
    rows: list[dict[str, Any]], measure: str, verdict: str, reason: str
) -> None:
    table, log = judge_claims(rows, measure, PUBLISHED)
    assert (table["verdict"], table["published"]) == (verdict, 0.7857)
    assert reason in table["reason"]
    assert (log["optimizer"], log["verdict"], log["ours"]) == ("rmsprop", "cannot be told", None)
