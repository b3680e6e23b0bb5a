from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from result_files import FIVE, edit

from brisc.analysis.findings.grid import searched
from brisc.analysis.results import Results, read_results
from brisc.report.figures import (
    PHANTOM,
    Chart,
    charts,
    classification,
    grid,
    pairs,
    save,
    scores,
    segmentation,
    style,
    training,
)
from brisc.report.figures.style import look

Build = Callable[..., Path]
Read = Callable[[Path], Results]


@pytest.fixture(scope="module")
def drawn(made: Build, published: Path) -> dict[str, Chart]:
    """Every chart there is, of five models."""

    folder = made(source="phantom", models=FIVE, grid=True)
    results = read_results(
        folder, profile="demo", published=published, estimate=folder.parent / "paper" / "estimate.json"
    )
    return {chart.name: chart for chart in charts(results)}


def title(chart: Chart) -> str:
    return chart.figure.get_suptitle()


def test_there_is_a_chart_for_every_question(drawn: dict[str, Chart]) -> None:
    names = {"segmentation", "attention", "classification", "efficiency", "joint", "grid_heatmap", "copies"}
    assert names <= set(drawn)


def test_every_phantom_chart_says_so_in_its_title(drawn: dict[str, Chart]) -> None:
    assert [name for name, chart in drawn.items() if PHANTOM not in title(chart)] == []


def test_no_chart_of_real_data_does(build: Build, read: Read) -> None:
    results = read(build(source="brisc2025"))
    assert [chart.name for chart in charts(results) if "phantom" in title(chart)] == []


def test_every_axis_names_its_unit_or_what_is_counted(drawn: dict[str, Chart]) -> None:
    axes = [ax for chart in drawn.values() for ax in chart.figure.axes]
    labels = {label for ax in axes for label in (ax.get_xlabel(), ax.get_ylabel()) if label}
    assert {label for label in labels if "%" not in label and not label.startswith("points of ")} == {
        "epoch",
        "loss",
        "test images",
        "validation images",
        "similarity (no unit)",
        "learning rate (no unit)",
        "multiply-adds an image, million",
        "predicted",
        "true",
    }


def test_nothing_is_wider_than_the_page(drawn: dict[str, Chart]) -> None:
    assert [name for name, chart in drawn.items() if chart.figure.get_figwidth() > 7.2] == []
    assert [name for name, chart in drawn.items() if chart.figure.get_figheight() > 10] == []


def test_a_report_without_masks_has_no_chart_of_them(build: Build, read: Read) -> None:
    names = {chart.name for chart in charts(read(build(models=("mobilenetv2",))))}
    of_data = {"copies", "similarity", "validation_leak"}
    assert names == {"learning_curves", "classification", "confusion", "reliability", "efficiency"} | of_data


def test_the_best_epoch_and_the_lowered_rate_are_marked(build: Build, read: Read) -> None:
    folder = build()
    pd.DataFrame(
        {
            "run": "unet",
            "epoch": [1, 2, 3, 4],
            "learning_rate": [1e-3, 1e-3, 5e-4, 5e-4],
            "train_loss": 1.0,
            "validation_loss": 1.0,
            "validation_dice": [0.1, 0.6, 0.5, 0.4],
            "best": [0, 1, 0, 0],
        }
    ).to_csv(folder / "history.csv", index=False)
    chart = training.learning_curves(read(folder))
    loss, score = chart.figure.axes
    star = {line.get_label(): line for line in score.get_lines()}["best epoch, weights kept"]
    assert np.asarray(star.get_xydata()).tolist() == [[2, 60]]
    assert [
        np.asarray(line.get_xydata())[0, 0] for line in loss.get_lines() if line.get_linestyle() == ":"
    ] == [3]
    assert chart.facts["drops"]


def test_a_rate_that_falls_in_every_epoch_is_no_event(build: Build, read: Read) -> None:
    folder = build()
    history = pd.read_csv(folder / "history.csv")
    history["learning_rate"] = np.linspace(1e-3, 0, len(history))
    history.to_csv(folder / "history.csv", index=False)
    chart = training.learning_curves(read(folder))
    assert not [line for line in chart.figure.axes[0].get_lines() if line.get_linestyle() == ":"]
    assert not chart.facts["drops"]


