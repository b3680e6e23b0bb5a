"""Charts of the data: class mix of the subsets, and what the audit found."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from brisc.analysis.results import Record, Results
from brisc.report.figures.style import BLUE, GREEN, ORANGE, RED, SKY, Chart, sheet


def class_mix(results: Results) -> Chart:
    """One bar for each subset, cut by class."""
    subsets = results.subsets(results.masks()[0])
    mix = {
        subset: {
            **{label: block.count("n") for label, block in scores.record("by_class").records().items()},
            "healthy": scores.record("false_alarms").count("n"),
        }
        for subset, scores in subsets.items()
    }
    figure = sheet(results, "Class mix of the subsets of the test images", 1.5 + 0.4 * len(mix))
    ax = figure.subplots()
    stacked_bars(ax, mix)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(mix["official"]))
    return Chart("class_mix", figure)


def stacked_bars(ax: Axes, parts: Mapping[str, Mapping[str, int]]) -> None:
    """Bars from 0 to 100 %, one for each key of `parts`, cut by the inner keys; counts are written where they
    fit."""
    names = list(next(iter(parts.values())))
    fills = zip([SKY, ORANGE, GREEN, "#dddddd", BLUE, RED], ["", "//", "..", "", "xx", "\\\\"], strict=True)
    left = np.zeros(len(parts))
    whole = np.array([max(1, sum(part.values())) for part in parts.values()])
    for name, (colour, hatch) in zip(names, fills, strict=False):
        counts = np.array([part[name] for part in parts.values()])
        shares = 100 * counts / whole
        bars = ax.barh(
            [f"{subset} (n = {sum(part.values()):,})" for subset, part in parts.items()],
            shares,
            left=left,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=name,
        )
        texts = [f"{count:,}" if share >= 5 else "" for count, share in zip(counts, shares, strict=True)]
        for text in ax.bar_label(bars, texts, label_type="center"):
            text.set_bbox({"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.2})
        left += shares
    ax.invert_yaxis()
    ax.set(xlabel="share, %", xlim=(0, 100))
    ax.grid(False, axis="y")


def audit_charts(results: Results, audit: Record) -> list[Chart]:
    return [
        copies(results, audit),
        validation_leak(results, audit.record("split_leak")),
        similarity(results, audit.record("similarity")),
    ]


def copies(results: Results, audit: Record) -> Chart:
    """Left the test images with a copy in train by relation, right by class."""
    by_relation = audit.record("test_with_copy_in_train_by_relation").content
    total, by_class = _total_apart(audit.record("test_with_copy_in_train"))
    height = 1.2 + 0.3 * max(len(by_relation), len(by_class))
    figure = sheet(results, "Test images whose slice is also in train", height)
    left, right = figure.subplots(1, 2, sharex=True)
    _bars(left, by_relation, "by relation")
    _bars(right, by_class, "by class")
    images = results.validation.record("images").count("test")
    return Chart("copies", figure, {"copied": total, "images": images})


def _total_apart(record: Record) -> tuple[int, dict[str, int]]:
    return record.count("total"), {key: record.count(key) for key in record.keys if key != "total"}


def _bars(ax: Axes, counts: Mapping[str, int], title: str) -> None:
    names = [name.replace("_", " ") for name in counts]
    bars = ax.barh(names, list(counts.values()), color=BLUE, hatch="", edgecolor="white")
    ax.bar_label(bars, [f"{count:,}" for count in counts.values()], padding=2)
    ax.set(title=title, xlabel="test images")
    ax.margins(x=0.15)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def validation_leak(results: Results, leak: Record) -> Chart:
    """What crosses from train to validation in a random and in a grouped split: every count of both."""
    random = leak.record("random")
    kinds = [key for key in random.keys if isinstance(random[key], int)]
    figure = sheet(results, "Leak between train and validation", 1.3 + 0.5 * len(kinds))
    ax = figure.subplots()
    for name, place, colour, hatch in (("random", -0.2, ORANGE, "//"), ("grouped", 0.2, BLUE, "")):
        counts = [leak.record(name).count(kind) for kind in kinds]
        bars = ax.barh(
            np.arange(len(kinds)) + place,
            counts,
            0.36,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=f"{name} split",
        )
        ax.bar_label(bars, [f"{count:,}" for count in counts], padding=2)
    ax.set(
        yticks=range(len(kinds)),
        yticklabels=[kind.replace("_", " ") for kind in kinds],
        xlabel="validation images",
    )
    ax.margins(x=0.12)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Chart("validation_leak", figure)


def similarity(results: Results, histogram: Record) -> Chart:
    """How similar each test image's nearest train image is, and where the line for "the same slice" was
    drawn."""
    figure = sheet(results, "Similarity of each test image to its nearest train image", 2.8)
    ax = figure.subplots()
    edges = histogram["edges"]
    series = [key for key in histogram.keys if key not in ("edges", "threshold")]
    for name, (colour, filled, dash) in zip(
        series, [(SKY, True, "-"), ("black", False, "-"), (GREEN, False, "--")], strict=False
    ):
        ax.stairs(
            histogram[name],
            edges,
            fill=filled,
            color=colour,
            linestyle=dash,
            linewidth=1.4,
            label=name.replace("_", " "),
        )
    threshold = histogram.number("threshold")
    if threshold is not None:
        ax.axvline(threshold, color=RED, linestyle=":", label=f"threshold, {threshold:g}")
    ax.set(xlabel="similarity (no unit)", ylabel="test images", yscale="log", xlim=(edges[0], edges[-1]))
    ax.set_ylim(bottom=0.5)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    images = results.validation.record("images").count("test")
    return Chart("similarity", figure, {"images": images})
