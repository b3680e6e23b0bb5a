"""Charts of the report: result files in, PNG out. One style for all; the same input gives the same bytes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from brisc.reporting.results import Record, Results
from brisc.reporting.tables import HEADS, official_tumours, with_head

PHANTOM = "phantom data: says nothing about patients"
WIDTH = 7.2  # inches: the text width of an A4 page

# Okabe and Ito's colours (seaborn's "colorblind") differ in lightness as well, and no two things differ by colour alone:
# lines also differ in dash, points in shape, bars in hatching.
BLUE, ORANGE, GREEN, RED, _, _, _, GREY, _, SKY = sns.color_palette("colorblind").as_hex()
COLOURS = {"official": BLUE, "clean": ORANGE, "strict": GREEN}
MARKERS = {"official": "o", "clean": "s", "strict": "^"}
HATCHES = {"official": "", "clean": "//", "strict": ".."}
DASHES = ["-", "--", ":", "-."]

# The lighter part of the scale, on which dark numbers stay readable.
SHADES = ListedColormap(sns.color_palette("Blues", 256)[:150])

STYLE = {
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper"),
    "font.family": "DejaVu Sans",  # carried by matplotlib, so the same on every machine
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.grid": True,
    "grid.alpha": 0.5,
    "grid.linewidth": 0.6,
    "figure.titlesize": 11,
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "savefig.dpi": 150,
    "svg.hashsalt": "brisc",
}


@dataclass(frozen=True)
class Chart:
    """A chart, the name of its file, and the caption that gives its units, its n and the subset it shows."""

    name: str
    caption: str
    figure: Figure


@contextmanager
def style() -> Iterator[None]:
    """The project's look, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def charts(results: Results) -> list[Chart]:
    """Every chart for which there is data, in the order of the report."""
    with style():
        drawn = [learning_curves(results)]
        if results.masks():
            drawn += [
                comparison(results), class_mix(results), dice_distribution(results), dice_heatmap(results), dice_by_size(results),
            ]  # fmt: skip
        if results.audit is not None:
            drawn += audit_charts(results, results.audit)
    return drawn


def save(chart: Chart, folder: Path) -> None:
    """folder/<name>.png, with nothing in it that depends on the time or the version of the software."""
    with style():
        chart.figure.savefig(folder / f"{chart.name}.png", metadata={"Software": None})


def _figure(results: Results, title: str, height: float, width: float = WIDTH) -> Figure:
    figure = Figure(figsize=(width, height))
    figure.suptitle(f"{title}\n{PHANTOM}" if results.phantom else title)
    return figure


# --------------------------------------------------------------------------------------------------------------- training


def learning_curves(results: Results) -> Chart:
    """A row for each model: losses on the left, the validation score on the right."""
    models = list(results.models)
    figure = _figure(results, "Learning curves", 0.6 + 2.1 * len(models))
    axes = figure.subplots(len(models), 2, squeeze=False, sharex="row")
    for model, (loss, score) in zip(models, axes, strict=True):
        history = results.history[results.history["model"] == model]
        best = history[history["best"] == 1]
        for column, name, dash, marker in (
            ("train_loss", "training", "-", "o"),
            ("validation_loss", "validation", "--", "s"),
        ):
            colour = GREY if column == "train_loss" else BLUE
            loss.plot(history["epoch"], history[column], dash, color=colour, label=name, **_points(history, marker))
        loss.set(title=f"{model}: loss", xlabel="epoch", ylabel="loss")
        loss.legend()
        for column, dash in zip(_scores(history), DASHES, strict=False):
            name = column.removeprefix("validation_")
            score.plot(history["epoch"], 100 * history[column], dash, color=BLUE, label=name, **_points(history, "s"))
            score.plot(best["epoch"], 100 * best[column], "*", color=RED, markersize=11, label="best epoch, weights kept")
        score.set(title=f"{model}: validation score", xlabel="epoch", ylabel="%")
        for ax in (loss, score):
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            _mark_rate_drops(ax, history)
        score.legend(loc="lower right")
    drops = any(len(_rate_drops(results.history[results.history["model"] == model])) > 0 for model in models)
    caption = (
        "Loss (no unit) and score on the validation images (Dice: mean per image, %) after each epoch; the star marks the epoch "
        "whose weights are kept. Training loss is measured on augmented images while the weights change, validation loss on "
        "images as they are."
    )
    if drops:
        caption += " Dotted upright lines: the learning rate was lowered."
    return Chart("learning_curves", caption, figure)


def _points(history: pd.DataFrame, marker: str) -> dict[str, str | int]:
    """Points where they help: a few epochs make a line of one or two pieces."""
    return {"marker": marker, "markersize": 4} if len(history) <= 30 else {}


