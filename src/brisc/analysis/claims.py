"""The ledger of claims: every figure that the study published beside ours, with a verdict by one rule for
each kind of figure.

The rules stand on top of claims.md (`RULES`). Each is decided here by a function of numbers alone.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from brisc.analysis.grid_cells import cells, find, rates_of, scored
from brisc.analysis.results import Grid, Record, Results
from brisc.analysis.standing import Pair, like_for_like, tiers
from brisc.report.cells import (
    DASH,
    Cell,
    Table,
    percent,
    setting,
    signed_points,
    tenth,
    thousands,
    whole_percent,
)
from brisc.report.heads import HEADS, Head
from brisc.report.tables.provenance import differing
from brisc.report.words import apart, equals, interval, number_of

REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE = "reproduced", "not reproduced", "not comparable"

# A wall time on the published device counts as the same within a tenth: clocks, drivers and cooling differ.
SAME_SPEED = 0.1

RULES = (
    f"**{REPRODUCED.capitalize()}**: the published figure, to the digits it is given in, lies within the 95 % interval of "
    "ours. Both are the same average over the same images, the official test set.",
    f"**{NOT_REPRODUCED.capitalize()}**: it lies outside. The verdict is on the figure and on this run with its settings, of "
    "which those that differ from the study's are listed below. It does not say that the published figure is wrong.",
    f"**{NOT_COMPARABLE.capitalize()}**: the two are not the same quantity (phantoms, augmented validation images, another "
    "machine), ours was not measured, or it has no interval.",
    "A difference between two trainings, such as joint less separate, follows the same rules with the interval of the paired "
    "difference.",
    f"An order, of two models or of the cells of the grid, is {REPRODUCED} when our test shows it, {NOT_REPRODUCED} when our "
    f"test shows another, and {NOT_COMPARABLE} when our test cannot tell. That an optimiser needs higher rates is {REPRODUCED} "
    f"when each rate that may be its best is above all that may be the best of another, and {NOT_REPRODUCED} when none is above "
    "those of some other.",
    f"A count is {REPRODUCED} when it is equal; the size of a weights file when it is equal to the whole MB, of a net with the "
    f"same settings; a speed or a time when it was measured on the same device and differs by at most {100 * SAME_SPEED:.0f} %.",
)


@dataclass(frozen=True)
class Claim:
    """A published figure and ours, as they are shown; `figure` says of what, `why` why the verdict is what it
    is."""

    topic: str
    figure: str
    published: str
    ours: str | Cell
    interval: str | Cell
    verdict: str
    why: str


def claims(results: Results) -> list[Claim]:
    """Every published figure in the order of published.json. On phantoms none is comparable, whatever its
    value."""
    found = [
        *_counts(results),
        *_scores(results),
        *_by_class(results),
        *_validation(results),
        *_orders(results),
        *_joint(results),
        *_grid(results),
        *_sizes(results),
        *_speed(results),
        *_others(results),
    ]
    if results.phantom:
        return [replace(claim, verdict=NOT_COMPARABLE, why="phantom data") for claim in found]
    return found


def tally(found: Sequence[Claim]) -> dict[str, int]:
    """How many claims have each verdict."""
    verdicts = [claim.verdict for claim in found]
    return {verdict: verdicts.count(verdict) for verdict in (REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE)}


def counted(found: Sequence[Claim]) -> str:
    counts = ", ".join(f"{number} {verdict}" for verdict, number in tally(found).items())
    return f"Of {len(found)} published figures: {counts}"


def table(found: Sequence[Claim], topic: str) -> Table:
    rows = [
        [claim.figure, claim.published, claim.ours, claim.interval, f"**{claim.verdict}**", claim.why]
        for claim in found
        if claim.topic == topic
    ]
    return Table(
        topic, ["figure", "published", "ours", "95 % interval", "verdict", "why"], rows, words=(4, 5)
    )


# -----------------------------------------------------------------------------------------------------------
# the rules


def within(published: float, low: float, high: float, *, digits: int) -> bool:
    """Whether a published percentage, known to `digits` decimals, can lie in the interval; all three are
    fractions."""
    half = 0.5 / 10**digits
    return bool(100 * low <= 100 * published + half and 100 * published - half <= 100 * high)


def by_interval(published: float, low: float, high: float, *, digits: int) -> str:
    return REPRODUCED if within(published, low, high, digits=digits) else NOT_REPRODUCED


def by_order(pair: Pair) -> str:
    """pair: the model that is published as better less the other."""
    if pair.difference is None or not pair.told_apart:
        return NOT_COMPARABLE
    return REPRODUCED if pair.difference > 0 else NOT_REPRODUCED


def by_speed(published: float, ours: float | None, *, same_device: bool) -> str:
    if ours is None or not same_device:
        return NOT_COMPARABLE
    return REPRODUCED if abs(ours - published) <= SAME_SPEED * published else NOT_REPRODUCED


def by_size(published_mb: float, ours_mb: float | None, *, same_net: bool) -> str:
    if ours_mb is None or not same_net:
        return NOT_COMPARABLE
    return REPRODUCED if round(ours_mb) == round(published_mb) else NOT_REPRODUCED


def by_rates(own: Collection[float], others: Sequence[Collection[float]]) -> str:
    """own, others: the rates that may be the best of the optimiser that is said to need a higher one, and of
    each other one."""
    if not own or not others:
        return NOT_COMPARABLE
    if min(own) > max(rate for rates in others for rate in rates):
        return REPRODUCED
    return NOT_REPRODUCED if any(max(own) <= min(rates) for rates in others) else NOT_COMPARABLE


# -------------------------------------------------------------------------------------------------------------
# the data


def _counts(results: Results) -> Iterator[Claim]:
    published = results.published.record("data")
    for kind, name in (("images", "images"), ("pairs", "image-mask pairs")):
        theirs, ours = published.record(kind), results.validation.record(kind)
        for half in theirs.keys:
            n, found = theirs.count(half), ours.count(half)
            verdict = REPRODUCED if n == found else NOT_REPRODUCED
            why = "equal" if n == found else f"{abs(found - n):,} {'more' if found > n else 'fewer'}"
            yield Claim("Data", f"{name}, {half}", f"{n:,}", f"{found:,}", Cell(DASH, A_COUNT), verdict, why)


A_COUNT = "counted, so there is no interval"
NO_DATA = "nothing to measure it on"


# ---------------------------------------------------------------------------------------------------------------
# scores


def _scores(results: Results) -> Iterator[Claim]:
    """Published test scores."""
    for model in results.published.record("models").keys:
        published = results.published_scores(model, "test")
        for key in published.keys:
            head = _head_of(key)
            theirs = published.number(key)
            if theirs is None:
                continue
            figure = f"`{model}`: {head.metric(key).name.removesuffix(', %')}, test, %"
            topic = TOPICS[head.name]
            if model not in results.models or head not in results.heads(model):
                yield _untrained(topic, figure, percent(theirs))
                continue
            yield _score(results, topic, figure, model, head, key, theirs)


TOPICS = {"mask": "Segmentation", "label": "Classification"}


def _score(
    results: Results, topic: str, figure: str, model: str, head: Head, key: str, theirs: float
) -> Claim:
    official = results.subsets(model)["official"]
    ours, bounds = official.number(key), interval(official, key)
    if ours is None or bounds is None:
        shown_ours = Cell(DASH, NO_DATA) if ours is None else percent(ours)
        return Claim(
            topic,
            figure,
            percent(theirs),
            shown_ours,
            Cell(DASH, NO_INTERVAL),
            NOT_COMPARABLE,
            "no interval of ours",
        )
    verdict = by_interval(theirs, *bounds, digits=2)
    side = "within" if verdict == REPRODUCED else "outside"
    why = f"ours is {apart(ours - theirs, 'it')}; it lies {side} the interval.{_settings(results, model)}"
    return Claim(topic, figure, percent(theirs), percent(ours), _bracket(*bounds), verdict, why)


NO_INTERVAL = "no interval was computed for it"


def _by_class(results: Results) -> Iterator[Claim]:
    """Published F1 by class."""
    for model, known in results.published.record("models").records().items():
        if "f1_by_class" not in known:
            continue
        for label, value in known.record("f1_by_class").content.items():
            theirs, text = value / 100, tenth(value)
            figure = f"`{model}`: F1 of {label}, test, %"
            if model not in results.models:
                yield _untrained("Classification", figure, text)
                continue
            scores = results.subsets(model)["official"].record("by_label").record(label)
            ours, bounds = scores.number("f1"), interval(scores, "f1")
            if ours is None or bounds is None:
                shown_ours = Cell(DASH, NO_DATA) if ours is None else percent(ours)
                yield Claim(
                    "Classification",
                    figure,
                    text,
                    shown_ours,
                    Cell(DASH, NO_INTERVAL),
                    NOT_COMPARABLE,
                    "no interval of ours",
                )
                continue
            verdict = by_interval(theirs, *bounds, digits=1)
            side = "within" if verdict == REPRODUCED else "outside"
            why = f"ours is {apart(ours - theirs, 'it')}; it lies {side} the interval.{_settings(results, model)}"
            yield Claim("Classification", figure, text, percent(ours), _bracket(*bounds), verdict, why)


def _validation(results: Results) -> Iterator[Claim]:
    """Published validation scores, which no run without augmented validation images can be held against."""
    for model in results.published.record("models").keys:
        published = results.published_scores(model, "validation")
        for key in published.keys:
            head, theirs = _head_of(key), published.number(key)
            if theirs is None:
                continue
            figure = f"`{model}`: {head.metric(key).name.removesuffix(', %')}, validation, %"
            if model not in results.models or head not in results.heads(model):
                yield _untrained(TOPICS[head.name], figure, percent(theirs))
                continue
            scores = results.metrics.record(model).record("validation")
            ours, bounds = scores.number(key), interval(scores, key)
            yield Claim(
                TOPICS[head.name],
                figure,
                percent(theirs),
                Cell(DASH, NO_DATA) if ours is None else percent(ours),
                Cell(DASH, NO_INTERVAL) if bounds is None else _bracket(*bounds),
                NOT_COMPARABLE,
                f"{AUGMENTED}, and are drawn {_drawn(results)}",
            )


def _drawn(results: Results) -> str:
    split = results.provenance.record("prepare")["split"]
    return {"grouped": "by groups of similar slices instead of at random", "random": "at random too"}[split]


def _head_of(key: str) -> Head:
    return next(head for head in HEADS.values() if key in {metric.key for metric in head.metrics})


def _untrained(topic: str, figure: str, published: str) -> Claim:
    missing = Cell(DASH, NOT_TRAINED)
    return Claim(topic, figure, published, missing, missing, NOT_COMPARABLE, NOT_TRAINED)


NOT_TRAINED = "not trained in this profile"


def _settings(results: Results, model: str) -> str:
    """How many settings differ from the study's; claims.md lists them."""
    count = len(differing(results, model))
    return (
        " The settings are the study's."
        if count == 0
        else f" {count} settings differ."
        if count > 1
        else " One setting differs."
    )


