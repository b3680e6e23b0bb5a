"""Charts of the grid of optimisers and learning rates."""

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from brisc.analysis.grid_cells import GridCell, cells, published_score, scored
from brisc.analysis.results import GridResult, Results
from brisc.report.cells import setting
from brisc.report.figures.style import (
    BLUE,
    DASHES,
    GREY,
    INK,
    SHADES,
    Chart,
    label_outer,
    legend_below,
    panels,
    sheet,
)
from brisc.report.words import MEASURES

# Dash and marker of the lines, which differ in lightness too.
LINES = list(zip(DASHES, "os^Dv", strict=True))


def grid_charts(results: Results, grid: GridResult) -> list[Chart]:
    ranked = [ranking(results, grid)] if scored(grid) else []
    return [heatmap(results, grid), *ranked, curves(results, grid)]


def heatmap(results: Results, grid: GridResult) -> Chart:
    """Optimisers down, rates across; cells that may be the best are starred; in brackets the study's."""
    optimizers, rates = grid.summary["optimizers"], [float(rate) for rate in grid.summary["learning_rates"]]
    figure = sheet(
        results, f"Grid: best validation {_measure(grid)} of each cell", 1.3 + 0.5 * len(optimizers)
    )
    ax = figure.subplots()
    values = pd.DataFrame(np.nan, index=optimizers, columns=rates)
    texts = pd.DataFrame("", index=optimizers, columns=rates)
    for cell in cells(grid):
        values.loc[cell.optimizer, cell.learning_rate] = np.nan if cell.score is None else 100 * cell.score
        texts.loc[cell.optimizer, cell.learning_rate] = _text(cell, published_score(results, cell))
    values.columns = texts.columns = pd.Index([setting(rate) for rate in rates])
    ours = [100 * cell.score for cell in cells(grid) if cell.score is not None]
    low, high = (10 * np.floor(min(ours) / 10), 10 * np.ceil(max(ours) / 10)) if ours else (0, 100)
    sns.heatmap(
        values,
        ax=ax,
        annot=texts,
        fmt="",
        cmap=SHADES,
        vmin=low,
        vmax=high,
        linewidths=1,
        annot_kws={"color": INK},
        cbar_kws={"label": f"{_measure(grid)}, %"},
    )
    # Seaborn writes nothing into empty cells.
    for row, column in zip(*np.nonzero(values.isna().to_numpy()), strict=True):
        ax.annotate(texts.iloc[row, column], (column + 0.5, row + 0.5), ha="center", va="center", color=INK)
    ax.set(xlabel="learning rate (no unit)", ylabel="")
    ax.grid(False)
    ax.tick_params(left=False, bottom=False, labelrotation=0)
    study = results.published.record("grid").count("epochs")
    known = any(published_score(results, cell) is not None for cell in cells(grid))
    return Chart("grid_heatmap", figure, {**_facts(results, grid), "study_epochs": study if known else None})


def _text(cell: GridCell, published: float | None) -> str:
    theirs = "" if published is None else f"\n({100 * published:.1f})"
    if cell.score is None:
        return f"diverged{theirs}"
    star = " *" if cell.may_be_best else ""
    later = "" if cell.diverged_at is None else "\ndiverged later"
    return f"{100 * cell.score:.1f}{star}{later}{theirs}"


def _measure(grid: GridResult) -> str:
    return MEASURES[grid.summary["measure"]]


def _facts(results: Results, grid: GridResult) -> dict[str, Any]:
    """images: None where the model of the grid is not among the models."""
    model = grid.summary["model"]
    images = results.runs.record(model).count("validation_images") if model in results.models else None
    return {"model": model, "epochs": grid.summary["epochs"], "measure": _measure(grid), "images": images}


def ranking(results: Results, grid: GridResult) -> Chart:
    """A row for each cell, the highest score first, with its interval and the ranks it may have."""
    ranked = scored(grid)
    figure = sheet(results, "Grid: cells by score", 1.5 + 0.2 * len(ranked))
    ax = figure.subplots()
    for row, cell in enumerate(ranked):
        assert cell.score is not None
        colour, marker, name = (
            (BLUE, "o", "may be the best") if cell.may_be_best else (GREY, "s", "another is better")
        )
        if cell.low is not None and cell.high is not None:
            ax.plot([100 * cell.low, 100 * cell.high], [row, row], color=colour, linewidth=1.6)
        ax.plot(100 * cell.score, row, marker, color=colour, markersize=4.5, label=name)
        if cell.first is not None and cell.last is not None:
            ranks = f"{cell.first}" if cell.first == cell.last else f"{cell.first} to {cell.last}"
            ax.annotate(ranks, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    ax.annotate(
        "rank", (1.01, -1), xycoords=("axes fraction", "data"), va="center", fontsize=7, annotation_clip=False
    )
    ax.set(
        yticks=range(len(ranked)),
        yticklabels=[f"{cell.optimizer}, {setting(cell.learning_rate)}" for cell in ranked],
        xlabel=f"validation {_measure(grid)}, %",
    )
    ax.set_ylim(len(ranked) - 0.4, -0.6)
    ax.tick_params(left=False, axis="y", labelsize=7)
    ax.grid(False, axis="y")
    legend_below(figure, [ax], 2)
    return Chart("grid_ranking", figure, _facts(results, grid))


def curves(results: Results, grid: GridResult) -> Chart:
    """A panel for each optimiser, a line for each rate."""
    optimizers, rates = grid.summary["optimizers"], [float(rate) for rate in grid.summary["learning_rates"]]
    columns = 2 if len(optimizers) in (2, 4) else 3
    figure, axes = panels(
        results, "Grid: validation score by epoch", len(optimizers), columns=columns, height=2.0, share=True
    )
    shades = sns.color_palette("viridis", len(rates)).as_hex()
    for ax, optimizer in zip(axes, optimizers, strict=True):
        own = grid.history[grid.history["optimizer"] == optimizer]
        for rate, colour, (dash, marker) in zip(rates, shades, cycle(LINES), strict=False):
            cell = own[np.isclose(own["learning_rate"], rate)]
            ax.plot(
                cell["epoch"],
                100 * cell["validation_score"],
                linestyle=dash,
                marker=marker,
                markersize=3,
                color=colour,
                label=setting(rate),
            )
        ax.set(title=optimizer, xlabel="epoch", ylabel=f"{_measure(grid)}, %")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    label_outer(axes)
    legend_below(figure, axes, len(rates))
    return Chart("grid_curves", figure, _facts(results, grid))
