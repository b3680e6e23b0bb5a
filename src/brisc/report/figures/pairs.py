"""Charts of differences between models over the same images: attention or not, joint or separate."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import over_seeds, tiers
from brisc.report.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    Chart,
    legend_below,
    name_rows,
    sheet,
    span,
)
from brisc.vocabulary import HEADS, TEST_SUBSETS

MASK = HEADS["mask"]


def attention(results: Results, pair: tuple[str, str]) -> Chart:
    """Left the difference on each subset and with each seed, right the Dice of both on every official tumour
    slice."""
    with_it, without = pair
    figure = sheet(results, f"{with_it} less {without}", 3.7)
    difference, both = figure.subplots(1, 2, width_ratios=[1.15, 1])
    names: list[str] = []
    images: list[tuple[str, int]] = []
    rows: dict[str, int] = {}
    for subset in (*TEST_SUBSETS, "validation"):
        standing = tiers(results, MASK, subset)
        test = standing.pair(with_it, without)
        if test is None or test.difference is None:
            continue
        span(difference, test.difference, test.low, test.high, y=len(names), subset=subset, label="")
        rows[subset] = len(names)
        names.append(f"{subset}\nn = {standing.n:,}")
        images.append((subset, standing.n))
    seeds = _seeds(difference, results, pair, rows)
    _zero(difference)
    name_rows([difference], names)
    difference.set(title="difference in mean Dice", xlabel="points of dice_per_image")
    slices = results.tumours(without).set_index("id")
    x = 100 * slices["dice"]
    y = 100 * results.tumours(with_it).set_index("id")["dice"].reindex(slices.index)
    clean = slices["clean"] == 1
    for chosen, name, colour, marker in (
        (~clean, "also in train", GREY, "x"),
        (clean, "clean", COLOURS["clean"], MARKERS["clean"]),
    ):
        both.plot(
            x[chosen],
            y[chosen],
            marker,
            color=colour,
            markersize=3,
            alpha=0.9 if marker == "x" else 0.5,
            markeredgewidth=0.6 if marker == "x" else 0,
            label=f"{name}, n = {int(chosen.sum()):,}",
        )
    both.plot([0, 100], [0, 100], "-", color="black", linewidth=0.8, zorder=0)
    both.set(
        title="Dice of each official tumour slice",
        xlabel=f"{without}, %",
        ylabel=f"{with_it}, %",
        aspect="equal",
    )
    legend_below(figure, [difference, both], 3)
    facts = {"model": with_it, "baseline": without, "images": images, "seeds": seeds}
    return Chart("attention", figure, facts)


def _seeds(ax: Axes, results: Results, pair: tuple[str, str], rows: Mapping[str, int]) -> bool:
    """The differences with each seed, as crosses below the row of their subset; False where there is one
    seed."""
    places = [
        (100 * difference, rows[subset] + 0.28)
        for subset, spread in over_seeds(results, MASK, *pair).items()
        if subset in rows
        for difference in spread.differences.values()
    ]
    for x, y in places:
        ax.plot(x, y, "x", color="black", markersize=5, label="one seed each")
    return bool(places)


def joint(results: Results, block: Record) -> Chart | None:
    """Joint less separate, like for like: a panel for each measure that was compared, a row for each joint
    model and subset. None without such a pair."""
    known = [head.published for head in HEADS.values()]
    entries = [
        (subset, entry)
        for subset in TEST_SUBSETS
        if subset in block.record("subsets")
        for entry in block.record("subsets").listed(subset)
        if entry["like_for_like"] and entry["measure"] in known and entry.number("difference") is not None
    ]
    if not entries:
        return None
    compared = {entry["measure"] for _, entry in entries}
    measures = [measure for measure in known if measure in compared]
    models = list(dict.fromkeys(entry["joint"] for _, entry in entries))
    figure = sheet(results, "Joint less separate, like for like", 1.6 + 0.7 * len(models))
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for ax, measure in zip(axes, measures, strict=True):
        for subset, entry in entries:
            if entry["measure"] != measure:
                continue
            y = models.index(entry["joint"]) + 0.24 * (TEST_SUBSETS.index(subset) - 1)
            value, low, high = (entry.number(key) for key in ("difference", "low", "high"))
            assert value is not None
            span(ax, value, low, high, y=y, subset=subset, label=f"ours, {subset}")
        published = block.record("published")
        gap = published.number(measure) if measure in published else None
        if gap is not None:
            label = "published" if not results.phantom else "published (BRISC 2025)"
            ax.axvline(100 * gap, color="black", linestyle="--", linewidth=1, label=label)
        _zero(ax)
        partner = ", ".join(
            dict.fromkeys(entry["separate"] for _, entry in entries if entry["measure"] == measure)
        )
        ax.set(title=f"less {partner}", xlabel=f"points of {measure}")
    name_rows(axes, models)
    legend_below(figure, list(axes), 4)
    images = {measure: _images(entries, measure) for measure in measures}
    return Chart("joint", figure, {"images": images})


def _images(entries: Sequence[tuple[str, Record]], measure: str) -> list[tuple[str, int]]:
    """How many images each subset holds of those that the measure is the mean of."""
    found = [(subset, entry.count("n")) for subset, entry in entries if entry["measure"] == measure]
    return list(dict.fromkeys(found))


def _zero(ax: Axes) -> None:
    ax.axvline(0, color=GREY, linewidth=1, zorder=0)
    ax.margins(x=0.1)
