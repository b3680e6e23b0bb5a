"""The first screen: which model, with which settings, how sure, and what is left of it without the copies."""

from brisc.analysis.results import Results
from brisc.analysis.standing import tiers
from brisc.report.cells import percent
from brisc.report.heads import HEADS, Head
from brisc.report.prose import data, grid
from brisc.report.prose.scores import best, gap
from brisc.report.words import joined, knobs, number_of, span


def answer(results: Results, counted: str) -> list[str]:
    """A paragraph for each thing that a reader wants to know first."""
    heads = [head for head in HEADS.values() if results.with_head(head)]
    return [
        *(f"**Which model {head.does} best.** {best(results, head)}" for head in heads),
        f"**With which settings.** {' '.join(_settings(results, head) for head in heads)}{_grid(results)}",
        f"**How sure.** {' '.join(sentence for head in heads for sentence in _sure(results, head))}",
        f"**Official against clean.** {data.copies(results)} {gap(results, heads)}",
        f"**Against the study.** {_study(results, counted)}",
    ]


def _settings(results: Results, head: Head) -> str:
    """How the model with the highest mean was trained."""
    standing = tiers(results, head, "official")
    model = standing.order[0].model if standing is not None else results.with_head(head)[0]
    run, side = results.runs.record(model), results.provenance.record("data").count("size")
    return (
        f"`{model}`: {side} x {side} px, {knobs(run.record('run'))}; the weights are those of epoch {run.count('best_epoch')} of "
        f"{run.count('epochs')}."
    )


def _grid(results: Results) -> str:
    return "" if results.grid is None else f" {grid.answer(results)[0]}"


def _sure(results: Results, head: Head) -> list[str]:
    """What the intervals and tests cover, and how far seeds differ."""
    halves = []
    for model in results.with_head(head):
        official = results.subsets(model)["official"]
        low, high = official.number(f"{head.followed}_low"), official.number(f"{head.followed}_high")
        halves.append(None if low is None or high is None else (high - low) / 2)
    said = [
        f"The 95 % intervals of `{head.followed}` on official reach {span(halves, percent)} points to either side."
    ]
    standing = tiers(results, head, "official")
    if standing is not None and standing.family > 0:
        apart = sum(pair.significant for pair in standing.pairs)
        said.append(
            f"Of {number_of(standing.family, 'pair')} of models, {apart} can be told apart on official."
        )
    return [*said, *_seeds(results, head)]


def _seeds(results: Results, head: Head) -> list[str]:
    if results.comparisons is None or results.comparisons["seeds"] is None:
        return []
    models = results.comparisons.record("seeds").record("models").records()
    spreads, numbers = [], set()
    for subsets in models.values():
        measures = subsets.record("official")
        if head.followed in measures:
            record = measures.record(head.followed)
            spreads.append(record.number("sd"))
            numbers.add(record.count("n"))
    if not spreads:
        return []
    return [
        f"Trained with {joined([str(n) for n in sorted(numbers)])} seeds, {number_of(len(spreads), 'model')} "
        f"{'differs' if len(spreads) == 1 else 'differ'} by a standard deviation of {span(spreads, percent)} points."
    ]


def _study(results: Results, counted: str) -> str:
    if results.phantom:
        return "The published figures are for patients' slices, so phantoms are not compared with them."
    return f"{counted}. [claims.md](claims.md) has each beside ours, with the reason."
