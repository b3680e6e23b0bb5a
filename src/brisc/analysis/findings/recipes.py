"""Which settings of training help?"""

from dataclasses import dataclass

from brisc.analysis.results import Record, Results


@dataclass(frozen=True)
class Recipe:
    run: str
    flips: bool
    difference: float


@dataclass(frozen=True)
class Study:
    """Recipes held against the first of them; score: of that one, None where it diverged. diverged: runs of
    which there is no score. model_epochs: how long the model itself was trained, None where as long."""

    baseline: str
    model: str
    epochs: int
    measure: str
    images: int
    score: float | None
    better: tuple[Recipe, ...]
    worse: tuple[Recipe, ...]
    inconclusive: tuple[Recipe, ...]
    diverged: tuple[str, ...]
    model_epochs: int | None


def studies(results: Results) -> tuple[Study, ...]:
    return tuple(_study(results, record) for record in results.recipes)


def _study(results: Results, record: Record) -> Study:
    first, *others = record.listed("rows")
    by_verdict = {
        verdict: tuple(_recipe(row) for row in others if row["verdict"] == verdict)
        for verdict in ("better", "worse", "inconclusive")
    }
    diverged = dict.fromkeys(row["run"] for row in others if row.number("score") is None)
    return Study(
        baseline=record["baseline"],
        model=record["model"],
        epochs=record.count("epochs"),
        measure=record["measure"],
        images=record.count("images"),
        score=first.number("score"),
        **by_verdict,
        diverged=tuple(diverged),
        model_epochs=_model_epochs(results, record),
    )


def _recipe(row: Record) -> Recipe:
    return Recipe(row["run"], bool(row["flips"]), row.number("difference") or 0.0)


def _model_epochs(results: Results, record: Record) -> int | None:
    """A short training has less time to overfit, so it can make augmentation look worse than it is."""
    if record["model"] not in results.runs:
        return None
    epochs = results.runs.record(record["model"]).record("settings").count("epochs")
    return epochs if epochs != record.count("epochs") else None
