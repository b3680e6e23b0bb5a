"""The grid of optimisers and learning rates: its cells, a ranking as far as there is one, and what was published about it.

grid.json (scores are fractions from 0 to 1 of the validation images, null where undefined; intervals at 95 %):

    model, epochs           what a cell trains, and for how many epochs at most
    optimizers, learning_rates
    measure                 what the score is: dice, accuracy, or score, their mean, for a net with both heads
    cells                   best first. optimizer, learning_rate; score, low, high, epoch: of the best epoch; epochs: trained;
                            diverged_at: the epoch whose loss was not finite, else null; seconds: null where not measured;
                            rank_first, rank_last: the ranks that it may have, null without a score
    claims                  what the study says is best: source, optimizer, learning_rate, published (a fraction), ours, verdict
                            (supported | not supported | cannot be told), reason
    method                  sentences: what the intervals and ranks say and what they do not
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.config import Evaluate, GridAxes
from brisc.errors import InputError
from brisc.evaluation.ranks import Ranks, rank_ranges
from brisc.evaluation.statistics import LEVEL, MIN_GROUPS, bootstrap_mean

SUPPORTED, NOT_SUPPORTED, CANNOT_BE_TOLD = "supported", "not supported", "cannot be told"

METHOD = (
    "Each cell is one training; its score is that of its best epoch on the validation images, which also chose the epoch, so it "
    "flatters every cell.",
    "Intervals and ranks say what other images would change, drawn by groups of similar slices. They do not say what another "
    "seed would change.",
    "A rank is a range, since the images do not tell all cells apart; the ranges of all cells hold together with a probability "
    "of 95 %.",
)

KEYS = ["optimizer", "learning_rate"]
CELL = [*KEYS, "score", "low", "high", "epoch", "epochs", "diverged_at", "seconds", "rank_first", "rank_last"]

# Enough for any table, and the same on every machine whatever the order of summation.
DIGITS = 6


@dataclass(frozen=True)
class Cell:
    """One training of the grid. images: a row for each validation image with id, group, score; None without a best epoch."""

    optimizer: str
    learning_rate: float
    summary: dict[str, Any]
    seconds: float | None
    images: pd.DataFrame | None

    @property
    def key(self) -> tuple[str, float]:
        return self.optimizer, self.learning_rate

    @property
    def score(self) -> float | None:
        return None if self.images is None else float(self.images["score"].mean())


def cell_name(optimizer: str, learning_rate: float) -> str:
    """What dvc.yaml calls the folder of a cell: adam-5e-05."""
    return f"{optimizer}-{learning_rate}"


def read_cells(folder: Path, axes: GridAxes) -> tuple[list[Cell], pd.DataFrame]:
    """The cells of `axes` in their order from folder/<optimiser>-<rate>/, and the history of all, a row for each epoch.

    Raises InputError for the first cell that is missing or is the result of another training than its name says, and when
    cells were measured on different images.
    """
    cells, histories = [], []
    for optimizer, learning_rate in itertools.product(axes.optimizers, axes.learning_rates):
        place = folder / cell_name(optimizer, learning_rate)
        if not (place / "summary.json").is_file():
            raise InputError(
                f"no result of {optimizer} at {learning_rate}", where=place, got="no summary.json",
                expected="a finished training", mend="Run dvc repro or make grid.",
            )  # fmt: skip
        summary = json.loads((place / "summary.json").read_text(encoding="utf-8"))
        trained = summary["run"]["optimizer"]
        if (trained["name"], trained["learning_rate"]) != (optimizer, learning_rate):
            raise InputError(
                "the result of another training", where=place / "summary.json",
                got=f"{trained['name']} at {trained['learning_rate']}", expected=f"{optimizer} at {learning_rate}",
                mend="Remove the folder and run dvc repro.",
            )  # fmt: skip
        images = pd.read_csv(place / "validation.csv") if summary["best_epoch"] is not None else None
        seconds = json.loads((place / "cost.json").read_text(encoding="utf-8"))["seconds"]
        cells.append(Cell(optimizer, learning_rate, summary, seconds, images))
        histories.append(
            pd.read_csv(place / "history.csv")
            .rename(columns={"learning_rate": "epoch_learning_rate"})  # which the schedule may have lowered
            .assign(optimizer=optimizer, learning_rate=learning_rate)
        )
    _check_images(folder, cells)
    history = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(columns=[*KEYS, "epoch"])
    return cells, history[[*KEYS, *(name for name in history.columns if name not in KEYS)]]


def summarise_grid(
    cells: Sequence[Cell], *, axes: GridAxes, epochs: int, published: dict[str, Any], settings: Evaluate
) -> dict[str, Any]:
    """The content of grid.json, see the head of this file. published: the block "grid" of published.json, scores in percent."""
    scored = [cell for cell in cells if cell.images is not None]
    ranks, measure = _ranks(scored, settings), _measure(scored)
    rows = sorted(
        (_row(cell, ranks.get(cell.key), settings) for cell in cells),
        key=lambda row: (row["score"] is None, -(row["score"] or 0.0), row["optimizer"], row["learning_rate"]),
    )
    return {
        "model": axes.model,
        "epochs": epochs,
        "optimizers": axes.optimizers,
        "learning_rates": axes.learning_rates,
        "measure": measure,
        "cells": rows,
        "claims": judge_claims(rows, measure, published),
        "method": list(METHOD),
    }


def best_of(grid: dict[str, Any]) -> dict[str, Any]:
    """The best cell of grid.json in the few columns of `dvc exp show`; in an experiment of one cell, that cell."""
    if not grid["cells"]:
        return {}
    best = grid["cells"][0]
    return {
        "optimizer": best["optimizer"],
        "learning_rate": best["learning_rate"],
        grid["measure"]: best["score"],
        "epoch": best["epoch"],
    }


def judge_claims(rows: Sequence[dict[str, Any]], measure: str, published: dict[str, Any]) -> list[dict[str, Any]]:
    """The study's table and its log each name a best cell: is it the best of `rows`, as far as images can tell?"""
    claims = []
    for claim, source in ((published["best"], published["source"]), (published["log"], published["log"]["source"])):
        key = (claim["optimizer"], claim["learning_rate"])
        ours = next((row for row in rows if (row["optimizer"], row["learning_rate"]) == key), None)
        verdict, reason = _judge(ours, len(rows), measure)
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


