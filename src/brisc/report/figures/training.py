"""Learning curves of all models."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from brisc.analysis.results import Results
from brisc.report.figures.style import BLUE, GREEN, GREY, ORANGE, RED, Chart, legend_below, sheet

# The columns of history.csv by what they are called, with their look.
LOSSES = {
    "train_loss": ("training loss", GREY, "-", "o"),
    "validation_loss": ("validation loss", BLUE, "--", "s"),
}
SCORES = {
    "validation_dice": ("Dice", GREEN, "-", "^"),
    "validation_accuracy": ("accuracy", ORANGE, "--", "D"),
}


def learning_curves(results: Results) -> Chart:
    """Two panels for each model, losses and validation scores; two models in a row where there are more than
    three."""
    models = list(results.models)
    across = 1 if len(models) <= 3 else 2
    rows = -(-len(models) // across)
    figure = sheet(results, "Learning curves", 1.0 + (2.0 if across == 1 else 1.45) * rows)
    axes = figure.subplots(rows, 2 * across, squeeze=False)
    pairs = axes.reshape(-1, 2)
    drops = False
    for model, (loss, score) in zip(models, pairs, strict=False):
        history = results.history[results.history["run"] == model]
        best = history[history["best"] == 1]
        for column, (name, colour, dash, marker) in LOSSES.items():
            loss.plot(
                history["epoch"], history[column], dash, color=colour, label=name, **_points(history, marker)
            )
        for column, (name, colour, dash, marker) in SCORES.items():
            if column in history and history[column].notna().any():
                score.plot(
                    history["epoch"],
                    100 * history[column],
                    dash,
                    color=colour,
                    label=name,
                    **_points(history, marker),
                )
                score.plot(
                    best["epoch"],
                    100 * best[column],
                    "*",
                    color=RED,
                    markersize=9,
                    label="best epoch, weights kept",
                )
        loss.set_title(results.shown(model), loc="left", fontsize=9)
        loss.set_ylabel("loss")
        score.set_ylabel("validation, %")
        for ax in (loss, score):
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
            drops |= _mark_rate_drops(ax, history)
    for pair in pairs[len(models) :]:
        for ax in pair:
            ax.set_axis_off()
    for ax in pairs[max(0, len(models) - across) : len(models)].ravel():  # the lowest of each column
        ax.set_xlabel("epoch")
    legend_below(figure, list(pairs[: len(models)].ravel()), 5)
    images = sorted({results.runs.record(model).count("validation_images") for model in models})
    return Chart("learning_curves", figure, {"images": images, "drops": drops})


def _points(history: pd.DataFrame, marker: str) -> dict[str, str | float]:
    """Points where they help: a few epochs make a line of one or two pieces."""
    return {"marker": marker, "markersize": 2.8} if len(history) <= 30 else {}


def _mark_rate_drops(ax: Axes, history: pd.DataFrame) -> bool:
    """A line where the rate fell after having been held; a rate that changes in every epoch is a schedule and
    not marked."""
    change = history["learning_rate"].diff()
    drops = history["epoch"][change < 0]
    if len(drops) > len(history) / 2:
        return False
    for epoch in drops:
        ax.axvline(epoch, color=GREY, linestyle=":", linewidth=1, zorder=0)
    return len(drops) > 0