# ---------------------------------------------------------------------------------------------------------------
# orders


def _orders(results: Results) -> Iterator[Claim]:
    """The order of each two models of which the study published the same average."""
    for head in HEADS.values():
        known = {
            model: published.number(head.compared)
            for model in results.published.record("models").keys
            if head.compared in (published := results.published_scores(model, "test"))
        }
        scored = sorted(
            ((value, model) for model, value in known.items() if value is not None), key=lambda pair: -pair[0]
        )
        for i, (better_value, better) in enumerate(scored):
            for worse_value, worse in scored[i + 1 :]:
                yield _order(results, head, better, worse, better_value - worse_value)


def _order(results: Results, head: Head, better: str, worse: str, difference: float) -> Claim:
    topic = TOPICS[head.name]
    figure = f"`{better}` above `{worse}` in {head.measure}, test, points"
    published = signed_points(difference)
    missing = [model for model in (better, worse) if model not in results.models]
    if missing:
        return _untrained(topic, figure, published)
    standing = tiers(results, head, "official")
    pair = None if standing is None else standing.pair(better, worse)
    if pair is None or pair.difference is None:
        cell = Cell(DASH, "the two were not compared by a test")
        return Claim(topic, figure, published, cell, cell, NOT_COMPARABLE, cell.reason)
    verdict = by_order(pair)
    by = f" (`{head.followed}`)" if head.followed != head.compared else ""
    if pair.p is None:
        why = "too few groups of slices for a test"
    else:
        p = f"corrected p {equals('< 0.001' if pair.p < 0.001 else f'{pair.p:.3f}')}"
        told = "told apart" if pair.told_apart else "not told apart"
        order = "" if not pair.told_apart else f", in {'this' if pair.difference > 0 else 'the other'} order"
        why = f"{told}{order} ({p}){by}"
    bracket = (
        _no_bracket() if pair.low is None or pair.high is None else _bracket(pair.low, pair.high, signed=True)
    )
    return Claim(topic, figure, published, signed_points(pair.difference), bracket, verdict, why)


