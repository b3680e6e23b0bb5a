"""The ledger of claims: every figure that the study published beside ours, with a verdict.

`TABLE` says for each kind of figure where ours comes from and by which rule the two are held against each
other. Here are numbers and codes alone; what rules and reasons mean is said in the templates of claims.md.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from brisc.analysis.deviations import differing
from brisc.analysis.grid import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED
from brisc.analysis.grid_cells import cells, find, rates_of, scored
from brisc.analysis.published import Claim, head_of, published_claims
from brisc.analysis.results import Results
from brisc.analysis.standing import like_for_like, tiers
from brisc.vocabulary import HEADS

# A wall time on the published device counts as the same within a tenth: clocks, drivers and cooling differ.
SAME_SPEED = 0.1


class Verdict(StrEnum):
    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    NOT_COMPARABLE = "not comparable"
    NOT_RUN = "not run"


class Code(StrEnum):
    """Why a verdict is what it is."""

    PHANTOM = "phantom"  # no figure of generated images is comparable
    # why there is nothing of ours yet
    UNTRAINED = "untrained"
    UNMEASURED = "unmeasured"
    NOT_LIKE_FOR_LIKE = "not_like_for_like"
    # why there is nothing of ours
    UNDEFINED = "undefined"
    DIVERGED = "diverged"
    # interval
    NO_INTERVAL = "no_interval"
    WITHIN = "within"
    OUTSIDE = "outside"
    # count
    EQUAL = "equal"
    MORE = "more"
    LESS = "less"
    # the study's weights files hold the optimizer's state too
    CHECKPOINT = "checkpoint"
    # the study's gap is of other images
    OTHER_IMAGES = "other_images"
    # test
    SHOWN = "shown"
    REVERSED = "reversed"
    INCONCLUSIVE = "inconclusive"
    # speed
    SAME_DEVICE = "same_device"
    OTHER_DEVICE = "other_device"
    OTHER_WORK = "other_work"
    # the study's validation images are augmented, ours are not
    AUGMENTED = "augmented"
    # the study's values by class cannot be of the test images
    NOT_OF_TEST = "not_of_test"
    # of others than the study: published.json tells what is not known of it
    OF_OTHERS = "of_others"


# What more trainings or tests of this profile would bring.
NOT_YET = {Code.UNTRAINED, Code.UNMEASURED, Code.NOT_LIKE_FOR_LIKE}


@dataclass(frozen=True)
class Ours:
    """What of ours stands beside a claim. missing: why there is no value; shows: whether a test of ours shows
    what is claimed (False: it shows the opposite, None: neither); facts: what the sentence of the reason
    needs."""

    value: Any = None
    low: float | None = None
    high: float | None = None
    missing: Code | None = None
    shows: bool | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reason:
    """A code and the numbers that its sentence needs."""

    code: Code
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A claim, what we have beside it, and how they stand to each other."""

    claim: Claim
    ours: Ours
    verdict: Verdict
    reason: Reason


Judgement = tuple[Verdict, Reason]
Rule = Callable[[Claim, Ours], Judgement]
Look = Callable[[Results, Claim], Ours]


def judge_all(results: Results) -> list[Finding]:
    """A finding for each published figure, in the order of published.json."""
    return [judge(results, claim) for claim in published_claims(results.published)]


def judge(results: Results, claim: Claim) -> Finding:
    look, rule = TABLE[claim.figure]
    ours = look(results, claim)
    verdict, reason = Verdict.NOT_COMPARABLE, Reason(Code.PHANTOM)
    if not results.phantom:
        verdict, reason = rule(claim, ours) if ours.missing is None else _missing(ours.missing)
    return Finding(claim, ours, verdict, Reason(reason.code, {**ours.facts, **reason.numbers}))


def of_study(findings: Sequence[Finding]) -> list[Finding]:
    """Without what others than the study report."""
    return [found for found in findings if found.claim.topic != "others"]


