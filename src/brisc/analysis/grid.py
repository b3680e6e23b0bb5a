"""The grid of optimizers and learning rates: its cells, a ranking as far as there is one, and what was
published about it.

grid.json (scores are fractions from 0 to 1 of the validation images, null where undefined; intervals at 95
%):

    model, epochs   the run that a cell changes, and for how many epochs at most it trains
    optimizers, learning_rates
    measure         what the score is: dice, accuracy, or score, their mean, for a net with both heads
    cells           best first. optimizer, learning_rate; score, low, high, epoch: of the best epoch; epochs:
                    trained; diverged_at: the epoch whose loss was not finite, else null; seconds: null where
                    not measured; rank_first, rank_last: the ranks that it may have, null without a score
    claims          what the study says is best: source, optimizer, learning_rate, published (a fraction),
                    ours, verdict (supported | not supported | inconclusive), reason: {"code", and the numbers
                    that belong to it}, see `_judge`

A score is that of the best epoch on the validation images, which also chose the epoch, so it flatters every
cell. Intervals and ranks say what other images would change, not what another seed would.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.analysis.ranks import Ranks, rank_ranges
from brisc.analysis.runs import read_result, read_table
from brisc.analysis.scores import check_same_images, interval, measure_name, rounded
from brisc.config import Evaluate, Grid
from brisc.errors import InputError
from brisc.evaluation.statistics import LEVEL

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE = "supported", "not supported", "inconclusive"

KEYS = ["optimizer", "learning_rate"]
CELL = [
    *KEYS,
    "score",
    "low",
    "high",
    "epoch",
    "epochs",
    "diverged_at",
    "seconds",
    "rank_first",
    "rank_last",
]


@dataclass(frozen=True)
class TrainedCell:
    """A cell as its folder has it. images: the score of each validation image at its best epoch, None without
    one."""

    optimizer: str
    learning_rate: float
    summary: dict[str, Any]
    cost: dict[str, Any]
    history: pd.DataFrame
    images: pd.DataFrame | None

    @property
    def key(self) -> tuple[str, float]:
        return self.optimizer, self.learning_rate

    @property
    def name(self) -> str:
        return cell_name(*self.key)


def cell_name(optimizer: str, learning_rate: float) -> str:
    """What dvc.yaml calls the folder of a cell: adam-5e-05."""
    return f"{optimizer}-{learning_rate}"


def read_cells(folder: Path, axes: Grid) -> list[TrainedCell]:
    """The cells of `axes` in their order from folder/<optimizer>-<rate>/.

    Raises InputError for the first cell that is missing or is the result of another training than its name
    says, and when cells were measured on different images.
    """
    cells = [_read(folder, *key) for key in itertools.product(axes.optimizers, axes.learning_rates)]
    images = {cell.name: cell.images for cell in cells if cell.images is not None}
    check_same_images(folder, images, what="cells")
    return cells


def _read(folder: Path, optimizer: str, learning_rate: float) -> TrainedCell:
    place = folder / cell_name(optimizer, learning_rate)
    summary = read_result(place / "summary.json")
    trained = summary["settings"]["optimizer"]
    if (trained["name"], trained["learning_rate"]) != (optimizer, learning_rate):
        raise InputError(
            "the result of another training",
            where=place / "summary.json",
            got=f"{trained['name']} at {trained['learning_rate']}",
            expected=f"{optimizer} at {learning_rate}",
            mend="Remove the folder and run dvc repro.",
        )
    return TrainedCell(
        optimizer,
        learning_rate,
        summary,
        read_result(place / "cost.json"),
        read_table(place / "history.csv"),
        read_table(place / "validation.csv") if summary["best_epoch"] is not None else None,
    )


def grid_history(cells: Sequence[TrainedCell]) -> pd.DataFrame:
    """A row for each cell and epoch; epoch_learning_rate: the rate of the epoch, which the schedule may have
    lowered."""
    if not cells:
        return pd.DataFrame(columns=[*KEYS, "epoch"])
    tables = [
        cell.history.rename(columns={"learning_rate": "epoch_learning_rate"}).assign(
            optimizer=cell.optimizer, learning_rate=cell.learning_rate
        )
        for cell in cells
    ]
    history = pd.concat(tables, ignore_index=True)
    return history[[*KEYS, *(name for name in history.columns if name not in KEYS)]]


def summarise_grid(
    cells: Sequence[TrainedCell], *, axes: Grid, epochs: int, published: dict[str, Any], settings: Evaluate
) -> dict[str, Any]:
    """The content of grid.json, see the head of this file. published: the block "grid" of published.json,
    scores in percent."""
    ranks = _ranks(cells, settings)
    measure = measure_name([cell.images for cell in cells if cell.images is not None])
    rows = sorted(
        (_row(cell, ranks.get(cell.key), settings) for cell in cells),
        key=lambda row: (
            row["score"] is None,
            -(row["score"] or 0.0),
            row["optimizer"],
            row["learning_rate"],
        ),
    )
    return {
        "model": axes.run,
        "epochs": epochs,
        "optimizers": axes.optimizers,
        "learning_rates": axes.learning_rates,
        "measure": measure,
        "cells": rows,
        "claims": judge_claims(rows, measure, published),
    }


def shown_scores(grid: dict[str, Any]) -> dict[str, Any]:
    """The content of grid_scores.json: the best cell in the few columns of `dvc exp show`; in an experiment
    of one cell, that cell."""
    if not grid["cells"]:
        return {}
    best = grid["cells"][0]
    return {
        "optimizer": best["optimizer"],
        "learning_rate": best["learning_rate"],
        grid["measure"]: best["score"],
        "epoch": best["epoch"],
    }


def judge_claims(
    rows: Sequence[dict[str, Any]], measure: str, published: dict[str, Any]
) -> list[dict[str, Any]]:
    """The study's table and its log each name a best cell: is it the best of `rows`, as far as images can
    tell?"""
    claims = []
    for claim, source in (
        (published["best"], published["source"]),
        (published["log"], published["log"]["source"]),
    ):
        key = (claim["optimizer"], claim["learning_rate"])
        ours = next((row for row in rows if (row["optimizer"], row["learning_rate"]) == key), None)
        verdict, reason = _judge(ours, len(rows), published["runs"], measure)
        claims.append(
            {
                "source": source,
                "optimizer": claim["optimizer"],
                "learning_rate": claim["learning_rate"],
                "published": claim["dice"] / 100,
                "ours": None if ours is None else ours["score"],
                "verdict": verdict,
                "reason": reason,
            }
        )
    return claims


def _judge(ours: dict[str, Any] | None, cells: int, theirs: int, measure: str) -> tuple[str, dict[str, Any]]:
    """Verdict and reason of the claim that `ours` is the best of `cells` cells; the study had `theirs`."""
    if ours is None:
        return INCONCLUSIVE, {"code": "absent"}
    if measure != "dice":
        return INCONCLUSIVE, {"code": "measure", "measure": measure}
    if cells == 1:
        return INCONCLUSIVE, {"code": "alone"}
    if ours["score"] is None:
        return NOT_SUPPORTED, {"code": "diverged", "epoch": ours["diverged_at"]}
    better, tied = ours["rank_first"] - 1, ours["rank_last"] - ours["rank_first"]
    if better > 0:
        return NOT_SUPPORTED, {"code": "behind", "better": better, "others": cells - 1}
    if tied > 0:
        return INCONCLUSIVE, {"code": "tied", "tied": tied, "others": cells - 1}
    if cells < theirs:
        return INCONCLUSIVE, {"code": "fewer", "cells": cells, "published_cells": theirs}
    return SUPPORTED, {"code": "ahead", "others": cells - 1}


def _ranks(cells: Sequence[TrainedCell], settings: Evaluate) -> dict[tuple[str, float], Ranks]:
    scored = [(cell.key, cell.images) for cell in cells if cell.images is not None]
    if not scored:
        return {}
    ranges = rank_ranges(
        [images["score"] for _, images in scored],
        groups=scored[0][1]["group"],
        resamples=settings.bootstrap_resamples,
        seed=settings.bootstrap_seed,
        level=LEVEL,
    )
    return {key: ranks for (key, _), ranks in zip(scored, ranges, strict=True)}


def _row(cell: TrainedCell, ranks: Ranks | None, settings: Evaluate) -> dict[str, Any]:
    score = low = high = None
    if cell.images is not None:
        score = float(cell.images["score"].mean())
        low, high = interval(cell.images["score"], cell.images["group"], settings)
    return {
        "optimizer": cell.optimizer,
        "learning_rate": cell.learning_rate,
        "score": rounded(score),
        "low": rounded(low),
        "high": rounded(high),
        "epoch": cell.summary["best_epoch"],
        "epochs": cell.summary["epochs"],
        "diverged_at": cell.summary["diverged_at"],
        "seconds": cell.cost["seconds"],
        "rank_first": None if ranks is None else ranks.first,
        "rank_last": None if ranks is None else ranks.last,
    }
