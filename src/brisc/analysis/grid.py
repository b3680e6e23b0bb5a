"""The grid of optimisers and learning rates: its cells, a ranking as far as there is one, and what was
published about it.

grid.json (scores are fractions from 0 to 1 of the validation images, null where undefined; intervals at 95
%):

    model, epochs           what a cell trains, and for how many epochs at most
    optimizers, learning_rates
    measure                 what the score is: dice, accuracy, or score, their mean, for a net with both heads
    cells                   best first. optimizer, learning_rate; score, low, high, epoch: of the best epoch;
                            epochs: trained;
                            diverged_at: the epoch whose loss was not finite, else null; seconds: null where
                            not measured; rank_first, rank_last: the ranks that it may have, null without a
                            score
    claims                  what the study says is best: source, optimizer, learning_rate, published (a
                            fraction), ours, verdict
                            (supported | not supported | cannot be told), reason
    method                  sentences: what the intervals and ranks say and what they do not
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.analysis.ranks import Ranks, rank_ranges
from brisc.analysis.records import Records, check_same_images, interval, measure_name, read_records, rounded
from brisc.config import Evaluate, GridAxes
from brisc.errors import InputError
from brisc.evaluation.statistics import LEVEL

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


@dataclass(frozen=True)
class Cell:
    """One training of the grid, and what it left; the images of its records have a score."""

    optimizer: str
    learning_rate: float
    records: Records

    @property
    def key(self) -> tuple[str, float]:
        return self.optimizer, self.learning_rate


def cell_name(optimizer: str, learning_rate: float) -> str:
    """What dvc.yaml calls the folder of a cell: adam-5e-05."""
    return f"{optimizer}-{learning_rate}"


def read_cells(folder: Path, axes: GridAxes) -> tuple[list[Cell], pd.DataFrame]:
    """The cells of `axes` in their order from folder/<optimiser>-<rate>/, and the history of all, a row for
    each epoch.

    Raises InputError for the first cell that is missing or is the result of another training than its name
    says, and when cells were measured on different images.
    """
    cells, histories = [], []
    for optimizer, learning_rate in itertools.product(axes.optimizers, axes.learning_rates):
        place = folder / cell_name(optimizer, learning_rate)
        records = read_records(
            place, what=f"{optimizer} at {learning_rate}", mend="Run dvc repro or make grid."
        )
        trained = records.summary["run"]["optimizer"]
        if (trained["name"], trained["learning_rate"]) != (optimizer, learning_rate):
            raise InputError(
                "the result of another training",
                where=place / "summary.json",
                got=f"{trained['name']} at {trained['learning_rate']}",
                expected=f"{optimizer} at {learning_rate}",
                mend="Remove the folder and run dvc repro.",
            )
        cells.append(Cell(optimizer, learning_rate, records))
        histories.append(
            pd.read_csv(place / "history.csv")
            .rename(columns={"learning_rate": "epoch_learning_rate"})  # which the schedule may have lowered
            .assign(optimizer=optimizer, learning_rate=learning_rate)
        )
    check_same_images(folder, [(cell_name(*cell.key), cell.records) for cell in cells], what="cells")
    history = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(columns=[*KEYS, "epoch"])
    return cells, history[[*KEYS, *(name for name in history.columns if name not in KEYS)]]


def summarise_grid(
    cells: Sequence[Cell], *, axes: GridAxes, epochs: int, published: dict[str, Any], settings: Evaluate
) -> dict[str, Any]:
    """The content of grid.json, see the head of this file. published: the block "grid" of published.json,
    scores in percent."""
    ranks, measure = _ranks(cells, settings), measure_name([cell.records for cell in cells])
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
    """The best cell of grid.json in the few columns of `dvc exp show`; in an experiment of one cell, that
    cell."""
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


def _judge(ours: dict[str, Any] | None, cells: int, theirs: int, measure: str) -> tuple[str, str]:
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
    if cells < theirs:
        return (
            CANNOT_BE_TOLD,
            f"it is better than every other cell of this grid of {cells}, but the study's had {theirs}",
        )
    return SUPPORTED, "it is better than every other cell"


def _ranks(cells: Sequence[Cell], settings: Evaluate) -> dict[tuple[str, float], Ranks]:
    scored = [(cell.key, images) for cell in cells if (images := cell.records.images) is not None]
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


def _row(cell: Cell, ranks: Ranks | None, settings: Evaluate) -> dict[str, Any]:
    summary, images = cell.records.summary, cell.records.images
    score = low = high = None
    if images is not None:
        score = float(images["score"].mean())
        low, high = interval(images["score"], images["group"], settings)
    scores = [rounded(value) for value in (score, low, high)]
    epochs = [summary[key] for key in ("best_epoch", "epochs", "diverged_at")]
    return dict(
        zip(CELL, (*cell.key, *scores, *epochs, cell.records.seconds, *(ranks or (None, None))), strict=True)
    )
