"""Charts of scores: all models of a head over the subsets, and score against cost."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from scipy.optimize import isotonic_regression

from brisc.analysis.results import Record, Results
from brisc.report.figures.style import (
    WIDTH,
    Chart,
    legend_below,
    look,
    name_rows,
    sheet,
    span,
)
from brisc.report.heads import DISPLAYS
from brisc.vocabulary import HEADS, Head

# The panels of each head are the two metrics that stand first; here their titles.
TITLES = {
    "dice_study": "averaged as in the study",
    "dice_per_image": "mean per image",
    "accuracy": "accuracy",
    "f1_macro": "F1, mean over the classes",
}
# The axis of costs spans at least this factor.
NARROWEST = 3.0


def comparison(results: Results, head: Head) -> Chart:
    """A row for each model with that head; published figures as diamonds, ours on each subset with
    intervals."""
    models, display = results.with_head(head), DISPLAYS[head.name]
    measure = display.measure[0].upper() + display.measure[1:]
    drawn = any(key in results.published_scores(model, "test") for model in models for key in display.shown)
    title = f"{measure} on the test images{', published and measured here' if drawn else ''}"
    figure = sheet(results, title, 1.5 + (0.75 if len(models) < 3 else 0.58) * len(models))
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for ax, key in zip(axes, display.shown, strict=True):
        only_official = key == head.published != head.primary  # beside the published figure alone
        for row, model in enumerate(models):
            subsets = {
                k: v for k, v in results.subsets(model).items() if k == "official" or not only_official
            }
            published = results.published_scores(model, "test")
            theirs = published.number(key) if key in published else None
            for step, (subset, scores) in enumerate(subsets.items()):
                y = row + 0.27 * (step - (len(subsets) - 1) / 2)
                _point(ax, scores, key, y, subset)
                if subset == "official" and theirs is not None:
                    label = "published" if not results.phantom else "published (BRISC 2025)"
                    ax.plot(
                        100 * theirs,
                        y,
                        "D",
                        color="black",
                        fillstyle="none",
                        markersize=7,
                        label=label,
                        zorder=1,
                    )
        ax.set(title=TITLES[key], xlabel=f"{key}, %")
        ax.margins(x=0.08)
    name_rows(axes, [results.shown(model) for model in models])
    legend_below(figure, list(axes), 4)
    first = results.subsets(models[0])
    images = [(subset, scores.count(head.images)) for subset, scores in first.items()]
    return Chart(display.task, figure, {"head": head, "images": images, "published": drawn})


def _point(ax: Axes, scores: Record, key: str, y: float, subset: str) -> None:
    value = scores.number(key)
    if value is None:
        return
    low, high = (
        scores.number(f"{key}_{end}") if f"{key}_{end}" in scores else None for end in ("low", "high")
    )
    span(ax, value, low, high, y=y, subset=subset, label=f"ours, {subset}")


def efficiency(results: Results) -> Chart:
    """Score against multiply-adds, a panel for each head; the area of a point grows with the number of
    parameters."""
    heads = [head for head in HEADS.values() if results.with_head(head)]
    figure = sheet(results, "Score against cost", 3.9, width=WIDTH if len(heads) > 1 else 4.6)
    axes = figure.subplots(1, len(heads), squeeze=False)[0]
    for ax, head in zip(axes, heads, strict=True):
        costs = {
            model: results.cost_of(model, "macs")
            for model in results.with_head(head)
            if results.subsets(model)["official"].number(head.primary) is not None
        }
        macs = {model: cost / 1e6 for model, cost in costs.items() if cost is not None}
        places = _apart(list(macs.values()))
        for model, x in zip(macs, places, strict=True):
            _at_cost(ax, results, model, head, x)
        n = results.subsets(results.with_head(head)[0])["official"].count(head.images)
        ax.set(
            title=f"{DISPLAYS[head.name].images}, official, n = {n:,}",
            xlabel="multiply-adds an image, million",
            ylabel=f"{head.primary}, %",
            xscale="log",
        )
        ax.margins(x=0.15, y=0.1)
        _show_a_span(ax, places)
        _log_ticks(ax)
    legend_below(figure, list(axes), 4)
    return Chart("efficiency", figure)


def _at_cost(ax: Axes, results: Results, model: str, head: Head, x: float) -> None:
    """The score of one model, with its interval, at `x`."""
    official, (colour, marker) = results.subsets(model)["official"], look(results, model)
    value, low, high = (official.number(f"{head.primary}{end}") for end in ("", "_low", "_high"))
    assert value is not None
    if low is not None and high is not None:
        ax.plot([x, x], [100 * low, 100 * high], color=colour, linewidth=1.4)
    known = {each: results.cost_of(each, "parameters") or 0 for each in results.models}
    size = _size(known[model], max(1, *known.values()))
    ax.plot(
        x, 100 * value, marker, color=colour, markersize=size, markeredgewidth=0, label=results.shown(model)
    )


def _show_a_span(ax: Axes, places: Sequence[float]) -> None:
    """Widen the axis where costs differ by little, so that it looks little."""
    if places and max(places) / min(places) < NARROWEST:
        centre, half = math.sqrt(min(places) * max(places)), 1.15 * math.sqrt(NARROWEST)
        ax.set_xlim(centre / half, centre * half)


def _log_ticks(ax: Axes) -> None:
    """Round numbers along the logarithmic axis, at least two of them."""
    low, high = ax.get_xlim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (
        (1,),
        (1, 3),
        (1, 2, 5),
        (1, 1.5, 2, 3, 5, 7),
        (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
    ):
        ticks = [
            step * 10**decade for decade in decades for step in steps if low <= step * 10**decade <= high
        ]
        if len(ticks) >= 3:
            break
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def _size(parameters: float, most: float) -> float:
    """Diameter in points, so that the area is the share of the largest net's parameters, as far as it can be
    seen."""
    return max(12 * math.sqrt(parameters / most), 4.0)


def _apart(costs: Sequence[float]) -> list[float]:
    """The costs in their order, as near to themselves as they can be with 3 % of the axis from one to the
    next."""
    logs = np.log(costs)
    if len(logs) == 0:
        return []
    step = 0.03 * max(float(np.ptp(logs)), math.log(NARROWEST))
    order = np.argsort(logs, kind="stable")
    room = step * np.arange(len(logs))
    logs[order] = isotonic_regression(logs[order] - room).x + room
    return [float(cost) for cost in np.exp(logs)]