def _no_bracket() -> Cell:
    return Cell(DASH, NO_INTERVAL)


def _bracket(low: float, high: float, *, signed: bool = False) -> str:
    show = signed_points if signed else percent
    return f"{show(low)} to {show(high)}"


# ----------------------------------------------------------------------------------------------------------------
# joint


def _joint(results: Results) -> Iterator[Claim]:
    """What the joint net loses against separate ones."""
    for model, known in results.published.record("models").records().items():
        if "against_separate" not in known:
            continue
        gaps = known.record("against_separate")
        for key in gaps.keys:
            theirs = gaps.number(key)
            if theirs is None:
                continue
            figure = f"`{model}` less separate, {_head_of(key).measure} (`{key}`), points"
            published = signed_points(theirs / 100)
            if model not in results.models:
                yield _untrained("Joint or separate", figure, published)
                continue
            yield _gap(results, figure, published, model, key)


def _gap(results: Results, figure: str, published: str, model: str, key: str) -> Claim:
    entry = like_for_like(results, model, key, "official")
    numbers = [None] * 3 if entry is None else [entry.number(name) for name in ("difference", "low", "high")]
    difference, low, high = numbers
    theirs = None if entry is None else entry.number("published")
    if entry is None or difference is None or low is None or high is None or theirs is None:
        cell = Cell(DASH, "no like-for-like comparison with an interval was run")
        return Claim("Joint or separate", figure, published, cell, cell, NOT_COMPARABLE, cell.reason)
    verdict = by_interval(theirs, low, high, digits=2)
    remains = entry.number("remains")
    part = "" if remains is None else f" {whole_percent(remains)} % of the published gap remains."
    why = (
        f"against `{entry['separate']}` on the same images and classes; the published gap mixes splits and classes. It lies "
        f"{'within' if verdict == REPRODUCED else 'outside'} the interval.{part}{_settings(results, model)}"
    )
    return Claim(
        "Joint or separate",
        figure,
        published,
        signed_points(difference),
        _bracket(low, high, signed=True),
        verdict,
        why,
    )


