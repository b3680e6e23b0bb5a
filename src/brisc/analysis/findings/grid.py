"""Which optimiser, at which rate?"""

from dataclasses import dataclass

from brisc.analysis.grid_cells import GridCell, agreement, best_of, cells, scored
from brisc.analysis.results import Record, Results


@dataclass(frozen=True)
class Searched:
    """The grid. best: the cell with the highest score, None where all diverged before their first epoch was
    over; tied: the others that may be the best. best_rates: of each optimiser the cell with its highest
    score. claims: those of grid.json on what the study says, none for phantoms; study_epochs: those of the
    study's cells, None where ours have as many; agreement: of our order of the cells with that of its log."""

    model: str
    optimizers: int
    rates: int
    cells: int
    epochs: int
    measure: str
    best: GridCell | None
    tied: tuple[GridCell, ...]
    best_rates: tuple[GridCell, ...]
    diverged: int
    claims: tuple[Record, ...]
    study_epochs: int | None
    agreement: float | None


def searched(results: Results) -> Searched | None:
    if results.grid is None:
        return None
    grid, summary = results.grid, results.grid.summary
    ranking = scored(grid)
    best_rates = [best_of(grid, name) for name in summary["optimizers"]]
    epochs, theirs = summary.count("epochs"), results.published.record("grid").count("epochs")
    return Searched(
        model=summary["model"],
        optimizers=len(summary["optimizers"]),
        rates=len(summary["learning_rates"]),
        cells=len(cells(grid)),
        epochs=epochs,
        measure=summary["measure"],
        best=ranking[0] if ranking else None,
        tied=tuple(cell for cell in ranking[1:] if cell.may_be_best),
        best_rates=tuple(cell for cell in best_rates if cell is not None),
        diverged=sum(cell.diverged_at is not None for cell in cells(grid)),
        claims=() if results.phantom else tuple(summary.listed("claims")),
        study_epochs=theirs if theirs != epochs else None,
        agreement=agreement(results, grid) if summary["measure"] == "dice" else None,
    )