def tally(findings: Sequence[Finding]) -> dict[Verdict, int]:
    """How many claims have each verdict."""
    verdicts = [finding.verdict for finding in findings]
    return {verdict: verdicts.count(verdict) for verdict in Verdict}


def judged_scores(findings: Sequence[Finding]) -> dict[str, int]:
    """How many scores are reproduced, and of how many ours is above or below the published one."""
    scores = [found for found in findings if found.claim.figure == "score"]
    outside = [found.reason.numbers["side"] for found in scores if found.verdict is Verdict.NOT_REPRODUCED]
    reproduced = sum(found.verdict is Verdict.REPRODUCED for found in scores)
    return {"reproduced": reproduced, **{side: outside.count(side) for side in ("above", "below")}}


def by_topic(findings: Sequence[Finding]) -> dict[str, dict[Verdict, int]]:
    """The tally of each topic, in the order in which they come."""
    topics = dict.fromkeys(finding.claim.topic for finding in findings)
    return {topic: tally([found for found in findings if found.claim.topic == topic]) for topic in topics}


# -----------------------------------------------------------------------------------------------------------
# the rules: numbers in, a verdict out


def by_interval(claim: Claim, ours: Ours) -> Judgement:
    """Whether the published figure, to the digits it is known, can lie in the interval of ours."""
    if ours.low is None or ours.high is None:
        return _not_comparable(Code.NO_INTERVAL)
    half = 0.5 / 10**claim.digits
    theirs, difference = 100 * claim.published, ours.value - claim.published
    equal = round(100 * difference, 2) == 0
    numbers = {
        "points": abs(difference),
        "side": "equal" if equal else "above" if difference > 0 else "below",
    }
    if 100 * ours.low <= theirs + half and theirs - half <= 100 * ours.high:
        return Verdict.REPRODUCED, Reason(Code.WITHIN, numbers)
    return Verdict.NOT_REPRODUCED, Reason(Code.OUTSIDE, numbers)


def by_count(claim: Claim, ours: Ours) -> Judgement:
    difference = ours.value - claim.published
    if difference == 0:
        return Verdict.REPRODUCED, Reason(Code.EQUAL)
    code = Code.MORE if difference > 0 else Code.LESS
    return Verdict.NOT_REPRODUCED, Reason(code, {"difference": abs(difference)})


def by_test(claim: Claim, ours: Ours) -> Judgement:
    """Whether a test of ours shows the order that is claimed, another one, or neither."""
    if ours.shows is None:
        return _not_comparable(Code.INCONCLUSIVE)
    if ours.shows:
        return Verdict.REPRODUCED, Reason(Code.SHOWN)
    return Verdict.NOT_REPRODUCED, Reason(Code.REVERSED)


def by_speed(claim: Claim, ours: Ours) -> Judgement:
    """Of as much work, measured on the same device, and the same within SAME_SPEED."""
    if not ours.facts["same_device"] or not ours.facts["same_work"]:
        return _not_comparable(Code.OTHER_WORK if ours.facts["same_device"] else Code.OTHER_DEVICE)
    same = abs(ours.value - claim.published) <= SAME_SPEED * claim.published
    return Verdict.REPRODUCED if same else Verdict.NOT_REPRODUCED, Reason(Code.SAME_DEVICE)


def never(code: Code) -> Rule:
    """No figure of this kind is of the same quantity as ours."""
    return lambda claim, ours: _not_comparable(code)


def higher(own: Collection[float], others: Sequence[Collection[float]]) -> bool | None:
    """Whether an optimiser needs higher rates than all others: True when each rate that may be its best is
    above all that may be the best of another, False when none is above those of some other."""
    if not own or not others:
        return None
    if min(own) > max(rate for rates in others for rate in rates):
        return True
    return False if any(max(own) <= min(rates) for rates in others) else None


def _not_comparable(code: Code) -> Judgement:
    return Verdict.NOT_COMPARABLE, Reason(code)


def _missing(code: Code) -> Judgement:
    return Verdict.NOT_RUN if code in NOT_YET else Verdict.NOT_COMPARABLE, Reason(code)


