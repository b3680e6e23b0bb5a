"""The cells of the grid as a table."""

from brisc.analysis.grid_cells import cells, measure_of
from brisc.analysis.results import Grid
from brisc.report.cells import DASH, Cell, Table, percent, setting, shown, thousands, with_interval

DIVERGED = "it diverged in its first epoch"


def ranking(grid: Grid) -> Table:
    """Every cell, the highest score first."""
    measure = measure_of(grid)
    rows = [
        [
            cell.optimizer,
            setting(cell.learning_rate),
            with_interval(cell.score, cell.low, cell.high, percent, DIVERGED),
            _ranks(cell.first, cell.last),
            shown(cell.epoch, thousands, DIVERGED),
            f"{cell.epochs}",
            "no" if cell.diverged_at is None else f"in epoch {cell.diverged_at}",
            shown(cell.seconds, thousands, "not measured in this profile"),
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
    caption = (
        f"The cells of the grid (`{grid.summary['model']}`, {grid.summary.count('epochs')} epochs at most) by the validation "
        f"{measure} of their best epoch, with the 95 % interval and the 95 % range of the rank; cells whose ranges overlap are "
        "not told apart."
    )
    return Table(caption, header, rows, left=2)


def _ranks(first: int | None, last: int | None) -> str | Cell:
    if first is None or last is None:
        return Cell(DASH, DIVERGED)
    return f"{first}" if first == last else f"{first} to {last}"
