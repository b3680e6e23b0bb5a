"""The sixth question: which optimiser, at which rate?"""

from brisc.analysis.grid_cells import best_of, cells, measure_of, scored
from brisc.analysis.results import Results
from brisc.report.cells import percent, setting
from brisc.report.words import joined, number_of

VERDICTS = {
    "supported": "is supported",
    "not supported": "is not supported",
    "cannot be told": "cannot be told",
}


def answer(results: Results) -> list[str]:
    if results.grid is None:
        return ["No grid of optimisers and rates was run in this profile, so this question is left out."]
    summary, ranking = results.grid.summary, scored(results.grid)
    count = len(cells(results.grid))
    axes = f"{number_of(len(summary['optimizers']), 'optimiser')} x {number_of(len(summary['learning_rates']), 'rate')}"
    size = f"{axes}, `{summary['model']}`, {number_of(summary.count('epochs'), 'epoch')} each"
    if not ranking:
        return [f"All {count} cells ({size}) diverged before their first epoch was over."]
    first = ranking[0]
    leaders = [cell for cell in ranking if cell.may_be_best]
    said = (
        f"Of {count} cells ({size}) {first.optimizer} at {setting(first.learning_rate)} has the highest validation "
        f"{measure_of(results.grid)}, **{percent(first.score or 0)} %**{_bounds(first.low, first.high)}"
    )
    if len(leaders) > 1:
        said += (
            f"; {number_of(len(leaders) - 1, 'other')} may be the best as well (95 % ranges of ranks): "
            + joined(
                [f"{cell.optimizer} at {setting(cell.learning_rate)}" for cell in leaders if cell != first]
            )
        )
    by_optimizer = [
        f"{name} {setting(cell.learning_rate)}"
        for name in summary["optimizers"]
        if (cell := best_of(results.grid, name)) is not None
    ]
    diverged = sum(cell.diverged_at is not None for cell in cells(results.grid))
    more = f" {number_of(diverged, 'cell')} diverged." if diverged else ""
    judged = [
        f"that {claim['optimizer']} at {setting(claim['learning_rate'])} is the best ({claim['source'].removeprefix('study, ')}) "
        f"{VERDICTS[claim['verdict']]}, since {claim['reason']}"
        for claim in summary.listed("claims")
    ]
    answers = [f"{said}.", f"The best rate of each optimiser: {', '.join(by_optimizer)}.{more}"]
    if results.phantom:
        return answers
    said = f"What the study says, held against this grid: {'; '.join(judged)}."
    theirs = results.published.record("grid").count("epochs")
    if theirs != summary.count("epochs"):
        said += f" The study's cells had {number_of(theirs, 'epoch')}; a low rate needs more of them than a high one."
    return [*answers, said]


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" (95 % interval {percent(low)} to {percent(high)})"