# -----------------------------------------------------------------------------------------------------------
# ours


def _count(results: Results, claim: Claim) -> Ours:
    return Ours(results.validation.record(claim.about["kind"]).count(claim.about["half"]))


def _score(results: Results, claim: Claim) -> Ours:
    """A metric of a model on a subset, of one class where the claim names it."""
    model, metric, label = claim.about["model"], claim.about["metric"], claim.about.get("label")
    if not _measured(results, model, head_of(metric)):
        return Ours(missing=Code.UNTRAINED)
    scores = results.metrics.record(model).record(claim.about["subset"])
    if label is not None:
        scores = scores.record("by_label").record(label)
    if metric not in scores:
        return Ours(missing=Code.UNMEASURED)
    value = scores.number(metric)
    if value is None:
        return Ours(missing=Code.UNDEFINED)
    low, high = (scores.number(key) if key in scores else None for key in (f"{metric}_low", f"{metric}_high"))
    split = results.provenance.record("prepare")["split"]
    return Ours(value, low, high, facts={"deviations": len(differing(results, model)), "split": split})


def _order(results: Results, claim: Claim) -> Ours:
    """The difference of two models by the published metric, and their paired test, which is by the primary
    one and has an interval of its own."""
    first, second, metric = claim.about["model"], claim.about["other"], claim.about["metric"]
    head = HEADS[head_of(metric)]
    if not all(_measured(results, model, head.name) for model in (first, second)):
        return Ours(missing=Code.UNTRAINED)
    pair = tiers(results, head, "official").pair(first, second)
    one, two = (results.metrics.record(name).record("official").number(metric) for name in (first, second))
    if one is None or two is None or pair is None or pair.difference is None:
        return Ours(missing=Code.UNDEFINED)
    shows = pair.difference > 0 if pair.significant else None
    low, high = (pair.low, pair.high) if metric == head.primary else (None, None)
    return Ours(one - two, low, high, shows=shows, facts={"test": pair})


def _gap(results: Results, claim: Claim) -> Ours:
    """The paired difference of a joint net and the separate one that differs from it in one thing."""
    model = claim.about["model"]
    if model not in results.models:
        return Ours(missing=Code.UNTRAINED)
    entry = like_for_like(results, model, claim.about["metric"], "official")
    if entry is None:
        return Ours(missing=Code.NOT_LIKE_FOR_LIKE)
    difference = entry.number("difference")
    if difference is None:
        return Ours(missing=Code.UNDEFINED)
    ends = (entry.number("low"), entry.number("high"))
    return Ours(difference, *ends, facts={"separate": entry["separate"]})


def _best_cell(results: Results, claim: Claim) -> Ours:
    """The best cell of our grid and what grid.json says of the claimed one."""
    if results.grid is None or not (ranking := scored(results.grid)):
        return Ours(missing=Code.UNTRAINED)
    key, judged = _key(claim), results.grid.summary.listed("claims")
    said = next((entry for entry in judged if (entry["optimizer"], entry["learning_rate"]) == key), None)
    if said is None:
        return Ours(missing=Code.UNTRAINED)
    more = sum(cell.may_be_best for cell in ranking[1:])
    best = {"optimizer": ranking[0].optimizer, "learning_rate": ranking[0].learning_rate, "more": more}
    shows = {SUPPORTED: True, NOT_SUPPORTED: False, INCONCLUSIVE: None}[said["verdict"]]
    return Ours(best, shows=shows, facts={"grid": said.record("reason").content, **_epochs(results)})


def _cell_score(results: Results, claim: Claim) -> Ours:
    cell = None if results.grid is None else find(results.grid, *_key(claim))
    if cell is None:
        return Ours(missing=Code.UNTRAINED)
    if cell.score is None:
        return Ours(missing=Code.DIVERGED)
    return Ours(cell.score, cell.low, cell.high, facts=_epochs(results))