# -----------------------------------------------------------------------------------------------------------------
# grid


def _grid(results: Results) -> Iterator[Claim]:
    """The best cell by the study's table and by its log, the score of each, and the rates that an optimiser
    needs."""
    published = results.published.record("grid")
    longer = _other_epochs(results)
    for name in ("best", "log"):
        record = published.record(name)
        cell = f"{record['optimizer']} at {setting(record['learning_rate'])}"
        yield _best_cell(results.grid, "table" if name == "best" else "log", record, cell, longer)
        yield _cell_score(results.grid, record, cell, longer)
    yield _higher_rates(results.grid, published["higher_rates"])


def _other_epochs(results: Results) -> str:
    """How long a cell is trained, where the study's is trained for longer or shorter."""
    theirs = results.published.record("grid").count("epochs")
    ours = theirs if results.grid is None else results.grid.summary.count("epochs")
    return "" if ours == theirs else f"; the study's cells have {number_of(theirs, 'epoch')}, ours {ours}"


def _best_cell(grid: Grid | None, source: str, published: Record, cell: str, longer: str) -> Claim:
    figure = f"best cell by the study's {source}"
    if grid is None or not scored(grid):
        return _untrained("Grid", figure, cell)
    key = (published["optimizer"], published["learning_rate"])
    judged = next(
        (
            claim
            for claim in grid.summary.listed("claims")
            if (claim["optimizer"], claim["learning_rate"]) == key
        ),
        None,
    )
    if judged is None:
        return _untrained("Grid", figure, cell)
    first = scored(grid)[0]
    tied = sum(other.may_be_best for other in scored(grid)) - 1
    ours = (
        f"{first.optimizer} at {setting(first.learning_rate)}{f', or one of {tied} more' if tied > 0 else ''}"
    )
    return Claim(
        "Grid",
        figure,
        cell,
        ours,
        Cell(DASH, "an order of cells, no number"),
        OF_GRID[judged["verdict"]],
        judged["reason"] + longer,
    )