def _judge(ours: dict[str, Any] | None, cells: int, measure: str) -> tuple[str, str]:
    if ours is None:
        return CANNOT_BE_TOLD, "this grid does not have the cell"
    if measure != "dice":
        return CANNOT_BE_TOLD, f"this grid measures {measure}, the study Dice"
    if cells == 1:
        return CANNOT_BE_TOLD, "this grid has no other cell"
    if ours["score"] is None:
        return NOT_SUPPORTED, f"it diverged in epoch {ours['diverged_at']}"
    better, as_good = ours["rank_first"] - 1, ours["rank_last"] - ours["rank_first"]
    if better > 0:
        return NOT_SUPPORTED, f"{better} of {cells - 1} other cells are better"
    if as_good > 0:
        return CANNOT_BE_TOLD, f"{as_good} of {cells - 1} other cells cannot be told apart from it"
    return SUPPORTED, "it is better than every other cell"


def _ranks(scored: Sequence[Cell], settings: Evaluate) -> dict[tuple[str, float], Ranks]:
    if not scored:
        return {}
    images = [cell.images for cell in scored if cell.images is not None]
    ranges = rank_ranges(
        [table["score"] for table in images], groups=images[0]["group"], resamples=settings.bootstrap_resamples,
        seed=settings.bootstrap_seed, level=LEVEL,
    )  # fmt: skip
    return {cell.key: ranks for cell, ranks in zip(scored, ranges, strict=True)}


def _row(cell: Cell, ranks: Ranks | None, settings: Evaluate) -> dict[str, Any]:
    low = high = None
    if cell.images is not None and cell.images["group"].nunique() >= MIN_GROUPS:
        low, high = bootstrap_mean(
            cell.images["score"], groups=cell.images["group"], resamples=settings.bootstrap_resamples,
            seed=settings.bootstrap_seed,
        )  # fmt: skip
    scores = [_rounded(value) for value in (cell.score, low, high)]
    epochs = [cell.summary[key] for key in ("best_epoch", "epochs", "diverged_at")]
    return dict(zip(CELL, (*cell.key, *scores, *epochs, cell.seconds, *(ranks or (None, None))), strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _measure(scored: Sequence[Cell]) -> str:
    """What the score is: that of the only head, or the mean over heads."""
    names = [name for name in ("dice", "accuracy") if scored and name in scored[0].images]  # type: ignore[operator]
    return names[0] if len(names) == 1 else "score"


def _check_images(folder: Path, cells: Sequence[Cell]) -> None:
    tables = [(cell, cell.images[["id", "group"]]) for cell in cells if cell.images is not None]
    for cell, table in tables[1:]:
        if not table.equals(tables[0][1]):
            raise InputError(
                "cells measured on different images", where=folder / cell_name(*cell.key) / "validation.csv",
                got=f"{len(table)} images", expected=f"those of {cell_name(*tables[0][0].key)}", mend="Run dvc repro.",
            )  # fmt: skip