def _higher_rates(results: Results, claim: Claim) -> Ours:
    """The rates that may be the best of each optimiser, as far as the images tell."""
    if results.grid is None:
        return Ours(missing=Code.UNTRAINED)
    names = dict.fromkeys(cell.optimizer for cell in cells(results.grid))
    others = {name: rates for name in names if (rates := rates_of(results.grid, name))}
    own = others.pop(claim.about["optimizer"], None)
    if own is None:
        return Ours(missing=Code.UNTRAINED)
    shows = higher(own, list(others.values()))
    return Ours(shows, shows=shows, facts={"own": own, "others": others})


def _size(results: Results, claim: Claim) -> Ours:
    model = claim.about["model"]
    if model not in results.models:
        return Ours(missing=Code.UNTRAINED)
    value = results.cost(model).number("weights_mb")
    if value is None:
        return Ours(missing=Code.UNMEASURED)
    return Ours(value, facts={"ratio": claim.published / value})


def _speed(results: Results, claim: Claim) -> Ours:
    model = claim.about["model"]
    rate = results.cost(model).number("images_per_second") if model in results.models else None
    return _timed(results, rate, {"same_work": True})


def _cell_minutes(results: Results, claim: Claim) -> Ours:
    """The mean of the cells that were measured."""
    runs = [] if results.grid is None else [cell.seconds for cell in cells(results.grid)]
    known = [seconds for seconds in runs if seconds is not None]
    epochs = _epochs(results)
    same = epochs["study_epochs"] == epochs["epochs"]
    return _timed(results, sum(known) / len(known) / 60 if known else None, {**epochs, "same_work": same})


def _hours(results: Results, claim: Claim) -> Ours:
    """All models of the study and cells together; not measured where one of them was not."""
    models = [model for model in results.models if results.runs.record(model)["of_study"]]
    runs = [results.cost(model).number("seconds") for model in models]
    runs += [] if results.grid is None else [cell.seconds for cell in cells(results.grid)]
    known = [seconds for seconds in runs if seconds is not None]
    hours = sum(known) / 3600 if len(known) == len(runs) else None
    same = len(runs) == claim.about["trainings"]
    return _timed(results, hours, {"trainings": len(runs), "same_work": same})


def _timed(results: Results, value: float | None, facts: Mapping[str, Any]) -> Ours:
    if value is None:
        return Ours(missing=Code.UNMEASURED)
    study, device = results.published.record("study").record("cost"), results.provenance["device"]
    same = device is not None and all(study["device_name"] in name for name in device.split("; "))
    devices = {"same_device": same, "study_device": study["device"], "device": device}
    return Ours(value, facts={**devices, **facts})


def _epochs(results: Results) -> dict[str, Any]:
    """How long a cell of the study's grid is trained, and one of ours."""
    theirs = results.published.record("grid").count("epochs")
    ours = theirs if results.grid is None else results.grid.summary.count("epochs")
    return {"study_epochs": theirs, "epochs": ours}


def _key(claim: Claim) -> tuple[str, float]:
    return claim.about["optimizer"], claim.about["learning_rate"]


def _measured(results: Results, model: str, head: str) -> bool:
    return model in results.models and head in {known.name for known in results.heads(model)}


# By kind of figure: where ours comes from, and the rule.
TABLE: dict[str, tuple[Look, Rule]] = {
    "count": (_count, by_count),
    "score": (_score, by_interval),
    "class_score": (_score, never(Code.NOT_OF_TEST)),
    "other_score": (_score, never(Code.OF_OTHERS)),
    "validation_score": (_score, never(Code.AUGMENTED)),
    "order": (_order, by_test),
    "gap": (_gap, never(Code.OTHER_IMAGES)),
    "best_cell": (_best_cell, by_test),
    "cell_score": (_cell_score, never(Code.AUGMENTED)),
    "higher_rates": (_higher_rates, by_test),
    "size": (_size, never(Code.CHECKPOINT)),
    "speed": (_speed, by_speed),
    "cell_minutes": (_cell_minutes, by_speed),
    "hours": (_hours, by_speed),
}