def _scores(history: pd.DataFrame) -> list[str]:
    """The columns of validation scores that this model has."""
    names = [name for name in history if name.startswith("validation_") and name != "validation_loss"]
    return [name for name in names if history[name].notna().any()]


def _rate_drops(history: pd.DataFrame) -> pd.Series:
    return history["epoch"][history["learning_rate"].diff() < 0]


def _mark_rate_drops(ax: Axes, history: pd.DataFrame) -> None:
    for epoch in _rate_drops(history):
        ax.axvline(epoch, color=GREY, linestyle=":", linewidth=1, zorder=0)


# ------------------------------------------------------------------------------------------------------------- comparison


def comparison(results: Results) -> Chart:
    """Left the average that may be compared with the published one; right the per-image mean over the subsets."""
    head = HEADS["mask"]
    models = with_head(results, head)
    figure = _figure(results, "Dice on the test images, published and measured here", 1.7 + 0.75 * len(models))
    like, own = figure.subplots(1, 2, sharex=True, sharey=True)
    seen: dict[str, Record] = {}
    for row, model in enumerate(models):
        subsets = results.subsets(model)
        seen |= subsets
        published = results.published_scores(model, "test")
        theirs = published.number(head.compared) if head.compared in published else None
        if theirs is not None:
            label = "published" if not results.phantom else "published (BRISC 2025)"
            like.plot(100 * theirs, row, "D", color="black", fillstyle="none", label=label)
            _value(like, theirs, row, -12)
        _point(like, subsets["official"], head.compared, row, "official")
        for step, (subset, scores) in enumerate(subsets.items()):
            _point(own, scores, head.followed, row + 0.28 * (step - (len(subsets) - 1) / 2), subset)
    like.set(title="averaged as in the study", xlabel=f"{head.compared}, %", yticks=range(len(models)), yticklabels=models)
    own.set(title="mean per image, 95 % interval", xlabel=f"{head.followed}, %")
    like.set_ylim(len(models) - 0.5, -0.5)
    for ax in (like, own):
        ax.margins(x=0.15)
        ax.grid(False, axis="y")
        ax.tick_params(left=False)
    entries = {name: line for ax in (like, own) for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    n = ", ".join(f"{subset} {scores.count('n_pairs'):,}" for subset, scores in seen.items())
    caption = (
        f"Dice in % on the test images with a tumour (n: {n}). Left: `{head.compared}`, the only average that may stand beside "
        f"the published one, which has no interval. Right: `{head.followed}` with its 95 % interval where it has one."
    )
    return Chart("comparison", caption, figure)


def _point(ax: Axes, scores: Record, key: str, y: float, subset: str) -> None:
    value = scores.number(key)
    if value is None:
        return
    low = scores.number(f"{key}_low") if f"{key}_low" in scores else None
    high = scores.number(f"{key}_high") if f"{key}_high" in scores else None
    if low is not None and high is not None:
        ax.plot([100 * low, 100 * high], [y, y], color=COLOURS[subset], linewidth=1.6)
    ax.plot(100 * value, y, MARKERS[subset], color=COLOURS[subset], label=f"ours, {subset}")
    _value(ax, value, y)


def _value(ax: Axes, value: float, y: float, points_up: int = 5) -> None:
    ax.annotate(f"{100 * value:.2f}", (100 * value, y), (0, points_up), textcoords="offset points", ha="center", fontsize=7)


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
    figure = _figure(results, "Class mix of the subsets of the test images", 1.5 + 0.4 * len(mix))
    ax = figure.subplots()
    stacked_bars(ax, mix)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(mix["official"]))
    caption = "Share of each class in the subsets of the test images in %, with the number of images in the bars."
    return Chart("class_mix", caption, figure)