def test_a_model_has_the_curves_of_its_heads_alone(drawn: dict[str, Chart], read: Read, five: Path) -> None:
    axes = drawn["learning_curves"].figure.axes
    curves = {
        axes[i].get_title(loc="left"): {line.get_label() for line in axes[i + 1].get_lines()}
        - {"best epoch, weights kept"}
        for i in range(0, 10, 2)
    }
    assert {"Dice"} == curves["unet"] - {label for label in curves["unet"] if label.startswith("_")}
    assert {"Dice", "accuracy"} <= curves["joint"]
    assert "Dice" not in curves["densenet121"]


def test_the_heatmap_holds_the_mean_and_n_of_each_cell(build: Build, read: Read) -> None:
    folder = build()
    same = {"split": "test", "official": 1, "clean": 1, "strict": 1, "pixels": 4096, "true_pixels": 40}
    same |= {"predicted_pixels": 40, "intersection": 20}
    rows = [("a", "glioma", "axial", 0.5), ("b", "glioma", "axial", 0.75), ("c", "pituitary", "coronal", 1.0)]
    pd.DataFrame(
        [same | dict(zip(("id", "label", "plane", "dice"), row, strict=True)) for row in rows]
    ).to_csv(folder / "per_image" / "unet.csv", index=False)
    texts = [text.get_text() for text in segmentation.dice_heatmap(read(folder)).figure.axes[0].texts]
    assert "62.5\nn = 2" in texts
    assert "100.0\nn = 1" in texts
    assert not [text for text in texts if "nan" in text]


@pytest.mark.parametrize(
    ("chart", "models"),
    [
        (segmentation.dice_heatmap, ("unet", "attention_unet", "bifpn_unet", "joint")),
        (classification.confusion, ("mobilenetv2", "efficientnet_b0", "densenet121", "joint")),
    ],
)
def test_panels_of_shades_stand_in_columns_with_one_bar(
    build: Build, read: Read, chart: Callable[[Results], Chart], models: tuple[str, ...]
) -> None:
    with style():
        figure = chart(read(build(models=models))).figure
        figure.draw_without_rendering()
    first, second, third, below, *empty, bar = (ax.get_position() for ax in figure.axes)
    assert len(empty) == 2
    assert below.x0 == pytest.approx(first.x0)
    assert [panel.width for panel in (second, third, below)] == pytest.approx([first.width] * 3)
    assert third.x0 - second.x1 == pytest.approx(second.x0 - first.x1)
    assert bar.x0 > third.x1


@pytest.mark.parametrize(
    ("chart", "models"),
    [
        (segmentation.dice_by_size, ("unet", "attention_unet", "bifpn_unet", "joint", "unet_healthy")),
        (classification.reliability, ("mobilenetv2", "efficientnet_b0", "densenet121", "joint")),
    ],
)
def test_a_column_is_labelled_where_the_last_row_does_not_reach(
    build: Build, read: Read, chart: Callable[[Results], Chart], models: tuple[str, ...]
) -> None:
    with style():
        figure = chart(read(build(models=models))).figure
        figure.draw_without_rendering()
    axes = figure.axes[: len(models)]
    numbered = [
        any(label.get_visible() and label.get_text() for label in ax.get_xticklabels()) for ax in axes
    ]
    lowest = [i + 3 >= len(models) for i in range(len(models))]
    assert numbered == [bool(ax.get_xlabel()) for ax in axes] == lowest
    assert [bool(ax.get_ylabel()) for ax in axes] == [i % 3 == 0 for i in range(len(models))]


def test_the_confusion_shows_counts(read: Read, five: Path) -> None:
    results = read(five)
    counts = results.subsets("densenet121")["official"].record("confusion").content
    texts = [text.get_text() for text in classification.confusion(results).figure.axes[1].texts]
    assert texts == [str(n) for row in counts.values() for n in row.values()]


