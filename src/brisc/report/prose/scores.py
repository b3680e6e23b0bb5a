"""Sentences on scores that both heads share: which model leads, what is left without copies, what learns
nothing."""

from collections.abc import Sequence

from brisc.analysis.results import Results
from brisc.analysis.standing import Pair, Tiers, tiers
from brisc.report.cells import p_value, percent, signed_points
from brisc.report.heads import Head
from brisc.report.words import equals, joined, measured, named, number_of, span

LEVEL = 0.95  # of every interval and test here


def best(results: Results, head: Head) -> str:
    """Which models lead on official and on clean, as far as the tests can say."""
    models = results.with_head(head)
    if len(models) == 1:
        scores = [
            f"{name} **{measured(scores, head)}**"
            for name, scores in results.subsets(models[0]).items()
            if name != "strict"
        ]
        return f"`{models[0]}` is the only model that {head.does}. Its `{head.followed}`: {joined(scores)}."
    standings = [
        found for subset in ("official", "clean") if (found := tiers(results, head, subset)) is not None
    ]
    if not standings:
        return f"The {len(models)} models were not compared by a test, so they are not ranked."
    if len(standings) == 2 and _alike(*standings):
        return f"On official and on clean alike {_lead(results, head, standings)}"
    return " ".join(f"On {standing.subset} {_lead(results, head, [standing])}" for standing in standings)


def _alike(one: Tiers, other: Tiers) -> bool:
    """Whether two subsets give the same answer, so that it need not be told twice."""
    return (one.with_the_first()[0], set(one.with_the_first()), _why_not(one)) == (
        other.with_the_first()[0],
        set(other.with_the_first()),
        _why_not(other),
    )


def _lead(results: Results, head: Head, standings: Sequence[Tiers]) -> str:
    """Who leads on subsets that give the same answer."""
    first, *tied = standings[0].with_the_first()
    values = joined(
        [f"**{measured(results.subsets(first)[standing.subset], head)}**" for standing in standings]
    )
    start, behind = f"`{first}` has the highest `{head.followed}`, {values}", standings[0].behind()
    why_not = _why_not(standings[0])
    if why_not is not None:
        return f"{start}, but {why_not}, so the models are not ranked."
    if not tied:
        return f"{start}, and is told apart from {'the other' if len(behind) == 1 else f'all {len(behind)} others'}."
    if not behind:
        others = "the other" if len(tied) == 1 else f"any of the {len(tied)} others"
        return f"{start}, but cannot be told apart from {others}: no model leads."
    return f"{start}; {named(tied)} cannot be told apart from it, {named(behind)} {'is' if len(behind) == 1 else 'are'} behind."


def _why_not(standing: Tiers) -> str | None:
    """Why no two models can be told apart, whatever their scores; None where they can."""
    if not standing.tested:
        return "there are too few independent groups of slices for a test"
    if standing.smallest_p is not None and standing.smallest_p >= 1 - LEVEL:
        return "so few resamples cannot tell any two models apart"
    return None


def paired(pair: Pair, subset: str, unit: str) -> str:
    """One paired test: the difference, its interval, p, and whether the two are told apart."""
    if pair.difference is None:
        return f"on {subset} the difference is not defined"
    text = f"on {subset} {signed_points(pair.difference)} points of {unit}"
    if pair.low is not None and pair.high is not None:
        text += f" (95 % interval {signed_points(pair.low)} to {signed_points(pair.high)}"
        text += ", not tested)" if pair.p is None else f", corrected p {equals(p_value(pair.p))})"
    return f"{text}: {'told apart' if pair.significant else 'not told apart'}"


def gap(results: Results, heads: Sequence[Head]) -> str:
    """What happens to the followed metric of each head when test images that are also in train are left
    out."""
    parts = [text for head in heads if (text := _gap(results, head)) is not None]
    if not parts:
        return "The change from official to clean is not known."
    return f"From official to clean, which holds no test image whose slice is also in train, {joined(parts)}."


def _gap(results: Results, head: Head) -> str | None:
    plain: list[float | None] = []
    weighted: list[float | None] = []
    for model in results.with_head(head):
        scores = results.subsets(model)
        official = scores["official"].number(head.followed)
        if "clean" not in scores or official is None:
            continue
        clean, mixed = (
            scores["clean"].number(head.followed),
            scores["clean"].record("class_weighted").number(head.followed),
        )
        plain.append(None if clean is None else clean - official)
        weighted.append(None if mixed is None else mixed - official)
    if not any(change is not None for change in plain):
        return None
    models = results.with_head(head)
    of = f"`{models[0]}`" if len(models) == 1 else f"the {len(models)} models"
    text = f"the `{head.followed}` of {of} changes by **{span(plain, signed_points)} points**"
    if any(change is not None for change in weighted):
        text += f" ({span(weighted, signed_points)} with the classes mixed as in official)"
    return text


def baseline(results: Results, head: Head, name: str, key: str, method: str) -> list[str]:
    """What learns nothing, and how many models lie above it with their whole interval."""
    if results.audit is None or name not in results.audit.record("baselines"):
        return []
    baseline = results.audit.record("baselines").record(name)
    parts = []
    for subset in ("official", "clean"):
        scores = [
            results.subsets(model)[subset]
            for model in results.with_head(head)
            if subset in results.subsets(model)
        ]
        value = baseline.record(subset).number(key) if subset in baseline else None
        if value is None or not scores:
            continue
        lows = [score.number(f"{head.followed}_low") for score in scores]
        above = sum(low is not None and low > value for low in lows)
        parts.append(
            f"{percent(value)} % on {subset}, where {above} of {number_of(len(scores), 'model')} "
            f"{'has' if above == 1 else 'have'} the whole interval above it"
        )
    return [f"{method}, which learns nothing, gives {joined(parts)}."] if parts else []
