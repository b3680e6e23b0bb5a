"""The look of every chart, and what a chart is: a figure, its name, and the numbers of its caption."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from brisc.analysis.results import Results

PHANTOM = "phantom data: says nothing about patients"
WIDTH = 7.2  # inches: the text width of an A4 page

# Okabe and Ito's colours (seaborn's "colorblind") differ in lightness as well, and no two things differ by
# colour alone: lines also differ in dash, points in shape, bars in hatching.
BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, PINK, GREY, YELLOW, SKY = sns.color_palette("colorblind").as_hex()
COLOURS = {"official": BLUE, "clean": ORANGE, "strict": GREEN, "validation": GREY}
MARKERS = {"official": "o", "clean": "s", "strict": "^", "validation": "v"}
DASHES = ["-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1))]

# One look for each model, by its place in the list of models; two markers more than colours, so that the
# eleventh is not the first.
MODEL_COLOURS = [BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, PINK, GREY, YELLOW, SKY]
MODEL_MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "*", "d"]

INK = "#222222"  # of numbers on shades

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
    """A chart, the name of its file and of the macro in templates/captions.jinja that says what it shows, and
    the numbers which that needs."""

    name: str
    figure: Figure
    facts: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def style() -> Iterator[None]:
    """The project's look, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def save(chart: Chart, folder: Path) -> None:
    """folder/<name>.png, with nothing in it that depends on the time or the version of the software."""
    with style():
        chart.figure.savefig(folder / f"{chart.name}.png", metadata={"Software": None})


def sheet(results: Results, title: str, height: float, width: float = WIDTH) -> Figure:
    """An empty figure, height and width in inches; phantoms are named in its title."""
    figure = Figure(figsize=(width, height))
    figure.suptitle(f"{title}\n{PHANTOM}" if results.phantom else title)
    return figure


def panels(
    results: Results, title: str, count: int, *, columns: int, height: float, share: bool
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels in rows of at most `columns`, each `height` inches; share: one pair of axes
    for all."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = sheet(results, title, 0.9 + height * rows, width=min(WIDTH, 4.6 if columns == 1 else WIDTH))
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share).ravel())
    for ax in axes[count:]:
        ax.set_axis_off()
    return figure, axes[:count]


def label_outer(axes: Sequence[Axes]) -> None:
    """Numbers and names of the axes of `panels` on the left and below each column, also where the last row
    does not reach."""
    spec = axes[0].get_subplotspec()
    assert spec is not None
    columns = spec.get_gridspec().ncols
    for i, ax in enumerate(axes):
        left, lowest = i % columns == 0, i + columns >= len(axes)
        ax.tick_params(which="both", labelleft=left, labelbottom=lowest)
        if not left:
            ax.set_ylabel("")
        if not lowest:
            ax.set_xlabel("")


def look(results: Results, model: str) -> tuple[str, str]:
    """(colour, marker) of a model, the same in every chart."""
    place = results.models.index(model)
    return MODEL_COLOURS[place % len(MODEL_COLOURS)], MODEL_MARKERS[place % len(MODEL_MARKERS)]


def name_rows(axes: Sequence[Axes], names: Sequence[str]) -> None:
    """One row for each name, the first on top; axes: panels beside each other that share the rows."""
    axes[0].set(yticks=range(len(names)), yticklabels=names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    for ax in axes:
        ax.grid(False, axis="y")
        ax.tick_params(left=False)


def span(
    ax: Axes, value: float, low: float | None, high: float | None, *, y: float, subset: str, label: str
) -> None:
    """A point at a fraction, in %, with its interval as a line through it, in the look of a subset."""
    if low is not None and high is not None:
        ax.plot([100 * low, 100 * high], [y, y], color=COLOURS[subset], linewidth=1.6)
    ax.plot(100 * value, y, MARKERS[subset], color=COLOURS[subset], label=label, markersize=5)


def bar_beside(figure: Figure, panel: Axes, label: str) -> None:
    """One bar beside all panels, which share their shades with the heat map in `panel`; the panels stay
    equally wide."""
    bar = figure.colorbar(panel.collections[0], ax=figure.axes, label=label, fraction=0.04, aspect=25)
    bar.outline.set_visible(False)


def legend_below(figure: Figure, axes: Sequence[Axes], columns: int) -> None:
    """One legend for all axes, each entry once."""
    entries = {name: line for ax in axes for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    if entries:
        figure.legend(
            entries.values(), entries.keys(), loc="outside lower center", ncols=min(columns, len(entries))
        )