def test_reliability_leaves_out_bins_without_images(read: Read, five: Path) -> None:
    results = read(five)
    official = results.subsets("mobilenetv2")["official"]
    filled = [100 * entry["confidence"] for entry in official.content["reliability"] if entry["n"] > 0]
    assert 1 < len(filled) < 15
    points = classification.reliability(results).figure.axes[0].collections[0].get_offsets()
    assert np.asarray(points)[:, 0].tolist() == pytest.approx(filled)


def test_published_figures_stand_at_the_official_row(read: Read, five: Path) -> None:
    results = read(five)
    like, own = scores.comparison(results, results.heads("unet")[0]).figure.axes
    diamonds = [
        np.asarray(line.get_xydata()).tolist()[0]
        for line in like.get_lines()
        if line.get_label() == "published"
    ]
    assert diamonds == [[pytest.approx(88.22), 0], [pytest.approx(87.83), 1]]
    assert not [line for line in own.get_lines() if line.get_label() == "published"]


def costs_drawn(results: Results) -> tuple[list[float], tuple[float, float]]:
    """Where the models that draw tumours stand on the axis of costs, and its limits."""
    ax = scores.efficiency(results).figure.axes[0]
    return [
        line.get_xdata()[0] for line in ax.get_lines() if not str(line.get_label()).startswith("_")
    ], ax.get_xlim()


def test_points_of_equal_cost_stand_side_by_side_at_that_cost(read: Read, copied: Path) -> None:
    edit(
        copied / "metrics.json",
        lambda metrics: [metrics[model]["cost"].update(macs=10**9) for model in metrics],
    )
    x, (low, high) = costs_drawn(read(copied))
    assert len(x) == 3
    assert x == pytest.approx([1000] * 3, rel=0.05)
    assert min(np.diff(np.log(x))) / np.log(high / low) > 0.02  # of the axis


def test_a_crowd_of_equal_costs_makes_room_for_a_neighbour(read: Read, copied: Path) -> None:
    def plant(metrics: Any) -> None:
        for model, macs in (("unet", 1.0e9), ("joint", 1.0e9), ("attention_unet", 1.04e9)):
            metrics[model]["cost"]["macs"] = macs

    edit(copied / "metrics.json", plant)
    x, (low, high) = costs_drawn(read(copied))
    unet, attention, joint = x
    assert unet < joint < attention
    assert x == pytest.approx([1000, 1040, 1000], rel=0.05)
    assert min(np.diff(np.log(sorted(x)))) / np.log(high / low) > 0.02  # of the axis


def test_costs_that_differ_by_little_are_drawn_as_they_are_and_look_alike(read: Read, copied: Path) -> None:
    def plant(metrics: Any) -> None:
        for model, macs in (("unet", 1.0e9), ("attention_unet", 1.1e9), ("joint", 1.2e9)):
            metrics[model]["cost"]["macs"] = macs

    edit(copied / "metrics.json", plant)
    x, (low, high) = costs_drawn(read(copied))
    assert x == pytest.approx([1000, 1100, 1200])
    assert high / low > 3


def test_the_difference_is_drawn_with_each_seed(read: Read, five: Path) -> None:
    results = read(five)
    comparisons = results.comparisons
    assert comparisons is not None
    ax = pairs.attention(results, ("attention_unet", "unet")).figure.axes[0]
    crosses = [(*line.get_xdata(), *line.get_ydata()) for line in ax.get_lines() if line.get_marker() == "x"]
    names = [label.get_text().split("\n")[0] for label in ax.get_yticklabels()]
    entries = comparisons.record("seeds").listed("pairs")
    assert [entry["subset"] for entry in entries] == names == ["official", "clean", "strict", "validation"]
    for i, entry in enumerate(entries):
        x = [-100 * value for value in entry.record("differences").content.values()]
        own = [cross for cross in crosses if i < cross[1] < i + 0.5]  # below its row
        assert [cross[0] for cross in own] == pytest.approx(x)
    assert len(crosses) == 8