def stacked_bars(ax: Axes, parts: Mapping[str, Mapping[str, int]]) -> None:
    """Bars from 0 to 100 %, one for each key of `parts`, cut by the inner keys; counts are written where they fit."""
    names = list(next(iter(parts.values())))
    fills = zip([SKY, ORANGE, GREEN, "#dddddd", BLUE, RED], ["", "//", "..", "", "xx", "\\\\"], strict=True)
    left = np.zeros(len(parts))
    whole = np.array([max(1, sum(part.values())) for part in parts.values()])
    for name, (colour, hatch) in zip(names, fills, strict=False):
        counts = np.array([part[name] for part in parts.values()])
        shares = 100 * counts / whole
        bars = ax.barh(
            [f"{subset} (n = {sum(part.values()):,})" for subset, part in parts.items()], shares, left=left, color=colour,
            hatch=hatch, edgecolor="white", label=name,
        )  # fmt: skip
        texts = [f"{count:,}" if share >= 5 else "" for count, share in zip(counts, shares, strict=True)]
        for text in ax.bar_label(bars, texts, label_type="center"):
            text.set_bbox({"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.2})
        left += shares
    ax.invert_yaxis()
    ax.set(xlabel="share, %", xlim=(0, 100))
    ax.grid(False, axis="y")


# ------------------------------------------------------------------------------------------------------------------ audit


def audit_charts(results: Results, audit: Record) -> list[Chart]:
    drawn = [copies(results, audit), validation_leak(results, audit.record("split_leak"))]
    if "similarity" in audit:
        drawn.append(similarity(results, audit.record("similarity")))
    return drawn


def copies(results: Results, audit: Record) -> Chart:
    """Left the test images with a copy in train by relation, right by class."""
    by_relation = audit.record("test_with_copy_in_train_by_relation").content
    total, by_class = _total_apart(audit.record("test_with_copy_in_train"))
    height = 1.2 + 0.3 * max(len(by_relation), len(by_class))
    figure = _figure(results, "Test images whose slice is also in train", height)
    for ax, parts, title in zip(
        figure.subplots(1, 2, sharex=True), (by_relation, by_class), ("by relation", "by class"), strict=True
    ):
        _bars(ax, {name.replace("_", " "): n for name, n in parts.items()}, BLUE, "")
        ax.set(title=title, xlabel="test images")
    n = results.validation.record("images").count("test")
    caption = f"Number of test images whose slice is also in train ({total:,} of {n:,}), by relation and by class."
    return Chart("copies", caption, figure)


def _total_apart(record: Record) -> tuple[int, dict[str, int]]:
    return record.count("total"), {key: record.count(key) for key in record.keys if key != "total"}


def _bars(ax: Axes, lengths: Mapping[str, float], colour: str, hatch: str) -> None:
    bars = ax.barh(list(lengths), list(lengths.values()), color=colour, hatch=hatch, edgecolor="white")
    ax.bar_label(bars, [f"{length:,}" for length in lengths.values()], padding=2)
    ax.margins(x=0.15)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def validation_leak(results: Results, leak: Record) -> Chart:
    """What crosses from train to validation in a random and in a grouped split: every count of both."""
    random, grouped = leak.record("random"), leak.record("grouped")
    kinds = [key for key in random.keys if isinstance(random[key], int)]
    figure = _figure(results, "Leak between train and validation", 1.3 + 0.5 * len(kinds))
    ax = figure.subplots()
    for place, (split, name, colour, hatch) in zip(
        (-0.2, 0.2), ((random, "random", ORANGE, "//"), (grouped, "grouped", BLUE, "")), strict=True
    ):
        counts = [split.count(kind) for kind in kinds]
        bars = ax.barh(
            np.arange(len(kinds)) + place, counts, 0.36, color=colour, hatch=hatch, edgecolor="white", label=f"{name} split"
        )  # fmt: skip
        ax.bar_label(bars, [f"{count:,}" for count in counts], padding=2)
    ax.set(yticks=range(len(kinds)), yticklabels=[kind.replace("_", " ") for kind in kinds], xlabel="validation images")
    ax.margins(x=0.12)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    caption = "Numbers of validation images for two ways to split validation from train: all, and those that leak."
    return Chart("validation_leak", caption, figure)


def similarity(results: Results, histogram: Record) -> Chart:
    """How similar each test image's nearest train image is, and where the line for "the same slice" was drawn."""
    figure = _figure(results, "Similarity of each test image to its nearest train image", 2.8)
    ax = figure.subplots()
    edges = histogram["edges"]
    series = [key for key in histogram.keys if key not in ("edges", "threshold")]
    for name, (colour, filled, dash) in zip(
        series, [(SKY, True, "-"), ("black", False, "-"), (GREEN, False, "--")], strict=False
    ):
        ax.stairs(histogram[name], edges, fill=filled, color=colour, linestyle=dash, linewidth=1.4, label=name.replace("_", " "))
    threshold = histogram.number("threshold")
    if threshold is not None:
        ax.axvline(threshold, color=RED, linestyle=":", label=f"threshold, {threshold:g}")
    ax.set(xlabel="similarity (no unit)", ylabel="test images", yscale="log", xlim=(edges[0], edges[-1]))
    ax.set_ylim(bottom=0.5)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    caption = (
        "Test images by the similarity of the most similar train image, and of the most similar one of another class as a "
        "control (logarithmic axis of numbers); from the threshold on a pair counts as the same slice."
    )
    return Chart("similarity", caption, figure)


# ----------------------------------------------------------------------------------------------------------------- errors


def dice_distribution(results: Results) -> Chart:
    """A row for each model, a panel for each class: histograms of per-image Dice, official filled, clean as a line."""
    models = results.masks()
    labels = results.subsets(models[0])["official"].record("by_class").keys
    figure = _figure(results, "Per-image Dice by class", 0.9 + 1.9 * len(models))
    axes = figure.subplots(len(models), len(labels), squeeze=False, sharex=True, sharey="row")
    bins = np.linspace(0, 1, 21)
    for model, row in zip(models, axes, strict=True):
        tumours = official_tumours(results, model)
        for label, ax in zip(labels, row, strict=True):
            official = tumours[tumours["label"] == label]
            clean = official[official["clean"] == 1]
            for rows, name, look in (
                (official, "official", {"facecolor": SKY, "edgecolor": "white"}),
                (clean, "clean", {"histtype": "step", "edgecolor": "black", "linewidth": 1.3}),
            ):
                if len(rows) > 0:
                    weights = np.full(len(rows), 100 / len(rows))
                    ax.hist(100 * rows["dice"], bins=100 * bins, weights=weights, label=name, **look)
            ax.set_title(f"{model}, {label}\nn = {len(official):,}, clean {len(clean):,}")
        row[0].set_ylabel("share of images, %")
    for ax in axes[-1]:
        ax.set_xlabel("Dice, %")
    axes[0][0].legend(loc="upper left")
    caption = (
        "Distribution of per-image Dice in % over the official test images with a tumour (filled) and over those of them that "
        "are in clean (line), in steps of 5 points; n is in the titles. The bar at the left end holds the missed tumours."
    )
    return Chart("dice_distribution", caption, figure)


def dice_heatmap(results: Results) -> Chart:
    """A panel for each model: mean per-image Dice by class and plane, with n."""
    models = results.masks()
    columns = min(2, len(models))
    lines = -(-len(models) // columns)
    figure = _figure(results, "Dice by class and plane", 0.9 + 2.0 * lines, width=WIDTH if columns > 1 else 4.6)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    tables = {model: _class_by_plane(official_tumours(results, model)) for model in models}
    lowest = min((means.min(axis=None) for means, _ in tables.values() if means.notna().any(axis=None)), default=0)
    for ax, (model, (means, n)) in zip(axes, tables.items(), strict=False):
        text = means.map(lambda mean: "" if np.isnan(mean) else f"{mean:.1f}") + n.map(lambda count: f"\nn = {count:,}")
        sns.heatmap(
            means, ax=ax, annot=text, fmt="", cmap=SHADES, vmin=np.floor(lowest / 10) * 10, vmax=100, linewidths=1,
            cbar_kws={"label": "Dice, %"},
        )  # fmt: skip
        ax.set(title=model, xlabel="", ylabel="")
        ax.tick_params(left=False, bottom=False, labelrotation=0)
    for ax in axes[len(models) :]:
        ax.set_axis_off()
    caption = "Mean per-image Dice in % by class and plane over the official test images with a tumour; n is their number."
    return Chart("dice_heatmap", caption, figure)


def _class_by_plane(tumours: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean Dice in % and number of images, classes down and planes across; 0 images leave a NaN mean."""
    cells = tumours.groupby(["label", "plane"])["dice"]
    n = cells.size().unstack(fill_value=0)
    return 100 * cells.mean().unstack().reindex_like(n), n


def dice_by_size(results: Results) -> Chart:
    """A panel for each model: Dice of each tumour against its area, and the median over bins of equal n."""
    models = results.masks()
    columns = min(2, len(models))
    lines = -(-len(models) // columns)
    figure = _figure(results, "Dice against tumour size", 0.9 + 2.6 * lines)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    looks = list(zip([BLUE, ORANGE, GREEN, RED], "os^D", strict=True))
    for ax, model in zip(axes, models, strict=False):
        tumours = official_tumours(results, model)
        tumours = tumours[tumours["true_pixels"] > 0]
        area = 100 * tumours["true_pixels"] / tumours["pixels"]
        for label, (colour, marker) in zip(sorted(set(tumours["label"])), looks, strict=False):
            chosen = tumours["label"] == label
            ax.plot(
                area[chosen], 100 * tumours["dice"][chosen], marker, color=colour, markersize=3.5, alpha=0.6,
                markeredgewidth=0, label=label,
            )  # fmt: skip
        bins = pd.qcut(area, min(8, max(1, len(area) // 5)), duplicates="drop")
        middle = area.groupby(bins, observed=True).median()
        ax.plot(
            middle, 100 * tumours["dice"].groupby(bins, observed=True).median(), "-", color="black", linewidth=1.5,
            label=f"median of {len(middle)} bins of equal n",
        )  # fmt: skip
        ax.set(title=f"{model}, n = {len(tumours):,}", xscale="log", xlabel="tumour area, % of the image", ylabel="Dice, %")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.label_outer()
    for ax in axes[len(models) :]:
        ax.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, markerscale=2)
    caption = (
        "Per-image Dice in % against the true tumour area in % of the image (logarithmic axis), one point for each official test "
        "image with a tumour."
    )
    return Chart("dice_by_size", caption, figure)
