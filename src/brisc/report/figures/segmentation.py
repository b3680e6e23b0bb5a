"""Charts of segmentation."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import LogLocator, NullFormatter

from brisc.analysis.findings.scores import ASKED
from brisc.analysis.results import Results
from brisc.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    SHADES,
    SKY,
    Chart,
    bar_beside,
    label_outer,
    legend_below,
    name_rows,
    panels,
    sheet,
    span,
)


def size_strata(results: Results) -> Chart:
    """A panel for each stratum of tumour size, a row for each model."""
    models = results.masks()
    first = results.subsets(models[0])
    sizes = first["official"].record("by_size").keys
    figure = sheet(results, "Dice by tumour size", 1.3 + 0.42 * len(models))
    axes = figure.subplots(1, len(sizes), sharex=True, sharey=True)
    for ax, size in zip(axes, sizes, strict=True):
        for row, model in enumerate(models):
            subsets = [(name, scores) for name, scores in results.subsets(model).items() if name in ASKED]
            for step, (subset, scores) in enumerate(subsets):
                record = scores.record("by_size").record(size)
                value, low, high = (record.number(key) for key in ("dice_per_image", "low", "high"))
                if value is not None:
                    y = row + 0.3 * (step - (len(subsets) - 1) / 2)
                    span(ax, value, low, high, y=y, subset=subset, label=subset)
        n = ", ".join(
            f"{name} {scores.record('by_size').record(size).count('n'):,}"
            for name, scores in first.items()
            if name in ASKED
        )
        ax.set(title=f"{size} (n: {n})", xlabel="Dice, %")
        ax.title.set_fontsize(8)
    name_rows(axes, [results.shown(model) for model in models])
    legend_below(figure, list(axes), 2)
    return Chart("dice_by_stratum", figure)


def dice_distribution(results: Results) -> Chart:
    """A row for each model, a panel for each class: histograms of per-image Dice, official filled, clean as a
    line."""
    models = results.masks()
    labels = results.subsets(models[0])["official"].record("by_class").keys
    figure = sheet(results, "Per-image Dice by class", 1.0 + (1.9 if len(models) < 3 else 1.2) * len(models))
    axes = figure.subplots(len(models), len(labels), squeeze=False, sharex=True, sharey=True)
    bins = np.linspace(0, 100, 21)
    for model, row in zip(models, axes, strict=True):
        tumours = results.tumours(model)
        for label, ax in zip(labels, row, strict=True):
            official = tumours[tumours["label"] == label]
            clean = official[official["clean"] == 1]
            for rows, name, looks in (
                (official, "official", {"facecolor": SKY, "edgecolor": "white"}),
                (clean, "clean", {"histtype": "step", "edgecolor": "black", "linewidth": 1.2}),
            ):
                if len(rows) > 0:
                    ax.hist(
                        100 * rows["dice"],
                        bins=bins,
                        weights=np.full(len(rows), 100 / len(rows)),
                        label=name,
                        **looks,
                    )
            if ax in axes[0]:
                ax.set_title(f"{label}\nn = {len(official):,}, clean {len(clean):,}")
        row[0].set_ylabel(f"{results.shown(model)}\nimages, %", fontsize=8)
    for ax in axes[-1]:
        ax.set_xlabel("Dice, %")
    legend_below(figure, list(axes.ravel()), 2)
    return Chart("dice_distribution", figure)


def dice_heatmap(results: Results) -> Chart:
    """A panel for each model: mean per-image Dice by class and plane, with n."""
    models = results.masks()
    figure, axes = panels(results, "Dice by class and plane", len(models), columns=3, height=1.9, share=False)
    tables = {model: _class_by_plane(results.tumours(model)) for model in models}
    lowest = min(
        (means.min(axis=None) for means, _ in tables.values() if means.notna().any(axis=None)), default=0
    )
    columns = min(3, len(models))
    for i, (ax, (model, (means, n))) in enumerate(zip(axes, tables.items(), strict=True)):
        text = means.map(lambda mean: "" if np.isnan(mean) else f"{mean:.1f}") + n.map(
            lambda count: f"\nn = {count:,}"
        )
        sns.heatmap(
            means,
            ax=ax,
            annot=text,
            fmt="",
            cmap=SHADES,
            vmin=np.floor(lowest / 10) * 10,
            vmax=100,
            linewidths=1,
            cbar=False,
            yticklabels=i % columns == 0,
            annot_kws={"fontsize": 7, "color": INK},
        )
        ax.set(title=results.shown(model), xlabel="", ylabel="")
        ax.tick_params(left=False, bottom=False, labelrotation=0)
    bar_beside(figure, axes[0], "Dice, %")
    return Chart("dice_heatmap", figure)


def _class_by_plane(tumours: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean Dice in % and number of images, classes down and planes across; 0 images leave a NaN mean."""
    cells = tumours.groupby(["label", "plane"])["dice"]
    n = cells.size().unstack(fill_value=0)
    return 100 * cells.mean().unstack().reindex_like(n), n


def dice_by_size(results: Results) -> Chart:
    """A panel for each model: Dice of each tumour against its area, and the median over bins of equal n."""
    models = results.masks()
    columns = 2 if len(models) < 5 else 3
    figure, axes = panels(
        results, "Dice against tumour size", len(models), columns=columns, height=2.2, share=True
    )
    looks = list(zip([BLUE, ORANGE, GREEN, RED], "os^D", strict=True))
    for ax, model in zip(axes, models, strict=True):
        tumours = results.tumours(model)
        tumours = tumours[tumours["true_pixels"] > 0]
        area = 100 * tumours["true_pixels"] / tumours["pixels"]
        for label, (colour, marker) in zip(sorted(set(tumours["label"])), looks, strict=False):
            chosen = tumours["label"] == label
            ax.plot(
                area[chosen],
                100 * tumours["dice"][chosen],
                marker,
                color=colour,
                markersize=3,
                alpha=0.5,
                markeredgewidth=0,
                label=label,
            )
        bins = pd.qcut(area, min(8, max(1, len(area) // 5)), duplicates="drop")
        middle = area.groupby(bins, observed=True).median()
        ax.plot(
            middle,
            100 * tumours["dice"].groupby(bins, observed=True).median(),
            "-",
            color="black",
            linewidth=1.5,
            label=f"median of {len(middle)} bins of equal n",
        )
        ax.set(
            title=f"{results.shown(model)}, n = {len(tumours):,}",
            xscale="log",
            xlabel="tumour area, % of the image",
            ylabel="Dice, %",
        )
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if columns < 3 else (1, 3)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    label_outer(axes)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4 if len(models) > 1 else 2,
        markerscale=2,
    )
    return Chart("dice_by_size", figure)
