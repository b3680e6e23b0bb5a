"""Tables of paired tests between models, of the spread over seeds, and of joint against separate."""

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import Pair, method, tiers
from brisc.report.cells import (
    DASH,
    NO_IMAGES,
    NO_INTERVAL,
    Cell,
    Table,
    p_value,
    percent,
    shown,
    signed_points,
    whole_percent,
)
from brisc.report.heads import Head
from brisc.vocabulary import TEST_SUBSETS

NO_P = "not tested: too few independent groups of slices"


def pairs(results: Results, head: Head) -> Table:
    """Every pair of models of that head on official and clean."""
    rows: list[list[str | Cell]] = []
    for subset in ("official", "clean"):
        standing = tiers(results, head, subset)
        if standing is not None:
            rows += [_pair(subset, standing.n, pair) for pair in standing.pairs]
    caption = (
        f"Paired tests of `{head.followed}` between models ({method(results, head)}): difference of the means in points "
        "with its 95 % interval, and p after Holm's correction over all pairs of a subset."
    )
    return Table(
        caption,
        ["subset", "first", "second", "n", "first less second, points", "p", "told apart"],
        rows,
        left=3,
    )


def _pair(subset: str, n: int, pair: Pair) -> list[str | Cell]:
    return [
        subset,
        f"`{pair.first}`",
        f"`{pair.second}`",
        f"{n:,}",
        points(pair.difference, pair.low, pair.high),
        shown(pair.p, p_value, NO_P),
        "yes" if pair.significant else "no",
    ]


def points(difference: float | None, low: float | None, high: float | None) -> str | Cell:
    """A difference in points with its interval."""
    if difference is None:
        return Cell(DASH, "no such images")
    if low is None or high is None:
        return Cell(f"{signed_points(difference)} [{DASH}]", NO_INTERVAL)
    return f"{signed_points(difference)} [{signed_points(low)}, {signed_points(high)}]"


def seeds(spread: Record) -> Table:
    """The same training with other seeds: each score, and how far they spread. spread: the seeds of
    comparisons.json."""
    models = spread.record("models").records()
    measures = [
        (model, subset, measure, record)
        for model, subsets in models.items()
        for subset, scores in subsets.records().items()
        for measure, record in scores.records().items()
    ]
    names = list(dict.fromkeys(seed for *_, record in measures for seed in record.record("values").keys))
    rows: list[list[str | Cell]] = []
    for model, subset, measure, record in measures:
        values = record.record("values")
        rows.append(
            [
                f"`{model}`",
                subset,
                f"`{measure}`",
                *(
                    shown(values.number(name) if name in values else None, percent, "not trained")
                    for name in names
                ),
                shown(record.number("mean"), percent, NO_IMAGES),
                shown(record.number("sd"), percent, "one seed has no spread"),
            ]
        )
    header = ["model", "subset", "measure", *(f"seed {name}" for name in names), "mean", "sd, points"]
    caption = (
        "The same trainings with other seeds (initial weights, order of images, augmentation): scores in % and their standard "
        "deviation in points."
    )
    return Table(caption, header, rows, left=3)


def joint(results: Results, block: Record) -> Table:
    """Joint nets against separate ones, a comparison over the same images in each line. block:
    joint_against_separate."""
    rows: list[list[str | Cell]] = []
    subsets = block.record("subsets")
    for subset in (name for name in TEST_SUBSETS if name in subsets):
        for entry in subsets.listed(subset):
            difference, low, high = (entry.number(key) for key in ("difference", "low", "high"))
            rows.append(
                [
                    subset,
                    f"`{entry['joint']}`",
                    f"`{entry['separate']}`",
                    "yes" if entry["like_for_like"] else "no",
                    f"`{entry['measure']}`",
                    f"{entry.count('n'):,}",
                    shown(entry.number("joint_value"), percent, NO_IMAGES),
                    shown(entry.number("separate_value"), percent, NO_IMAGES),
                    points(difference, low, high),
                    shown(entry.number("p_holm"), p_value, NO_P),
                    *_published(results, entry),
                ]
            )
    header = [
        "subset",
        "joint",
        "separate",
        "like for like",
        "measure",
        "n",
        "joint, %",
        "separate, %",
        "joint less separate, points",
        "p",
        "published, points",
        "of it remains, %",
    ]
    caption = (
        "Joint against separate on the same images. Like for like: the two trainings differ in one thing, whether the other head "
        "is trained along. Differences with their 95 % interval, p after Holm's correction over the comparisons of a measure "
        "on a subset. What remains is the difference as a share of the published one."
    )
    return Table(caption, header, rows, left=5)


def _published(results: Results, entry: Record) -> list[str | Cell]:
    """The published gap and which part of it remains; phantoms are not held against it."""
    gap, share = entry.number("published"), entry.number("remains")
    low, high = entry.number("remains_low"), entry.number("remains_high")
    if results.phantom:
        return [Cell(DASH, "phantoms are not held against published figures")] * 2
    if gap is None or share is None:
        return [Cell(DASH, "not published for this average")] * 2
    if low is None or high is None:
        return [signed_points(gap), Cell(f"{whole_percent(share)} [{DASH}]", NO_INTERVAL)]
    return [signed_points(gap), f"{whole_percent(share)} [{whole_percent(low)}, {whole_percent(high)}]"]
