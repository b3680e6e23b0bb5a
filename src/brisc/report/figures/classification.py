"""Charts of classification: confusion matrices and reliability."""

import numpy as np
import pandas as pd
import seaborn as sns

from brisc.analysis.results import Record, Results
from brisc.report.figures.style import (
    BLUE,
    INK,
    ORANGE,
    SHADES,
    Chart,
    bar_beside,
    label_outer,
    legend_below,
    panels,
)


def confusion(results: Results) -> Chart:
    """A panel for each model: counts, shaded by their share of the true class."""
    models = results.labels()
    columns = min(3, len(models))
    figure, axes = panels(
        results, "Confusion on the official test images", len(models), columns=3, height=2.35, share=False
    )
    for i, (ax, model) in enumerate(zip(axes, models, strict=True)):
        rows = results.subsets(model)["official"].record("confusion").records()
        counts = pd.DataFrame({true: row.content for true, row in rows.items()}).T
        shares = 100 * counts.div(counts.sum(axis=1).replace(0, 1), axis=0)
        names = [name.replace("_", " ") for name in counts.columns]
        sns.heatmap(
            shares,
            ax=ax,
            annot=counts.map(lambda n: f"{n:,}"),
            fmt="",
            cmap=SHADES,
            vmin=0,
            vmax=100,
            linewidths=1,
            cbar=False,
            yticklabels=names if i % columns == 0 else False,
            annot_kws={"fontsize": 7, "color": INK},
        )
        ax.set(title=results.shown(model), xlabel="predicted", ylabel="true" if i % columns == 0 else "")
        ax.tick_params(left=False, bottom=False)
        ax.set_xticks(ax.get_xticks(), names, rotation=35, ha="right", rotation_mode="anchor")
    bar_beside(figure, axes[0], "share of the true class, %")
    n = results.subsets(models[0])["official"].count("n_images")
    return Chart("confusion", figure, {"images": n})


def reliability(results: Results) -> Chart:
    """A panel for each model: accuracy against confidence, as trained and after temperature scaling."""
    models = results.labels()
    figure, axes = panels(
        results, "Reliability on the official test images", len(models), columns=3, height=2.3, share=True
    )
    for ax, model in zip(axes, models, strict=True):
        official = results.subsets(model)["official"]
        ax.plot([0, 100], [0, 100], "-", color="black", linewidth=0.8, zorder=0)
        for key, name, colour, marker in (
            ("reliability", "as trained", BLUE, "o"),
            ("reliability_scaled", "after temperature scaling", ORANGE, "s"),
        ):
            bins = _filled(official, key)
            ax.scatter(
                bins["confidence"],
                bins["accuracy"],
                s=_areas(bins["n"]),
                color=colour,
                marker=marker,
                label=name,
                alpha=0.8,
            )
        ece, scaled = official.number("ece"), official.number("ece_scaled")
        errors = (
            "" if ece is None or scaled is None else f"\nECE {100 * ece:.1f} %, scaled {100 * scaled:.1f} %"
        )
        ax.set(
            title=f"{results.shown(model)}{errors}",
            xlabel="confidence, %",
            ylabel="accuracy, %",
            xlim=(0, 103),
            ylim=(-3, 103),
        )
        ax.title.set_fontsize(8)
    label_outer(axes)
    legend_below(figure, axes, 2)
    official = results.subsets(models[0])["official"]
    facts = {"images": official.count("n_images"), "bins": len(official.listed("reliability"))}
    return Chart("reliability", figure, facts)


def _filled(official: Record, key: str) -> pd.DataFrame:
    """Bins that hold images: mean confidence and accuracy in %, and n."""
    rows = [
        {
            "confidence": entry.number("confidence"),
            "accuracy": entry.number("accuracy"),
            "n": entry.count("n"),
        }
        for entry in official.listed(key)
        if entry.count("n") > 0
    ]
    table = pd.DataFrame(rows, columns=["confidence", "accuracy", "n"]).astype(float)
    table[["confidence", "accuracy"]] *= 100
    return table


def _areas(n: pd.Series) -> np.ndarray:
    return np.asarray(6 + 54 * n / max(1.0, float(n.sum())), dtype=float)
