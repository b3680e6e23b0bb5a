"""The cells of the grid as a table."""

from brisc.analysis.grid_cells import cells
from brisc.analysis.results import GridResult
from brisc.report.cells import (
    DASH,
    NOT_MEASURED,
    Cell,
    Table,
    percent,
    setting,
    shown,
    thousands,
    with_interval,
)
from brisc.report.words import MEASURES

DIVERGED = "it diverged in its first epoch"


def ranking(grid: GridResult) -> Table:
    """Every cell, the highest score first."""
    measure = MEASURES[grid.summary["measure"]]
    rows = [
        [
            cell.optimizer,
            setting(cell.learning_rate),
            with_interval(cell.score, cell.low, cell.high, percent, DIVERGED),
            _ranks(cell.first, cell.last),
            shown(cell.epoch, thousands, DIVERGED),
            f"{cell.epochs}",
            "no" if cell.diverged_at is None else f"in epoch {cell.diverged_at}",
            shown(cell.seconds, thousands, NOT_MEASURED),
        ]
        for cell in cells(grid)
    ]
    header = [
        "optimiser",
        "rate",
        f"validation {measure}, %",
        "rank",
        "best epoch",
        "epochs",
        "diverged",
        "training, s",
    ]
    return Table(f"The cells of the grid, `{grid.summary['model']}`.", header, rows, left=2)


def _ranks(first: int | None, last: int | None) -> str | Cell:
    if first is None or last is None:
        return Cell(DASH, DIVERGED)
    return f"{first}" if first == last else f"{first} to {last}"
