"""What does a score cost?"""

from dataclasses import dataclass

from brisc.analysis.costs import core_seconds
from brisc.analysis.findings.scores import Span, span_of
from brisc.analysis.results import Results
from brisc.analysis.standing import tiers
from brisc.vocabulary import HEADS, Head

FITS = ("fits", "tight", "does not fit")  # the verdicts of estimate.json, the best first


@dataclass(frozen=True)
class Cheapest:
    """The model with the fewest multiply-adds of the `among` that are not significantly different from the
    highest mean, that of `first`; share: of the multiply-adds of `first`, None where it is that model."""

    head: Head
    model: str
    first: str
    among: int
    macs: float
    parameters: float | None
    share: float | None


@dataclass(frozen=True)
class Time:
    """Of training the models; rates: images a second. device: None where it has no name."""

    seconds: Span
    rates: Span | None
    device: str | None
    models: int


@dataclass(frozen=True)
class InAll:
    """Of all runs and cells of the grid; study_hours: the study's own count, None for phantoms."""

    trainings: int
    seconds: float
    core_seconds: float
    study_hours: int | None


@dataclass(frozen=True)
class Fitting:
    """How many models have each verdict of the estimate at the study's size."""

    profile: str
    models: int
    size: int
    images: int
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Efficiency:
    """batches: how many images a batch held where its time was measured."""

    batches: tuple[int, ...]
    cheapest: tuple[Cheapest, ...]
    time: Time | None
    in_all: InAll | None
    fit: Fitting


def efficiency(results: Results) -> Efficiency:
    heads = [head for head in HEADS.values() if results.with_head(head)]
    cheapest = [_cheapest(results, head) for head in heads]
    return Efficiency(
        batches=tuple(sorted({results.cost(model).count("batch_size") for model in results.models})),
        cheapest=tuple(found for found in cheapest if found is not None),
        time=_time(results),
        in_all=_in_all(results),
        fit=_fit(results),
    )


def _cheapest(results: Results, head: Head) -> Cheapest | None:
    standing = tiers(results, head, "official")
    if len(results.with_head(head)) < 2:
        return None
    costs = {model: results.cost_of(model, "macs") for model in standing.with_the_first()}
    work = {model: macs for model, macs in costs.items() if macs is not None}
    if not work:
        return None
    first, least = standing.order[0].model, min(work, key=lambda model: (work[model], model))
    share = work[least] / work[first] if least != first and first in work else None
    return Cheapest(head, least, first, len(work), work[least], results.cost_of(least, "parameters"), share)


def _time(results: Results) -> Time | None:
    seconds, rates = (
        span_of(results.cost_of(model, key) for model in results.models)
        for key in ("seconds", "images_per_second")
    )
    if seconds is None:
        return None
    return Time(seconds, rates, results.provenance["device"], len(results.models))


def _in_all(results: Results) -> InAll | None:
    costs = results.costs
    if len(costs) < 2 or not costs["seconds"].notna().all():
        return None
    study = None if results.phantom else results.published.record("study").count("gpu_hours")
    return InAll(len(costs), float(costs["seconds"].sum()), core_seconds(costs), study)


def _fit(results: Results) -> Fitting:
    estimate = results.estimate
    models = estimate.record("models").records().values()
    verdicts = [record.record("as_set")["verdict"] for record in models]
    counts = tuple((verdict, verdicts.count(verdict)) for verdict in FITS if verdict in verdicts)
    size, images = estimate.count("image_size"), estimate.count("images_per_step")
    return Fitting(estimate["profile"], len(verdicts), size, images, counts)
