"""The cells of the grid of optimisers and rates, as grid.json has them."""

from typing import NamedTuple

import pandas as pd

from brisc.analysis.grid import cell_name
from brisc.analysis.results import GridResult, Record, Results


class GridCell(NamedTuple):
    """One training of the grid. score: that of its best epoch on validation, None where it diverged before
    the first one.

    first, last: the ranks that it may have, for all cells together at 95 %; cells whose ranges overlap are
    not significantly different.
    """

    optimizer: str
    learning_rate: float
    score: float | None
    low: float | None
    high: float | None
    epoch: int | None
    epochs: int
    diverged_at: int | None
    seconds: float | None
    first: int | None
    last: int | None

    @property
    def may_be_best(self) -> bool:
        return self.first == 1

    def may_be_as_good_as(self, better: "GridCell") -> bool:
        """Whether the ranks of both overlap; a cell without a score is never as good."""
        return self.first is not None and better.last is not None and self.first <= better.last


def cells(grid: GridResult) -> list[GridCell]:
    """All cells, the highest score first, those without one last."""
    return [_cell(record) for record in grid.summary.listed("cells")]


def scored(grid: GridResult) -> list[GridCell]:
    return [cell for cell in cells(grid) if cell.score is not None]


def find(grid: GridResult, optimizer: str, learning_rate: float) -> GridCell | None:
    return next(
        (cell for cell in cells(grid) if (cell.optimizer, cell.learning_rate) == (optimizer, learning_rate)),
        None,
    )


def best_of(grid: GridResult, optimizer: str) -> GridCell | None:
    """The optimiser's cell with the highest score."""
    return next((cell for cell in scored(grid) if cell.optimizer == optimizer), None)


def rates_of(grid: GridResult, optimizer: str) -> list[float]:
    """The rates that may be the best of the optimiser, lowest first: those whose ranks overlap with those of
    its best cell."""
    best = best_of(grid, optimizer)
    own = [cell for cell in scored(grid) if cell.optimizer == optimizer]
    return [] if best is None else sorted(cell.learning_rate for cell in own if cell.may_be_as_good_as(best))


def published_score(results: Results, cell: GridCell) -> float | None:
    """That of the cell in the study's log; None where it is not there, and of phantoms, which are not held
    against it."""
    log = results.published.record("grid").record("log").content.get("cells", {})
    percent = log.get(cell_name(cell.optimizer, cell.learning_rate))
    return None if results.phantom or percent is None else percent / 100


def agreement(results: Results, grid: GridResult) -> float | None:
    """Spearman's correlation of our scores with the study's over the cells that have both; None for fewer
    than three, and where one side is the same for all."""
    scores = pd.DataFrame(
        [(cell.score, published_score(results, cell)) for cell in scored(grid)], columns=["ours", "theirs"]
    )
    ranks = scores.dropna().rank()
    if len(ranks) < 3 or ranks.nunique().min() < 2:
        return None
    return float(ranks["ours"].corr(ranks["theirs"]))


def _cell(record: Record) -> GridCell:
    return GridCell(
        optimizer=record["optimizer"],
        learning_rate=float(record["learning_rate"]),
        score=record.number("score"),
        low=record.number("low"),
        high=record.number("high"),
        epoch=_whole(record, "epoch"),
        epochs=record.count("epochs"),
        diverged_at=_whole(record, "diverged_at"),
        seconds=record.number("seconds"),
        first=_whole(record, "rank_first"),
        last=_whole(record, "rank_last"),
    )


def _whole(record: Record, key: str) -> int | None:
    return None if record.number(key) is None else record.count(key)