OF_GRID = {"supported": REPRODUCED, "not supported": NOT_REPRODUCED, "cannot be told": NOT_COMPARABLE}


def _cell_score(grid: Grid | None, published: Record, name: str, longer: str) -> Claim:
    theirs = published.number("dice")
    figure, text = f"{name}: best validation Dice, %", "" if theirs is None else f"{theirs:.2f}"
    cell = None if grid is None else find(grid, published["optimizer"], published["learning_rate"])
    if cell is None:
        return _untrained("Grid", figure, text)
    ours = Cell(DASH, "it diverged") if cell.score is None else percent(cell.score)
    bounds = _no_bracket() if cell.low is None or cell.high is None else _bracket(cell.low, cell.high)
    return Claim("Grid", figure, text, ours, bounds, NOT_COMPARABLE, AUGMENTED + longer)


AUGMENTED = "the study's validation images are augmented, which pushes its figure down; ours are not"


def _higher_rates(grid: Grid | None, optimizer: str) -> Claim:
    figure = f"{optimizer} needs higher rates than the others"
    own = [] if grid is None else rates_of(grid, optimizer)
    if grid is None or not own:
        return _untrained("Grid", figure, "yes")
    names = dict.fromkeys(cell.optimizer for cell in cells(grid) if cell.optimizer != optimizer)
    others = {name: rates for name in names if (rates := rates_of(grid, name))}
    verdict = by_rates(own, list(others.values()))
    best = {
        name: " or ".join(setting(rate) for rate in rates)
        for name, rates in {optimizer: own, **others}.items()
    }
    listed = ", ".join(f"{name} {best[name]}" for name in others) or "none"
    why = (
        f"best rate of {optimizer}, as far as the images can tell: {best[optimizer]}; of the others: {listed}"
    )
    ours = {REPRODUCED: "yes", NOT_REPRODUCED: "no"}.get(verdict, "cannot be told")
    return Claim("Grid", figure, "yes", ours, Cell(DASH, "an order of rates, no number"), verdict, why)


# -----------------------------------------------------------------------------------------------------------------
# cost


