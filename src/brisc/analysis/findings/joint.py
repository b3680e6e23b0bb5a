"""Does one model for both tasks lose anything against two?"""

from dataclasses import dataclass

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import like_for_like
from brisc.vocabulary import HEADS


@dataclass(frozen=True)
class Difference:
    """A joint model less the separate one that differs from it in one thing, on official by the published
    metric; published: None where there is none to stand beside it."""

    measure: str
    separate: str
    n: int
    difference: float
    low: float | None
    high: float | None
    significant: bool
    published: float | None


@dataclass(frozen=True)
class JointModel:
    model: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class JointAgainstSeparate:
    """verdict: absent (nothing to compare), or of the significant differences: none, loses, gains or both;
    compared: the heads it is about; open: the other heads, each with the separate model that it takes."""

    verdict: str
    models: tuple[JointModel, ...]
    compared: tuple[str, ...]
    open: tuple[tuple[str, str], ...]


def joint(results: Results) -> JointAgainstSeparate:
    models = _models(results)
    differences = [difference for model in models for difference in model.differences]
    lower = {difference.difference < 0 for difference in differences if difference.significant}
    verdict = {(): "none", (True,): "loses", (False,): "gains"}.get(tuple(lower), "both")
    if results.comparisons is None or not models:
        return JointAgainstSeparate("absent", (), (), ())
    measures = {difference.measure for difference in differences}
    partners = results.comparisons.record("joint_against_separate").record("like_for_like")
    return JointAgainstSeparate(
        verdict,
        models,
        compared=tuple(name for name, head in HEADS.items() if head.published in measures),
        open=tuple((name, partners[name]) for name, head in HEADS.items() if head.published not in measures),
    )


def _models(results: Results) -> tuple[JointModel, ...]:
    if results.comparisons is None or results.comparisons["joint_against_separate"] is None:
        return ()
    entries = results.comparisons.record("joint_against_separate").record("subsets").listed("official")
    names = dict.fromkeys(entry["joint"] for entry in entries)
    models = [JointModel(name, tuple(_differences(results, name))) for name in names]
    return tuple(model for model in models if model.differences)


def _differences(results: Results, model: str) -> list[Difference]:
    entries = [like_for_like(results, model, head.published, "official") for head in HEADS.values()]
    found = [_difference(results, entry) for entry in entries if entry is not None]
    return [difference for difference in found if difference is not None]


def _difference(results: Results, entry: Record) -> Difference | None:
    difference = entry.number("difference")
    if difference is None:
        return None
    return Difference(
        measure=entry["measure"],
        separate=entry["separate"],
        n=entry.count("n"),
        difference=difference,
        low=entry.number("low"),
        high=entry.number("high"),
        significant=bool(entry["significant"]),
        published=None if results.phantom else entry.number("published"),
    )
