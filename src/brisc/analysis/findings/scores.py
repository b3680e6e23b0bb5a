"""Which model leads, how sure that is, and what is left of its score without the copies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import Tiers, tiers
from brisc.evaluation.statistics import MIN_GROUPS
from brisc.vocabulary import Head

# The subset that the study reports, and the one without copies: what every question is answered on.
ASKED = ("official", "clean")

# With fewer images of a stratum no interval is given, and no mean is weighted by it: there are no more groups
# of similar slices than images.
FEW = MIN_GROUPS

# What learns nothing, for each head: its name in audit.json and the key of its score.
BASELINES = {"mask": ("nearest_mask", "dice"), "label": ("nearest_class", "accuracy")}


@dataclass(frozen=True)
class Span:
    """The smallest and the largest of several values."""

    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """The primary metric on one subset; low, high: its 95 % interval, where there is one."""

    subset: str
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Lead:
    """The model with the highest mean on some subsets, and what the tests say of it there.

    verdict: leads (all others are significantly lower), among (of those not significantly different from it),
    none (no model is significantly different from it), few_groups or few_resamples (no test could show a
    difference), only (there is no other model).
    """

    verdict: str
    model: str
    scores: tuple[Measured, ...]
    tied: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """Clean less official over the models, as it is and with the classes mixed as in official, of which the
    rarest has `rarest` images in clean; None where these are too few."""

    plain: Span
    weighted: Span | None
    rarest: int


@dataclass(frozen=True)
class Baseline:
    """What a method that learns nothing reaches; above: models whose whole interval is above it."""

    subset: str
    value: float
    above: int
    models: int


@dataclass(frozen=True)
class Certainty:
    """width: of the intervals on official. pairs: tested ones, of which `significant` are.
    spread, spread_clean: the standard deviation over the seeds of `repeated` models, on official and clean.
    seeds: how many each has."""

    width: Span | None
    pairs: int
    significant: int
    repeated: int
    seeds: tuple[int, ...]
    spread: Span | None
    spread_clean: Span | None


@dataclass(frozen=True)
class Scores:
    """What the models with one head reach. images: how many each subset holds, the same for all models.
    first: the model with the highest mean on official."""

    head: Head
    models: tuple[str, ...]
    images: tuple[tuple[str, int], ...]
    first: str
    leads: tuple[Lead, ...]
    change: Change | None
    baselines: tuple[Baseline, ...]
    certainty: Certainty


def scores(results: Results, head: Head) -> Scores:
    models, standing = results.with_head(head), tiers(results, head, "official")
    return Scores(
        head=head,
        models=models,
        images=tuple(
            (name, record.count(head.images)) for name, record in results.subsets(models[0]).items()
        ),
        first=standing.order[0].model,
        leads=leads(results, head),
        change=change(results, head),
        baselines=tuple(_baselines(results, head)),
        certainty=_certainty(results, head),
    )


def span_of(values: Iterable[float | None]) -> Span | None:
    known = [value for value in values if value is not None]
    return Span(min(known), max(known)) if known else None


def leads(results: Results, head: Head) -> tuple[Lead, ...]:
    """One for official and one for clean; a single one where both say the same."""
    models = results.with_head(head)
    if len(models) == 1:
        return (Lead("only", models[0], _measured(results, head, models[0], ASKED)),)
    found = [_lead(results, head, tiers(results, head, subset)) for subset in ASKED]
    if len(found) == 2 and _said(found[0]) == _said(found[1]):
        return (replace(found[0], scores=found[0].scores + found[1].scores),)
    return tuple(found)


def _said(lead: Lead) -> tuple[str, str, set[str]]:
    """What a subset says of the models, whatever their order behind the first."""
    return lead.verdict, lead.model, set(lead.tied)


def _lead(results: Results, head: Head, standing: Tiers) -> Lead:
    first, *tied = standing.with_the_first()
    measured = _measured(results, head, first, [standing.subset])
    return Lead(_verdict(results, standing), first, measured, tuple(tied), standing.behind())


def _verdict(results: Results, standing: Tiers) -> str:
    if not standing.tested:
        return "few_groups"
    if standing.smallest_p is not None and standing.smallest_p >= 1 - results.comparisons["level"]:
        return "few_resamples"
    if len(standing.with_the_first()) == 1:
        return "leads"
    return "among" if standing.behind() else "none"


def _measured(results: Results, head: Head, model: str, subsets: Sequence[str]) -> tuple[Measured, ...]:
    found = []
    for subset in subsets:
        record = results.subsets(model)[subset]
        value, low, high = (record.optional(f"{head.primary}{end}") for end in ("", "_low", "_high"))
        found.append(Measured(subset, record.count(head.images), value, low, high))
    return tuple(found)


def change(results: Results, head: Head) -> Change | None:
    """None where it is not known of any model."""
    plain: list[float | None] = []
    weighted: list[float | None] = []
    fewest = 0
    for model in results.with_head(head):
        subsets = results.subsets(model)
        official = subsets["official"].number(head.primary)
        if official is None:
            continue
        clean, fewest = subsets["clean"], rarest(subsets["clean"], head)
        for changes, value in ((plain, clean.number(head.primary)), (weighted, in_the_mix(clean, head))):
            changes.append(None if value is None else value - official)
    found = span_of(plain)
    return None if found is None else Change(found, span_of(weighted), fewest)


def rarest(scores: Record, head: Head) -> int:
    """How many images of a subset the rarest class has."""
    classes = scores.record({"mask": "by_class", "label": "by_label"}[head.name]).records()
    return min(found.count("n") for found in classes.values())


def in_the_mix(scores: Record, head: Head) -> float | None:
    """The primary metric of a subset with the classes mixed as in official; None where one has too few
    images to stand for so many."""
    if rarest(scores, head) < FEW:
        return None
    return scores.record("class_weighted").number(head.primary)


def _baselines(results: Results, head: Head) -> Iterable[Baseline]:
    name, key = BASELINES[head.name]
    baseline = results.audit.record("baselines").record(name)
    for subset in ASKED:
        evaluated = [results.subsets(model) for model in results.with_head(head)]
        lows = [subsets[subset].number(f"{head.primary}_low") for subsets in evaluated]
        value = baseline.record(subset).number(key)
        if value is not None:
            above = sum(low is not None and low > value for low in lows)
            yield Baseline(subset, value, above, len(lows))


def _certainty(results: Results, head: Head) -> Certainty:
    widths = []
    for model in results.with_head(head):
        official = results.subsets(model)["official"]
        low, high = (official.number(f"{head.primary}_{end}") for end in ("low", "high"))
        widths.append(None if low is None or high is None else high - low)
    pairs = tiers(results, head, "official").pairs
    repeated, on_clean = (_over_seeds(results, head, subset) for subset in ASKED)
    return Certainty(
        width=span_of(widths),
        pairs=len(pairs),
        significant=sum(pair.significant for pair in pairs),
        repeated=len(repeated),
        seeds=tuple(sorted({n for n, _ in repeated})),
        spread=span_of(sd for _, sd in repeated),
        spread_clean=span_of(sd for _, sd in on_clean),
    )


def _over_seeds(results: Results, head: Head, subset: str) -> list[tuple[int, float | None]]:
    """For each model with several seeds their number and the standard deviation."""
    if results.comparisons["seeds"] is None:
        return []
    models = results.comparisons.record("seeds").record("models").records().values()
    measures = [subsets.record(subset) for subsets in models]
    found = [by_measure.record(head.primary) for by_measure in measures if head.primary in by_measure]
    return [(record.count("n"), record.number("sd")) for record in found]
