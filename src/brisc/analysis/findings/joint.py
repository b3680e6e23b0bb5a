"""Does one model for both tasks lose anything against two?"""

from dataclasses import dataclass

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import like_for_like
from brisc.vocabulary import HEADS, TEST_SUBSETS


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
class Other:
    """A joint model that is significantly different from a separate one which differs from it in more than
    one thing, on these subsets of test."""

    model: str
    separate: str
    measure: str
    lower: bool
    subsets: tuple[str, ...]


@dataclass(frozen=True)
class JointAgainstSeparate:
    """verdict: absent (nothing to compare), or of the significant differences like for like: none, loses,
    gains or both; others: significant ones that are not like for like; compared: the heads it is about; open:
    the other heads, each with the separate model that it takes."""

    verdict: str
    models: tuple[JointModel, ...]
    others: tuple[Other, ...]
    compared: tuple[str, ...]
    open: tuple[tuple[str, str], ...]


def joint(results: Results) -> JointAgainstSeparate:
    models = _models(results)
    differences = [difference for model in models for difference in model.differences]
    lower = {difference.difference < 0 for difference in differences if difference.significant}
    verdict = {(): "none", (True,): "loses", (False,): "gains"}.get(tuple(lower), "both")
    if not models:
        return JointAgainstSeparate("absent", (), (), (), ())
    measures = {difference.measure for difference in differences}
    partners = results.comparisons.record("joint_against_separate").record("like_for_like")
    return JointAgainstSeparate(
        verdict,
        models,
        _others(results.comparisons.record("joint_against_separate").record("subsets")),
        compared=tuple(name for name, head in HEADS.items() if head.published in measures),
        open=tuple((name, partners[name]) for name, head in HEADS.items() if head.published not in measures),
    )


def _models(results: Results) -> tuple[JointModel, ...]:
    if results.comparisons["joint_against_separate"] is None:
        return ()
    entries = results.comparisons.record("joint_against_separate").record("subsets").listed("official")
    names = dict.fromkeys(entry["joint"] for entry in entries)
    models = [JointModel(name, tuple(_differences(results, name))) for name in names]
    return tuple(model for model in models if model.differences)


def _others(subsets: Record) -> tuple[Other, ...]:
    where: dict[tuple[str, str, str, bool], list[str]] = {}
    for subset in (name for name in TEST_SUBSETS if name in subsets):
        for entry in subsets.listed(subset):
            if entry["significant"] and not entry["like_for_like"]:
                key = (entry["joint"], entry["separate"], entry["measure"], entry["difference"] < 0)
                where.setdefault(key, []).append(subset)
    return tuple(Other(*key, tuple(found)) for key, found in where.items())


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