def _sizes(results: Results) -> Iterator[Claim]:
    """Sizes of weights files."""
    for model, known in results.published.record("models").records().items():
        theirs = known.record("cost").number("weights_mb") if "cost" in known else None
        if theirs is None:
            continue
        figure = f"`{model}`: weights file, MB"
        if model not in results.models:
            yield _untrained("Cost", figure, f"{theirs:.0f}")
            continue
        ours = results.cost(model).number("weights_mb")
        other = [name for name, _, _ in differing(results, model, prefix="model.")]
        verdict = by_size(theirs, ours, same_net=not other)
        if ours is None:
            why = "not measured"
        elif other:
            why = f"another net: {', '.join(other)}"
        elif verdict == REPRODUCED:
            why = "equal to the whole MB"
        else:
            why = f"the published file is {theirs / ours:.1f} times ours; what it holds besides the weights is not stated"
        yield Claim(
            "Cost",
            figure,
            f"{theirs:.0f}",
            Cell(DASH, "not measured") if ours is None else tenth(ours),
            Cell(DASH, A_COUNT),
            verdict,
            why,
        )


def _speed(results: Results) -> Iterator[Claim]:
    """Speed and time, on the study's device and on ours."""
    study = results.published.record("study").record("cost")
    grid = results.published.record("grid")
    device = results.provenance["device"]
    same = device is not None and all(study["device_name"] in name for name in device.split("; "))
    model = study["model"]
    trainings = [results.cost(name).number("seconds") for name in results.models]
    runs = [] if results.grid is None else [cell.seconds for cell in cells(results.grid)]
    rate = results.cost(model).number("images_per_second") if model in results.models else None
    longer = _other_epochs(results)
    lines = (
        (f"`{model}`: training, images/s", study.number("images_per_second"), rate, tenth, ""),
        (
            f"one run of the grid, {grid.count('epochs')} epochs, min",
            grid.number("minutes"),
            _minutes(runs),
            tenth,
            longer,
        ),
        (
            f"all {study.count('trainings')} trainings, hours",
            study.number("gpu_hours"),
            _hours([*trainings, *runs]),
            tenth,
            f"; ours are {len(trainings) + len(runs)} trainings",
        ),
    )
    for figure, theirs, ours, show, more in lines:
        if theirs is None:
            continue
        verdict = by_speed(theirs, ours, same_device=same)
        if ours is None:
            why = "not measured in this profile"
        elif same:
            why = f"on the same device{more}"
        else:
            why = f"the study's device is {study['device']}; ours is {device}{more}"
        cell = Cell(DASH, "not measured in this profile") if ours is None else show(ours)
        yield Claim("Cost", figure, thousands(theirs), cell, Cell(DASH, A_COUNT), verdict, why)


def _minutes(seconds: Sequence[float | None]) -> float | None:
    """Mean minutes of a run."""
    known = [value for value in seconds if value is not None]
    return sum(known) / len(known) / 60 if known else None


def _hours(seconds: Sequence[float | None]) -> float | None:
    """Hours of all runs; None if one of them was not measured."""
    known = [value for value in seconds if value is not None]
    return sum(known) / 3600 if known and len(known) == len(seconds) else None


# ---------------------------------------------------------------------------------------------------------------
# others


def _others(results: Results) -> Iterator[Claim]:
    """What others than the study report, to whole percents."""
    for record in results.published.listed("others"):
        model, key, theirs = record["model"], record["metric"], record.number("about")
        if theirs is None:
            continue
        head = _head_of(key)
        figure = f"`{model}`: {head.metric(key).name.removesuffix(', %')}, test, % ({record['source']})"
        text = f"about {theirs:.0f}"
        if model not in results.models:
            yield _untrained("Other groups", figure, text)
            continue
        official = results.subsets(model)["official"]
        ours, bounds = official.number(key), interval(official, key)
        if ours is None or bounds is None:
            yield Claim(
                "Other groups",
                figure,
                text,
                Cell(DASH, NO_DATA),
                _no_bracket(),
                NOT_COMPARABLE,
                "no interval of ours",
            )
            continue
        verdict = by_interval(theirs / 100, *bounds, digits=0)
        side = "within" if verdict == REPRODUCED else "outside"
        why = f"it lies {side} the interval.{_settings(results, model)}"
        yield Claim("Other groups", figure, text, percent(ours), _bracket(*bounds), verdict, why)