def test_no_two_models_look_alike() -> None:
    names = [str(place) for place in range(60)]
    results: Any = SimpleNamespace(models=names)
    assert len({look(results, name) for name in names}) == 60


def test_the_grid_marks_what_may_be_best_and_what_diverged(read: Read, five: Path) -> None:
    results = read(five)
    assert results.grid is not None
    texts = [text.get_text() for text in grid.heatmap(results, results.grid).figure.axes[0].texts]
    study = [text.split("\n")[-1] for text in texts]
    assert [text.split("\n")[0] for text in texts if "*" in text] == ["80.0 *", "79.0 *"]
    assert [text for text in texts if text.startswith("diverged")] == ["diverged\n(72.9)"]
    assert study[:2] == ["(68.3)", "(78.6)"]  # adam at the two lowest rates, in the study's log


@pytest.mark.parametrize("dice", [0.0, 1.0])
def test_a_model_that_is_always_wrong_or_right_is_drawn(build: Build, read: Read, dice: float) -> None:
    """One epoch, one size of tumour, one Dice: no axis, bin or scale may need a spread."""
    folder = build(epochs=1, images=24)
    path = folder / "per_image" / "unet.csv"
    table = pd.read_csv(path)
    table[["true_pixels", "predicted_pixels", "dice"]] = [40, 40, dice]
    table["intersection"] = int(40 * dice)
    table.to_csv(path, index=False)
    results = read(folder)
    with style():
        for chart in (
            segmentation.dice_distribution(results),
            segmentation.dice_heatmap(results),
            segmentation.dice_by_size(results),
            training.learning_curves(results),
        ):
            chart.figure.draw_without_rendering()


def test_the_reader_s_own_style_changes_nothing(build: Build, read: Read, tmp_path: Path) -> None:
    results = read(build(models=("mobilenetv2",)))
    bytes_of = []
    for size in (10, 30):
        with mpl.rc_context({"font.size": size, "axes.grid": size == 30, "savefig.dpi": 40}):
            with style():
                chart = classification.confusion(results)
            save(chart, tmp_path)
            bytes_of.append((tmp_path / "confusion.png").read_bytes())
            assert mpl.rcParams["font.size"] == size
    assert bytes_of[0] == bytes_of[1]


def test_a_grid_that_diverged_everywhere_is_drawn(read: Read, copied: Path) -> None:
    def diverge(content: Any) -> None:
        for cell in content["cells"]:
            cell |= {
                "score": None,
                "low": None,
                "high": None,
                "epoch": None,
                "rank_first": None,
                "rank_last": None,
            }
            cell |= {"diverged_at": 1}

    edit(copied / "grid.json", diverge)
    results = read(copied)
    assert results.grid is not None
    with style():
        for chart in grid.grid_charts(results, results.grid):
            chart.figure.draw_without_rendering()
    texts = [text.get_text() for text in grid.heatmap(results, results.grid).figure.axes[0].texts]
    assert [text.split("\n")[0] for text in texts] == ["diverged"] * 20
    found = searched(results)
    assert found is not None
    assert (found.best, found.diverged) == (None, 20)


def test_a_grid_of_one_optimiser_is_drawn_and_told(read: Read, copied: Path) -> None:
    def keep_adam(content: Any) -> None:
        content["optimizers"] = ["adam"]
        content["cells"] = [cell for cell in content["cells"] if cell["optimizer"] == "adam"]

    edit(copied / "grid.json", keep_adam)
    table = pd.read_csv(copied / "grid_history.csv")
    table[table["optimizer"] == "adam"].to_csv(copied / "grid_history.csv", index=False)
    results = read(copied)
    assert results.grid is not None
    with style():
        charts = grid.grid_charts(results, results.grid)
        for chart in charts:
            chart.figure.draw_without_rendering()
    assert [label.get_text() for label in charts[0].figure.axes[0].get_yticklabels()] == ["adam"]
    found = searched(results)
    assert found is not None
    assert (found.optimizers, found.rates, found.cells) == (1, 5, 5)
