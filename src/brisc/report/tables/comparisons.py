"""Tables of paired tests between models, of the spread over seeds, and of joint against separate."""

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import Pair, name_of_test, tiers
from brisc.report.cells import (
    DASH,
    NO_IMAGES,
    TOO_FEW,
    Cell,
    Table,
    p_value,
    percent,
    shown,
    signed_points,
    with_interval,
)
from brisc.vocabulary import TEST_SUBSETS, Head

TESTS = {
    "bootstrap": "paired bootstrap over groups",
    "bootstrap_and_mcnemar": "paired bootstrap over groups and exact McNemar, the larger p",
}


def pairs(results: Results, head: Head) -> Table:
    """Every pair of models of that head on each subset."""
    rows: list[list[str | Cell]] = []
    for subset in TEST_SUBSETS:
        standing = tiers(results, head, subset)
        rows += [_pair(subset, standing.n, pair) for pair in standing.pairs]
    caption = f"Paired tests of `{head.primary}` between models: {TESTS[name_of_test(results, head)]}."
    header = ["subset", "first", "second", "n", "first less second, points", "p", "significant"]
    return Table(caption, header, rows, left=3)


def _pair(subset: str, n: int, pair: Pair) -> list[str | Cell]:
    return [
        subset,
        f"`{pair.first}`",
        f"`{pair.second}`",
        f"{n:,}",
        with_interval(pair.difference, pair.low, pair.high, signed_points, NO_IMAGES),
        shown(pair.p, p_value, TOO_FEW),
        "yes" if pair.significant else "no",
    ]


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
    return Table("Models with several seeds.", header, rows, left=3)


def joint(results: Results, block: Record, *, brief: bool) -> Table:
    """Joint models against separate ones, a comparison over the same images in each line. block:
    joint_against_separate. brief: like for like alone, on official and clean."""
    subsets = block.record("subsets")
    rows = [
        _joint(results, subset, entry)
        for subset in TEST_SUBSETS
        if subset in subsets and not (brief and subset == "strict")
        for entry in subsets.listed(subset)
        if entry["like_for_like"] or not brief
    ]
    columns = [name for name in rows[0] if not (brief and name == "like for like")] if rows else []
    cells = [[row[name] for name in columns] for row in rows]
    return Table("Joint against separate models on the same images.", columns, cells, left=len(columns) - 6)


def _joint(results: Results, subset: str, entry: Record) -> dict[str, str | Cell]:
    difference, low, high = (entry.number(key) for key in ("difference", "low", "high"))
    return {
        "subset": subset,
        "joint": f"`{entry['joint']}`",
        "separate": f"`{entry['separate']}`",
        "like for like": "yes" if entry["like_for_like"] else "no",
        "metric": f"`{entry['measure']}`",
        "n": f"{entry.count('n'):,}",
        "joint, %": shown(entry.number("joint_value"), percent, NO_IMAGES),
        "separate, %": shown(entry.number("separate_value"), percent, NO_IMAGES),
        "joint less separate, points": with_interval(difference, low, high, signed_points, NO_IMAGES),
        "p": shown(entry.number("p_holm"), p_value, TOO_FEW),
        "published, points": _published(results, entry),
    }


def _published(results: Results, entry: Record) -> str | Cell:
    if results.phantom:
        return Cell(DASH, "phantoms are not held against published figures")
    return shown(entry.number("published"), signed_points, "not published for this average")
