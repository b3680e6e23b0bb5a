from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from brisc.reporting.figures import PHANTOM, Chart, charts, save
from brisc.reporting.results import read_results

Build = Callable[..., Path]


@pytest.fixture
def draw(published: Path) -> Callable[[Path], dict[str, Chart]]:
    def make(folder: Path) -> dict[str, Chart]:
        return {chart.name: chart for chart in charts(read_results(folder, profile="demo", published=published))}

    return make


def title(chart: Chart) -> str:
    return chart.figure.get_suptitle()


def test_every_phantom_chart_says_so_in_its_title(build: Build, draw: Callable[[Path], dict[str, Chart]]) -> None:
    drawn = draw(build(source="phantom", audit=True))
    assert len(drawn) >= 9
    assert all(PHANTOM in title(chart) for chart in drawn.values())


def test_no_chart_of_real_data_does(build: Build, draw: Callable[[Path], dict[str, Chart]]) -> None:
    assert not [chart.name for chart in draw(build(source="brisc2025", audit=True)).values() if "phantom" in title(chart)]


def test_every_axis_names_its_unit_or_what_is_counted(build: Build, draw: Callable[[Path], dict[str, Chart]]) -> None:
    drawn = draw(build(models=("unet", "attention_unet"), audit=True))
    axes = [ax for chart in drawn.values() for ax in chart.figure.axes]
    labels = {label for ax in axes for label in (ax.get_xlabel(), ax.get_ylabel()) if label}
    plain = {"epoch", "loss", "test images", "validation images", "similarity (no unit)"}
    assert {label for label in labels if "%" not in label} == plain


def test_the_best_epoch_and_the_lowered_rate_are_marked(build: Build, draw: Callable[[Path], dict[str, Chart]]) -> None:
    folder = build()
    pd.DataFrame(
        {
            "model": "unet", "epoch": [1, 2, 3, 4], "learning_rate": [1e-3, 1e-3, 5e-4, 5e-4], "train_loss": 1.0,
            "validation_loss": 1.0, "validation_dice": [0.1, 0.6, 0.5, 0.4], "best": [0, 1, 0, 0],
        }
    ).to_csv(folder / "history.csv", index=False)  # fmt: skip
    loss, score = draw(folder)["learning_curves"].figure.axes
    lines = {line.get_label(): line for line in score.get_lines()}
    star = lines["best epoch, weights kept"]
    assert np.asarray(star.get_xydata()).tolist() == [[2, 60]]
    assert [np.asarray(line.get_xydata())[0, 0] for line in loss.get_lines() if line.get_linestyle() == ":"] == [3]


def test_the_heatmap_holds_the_mean_and_n_of_each_cell(build: Build, draw: Callable[[Path], dict[str, Chart]]) -> None:
    folder = build()
    same = {"model": "unet", "split": "test", "official": 1, "clean": 1, "strict": 1, "pixels": 4096, "true_pixels": 40}
    same |= {"predicted_pixels": 40, "intersection": 20}
    rows = [("a", "glioma", "axial", 0.5), ("b", "glioma", "axial", 0.75), ("c", "pituitary", "coronal", 1.0)]
    pd.DataFrame([same | dict(zip(("id", "label", "plane", "dice"), row, strict=True)) for row in rows]).to_csv(
        folder / "per_image.csv", index=False
    )
    texts = [text.get_text() for text in draw(folder)["dice_heatmap"].figure.axes[0].texts]
    assert "62.5\nn = 2" in texts
    assert "100.0\nn = 1" in texts
    assert not [text for text in texts if "nan" in text]


@pytest.mark.parametrize("dice", [0.0, 1.0])
def test_a_model_that_is_always_wrong_or_right_is_drawn(
    build: Build, draw: Callable[[Path], dict[str, Chart]], tmp_path: Path, dice: float
) -> None:
    """One epoch, one size of tumour, one Dice: no axis, bin or scale may need a spread."""
    folder = build(epochs=1, images=24)
    path = folder / "per_image.csv"
    table = pd.read_csv(path)
    table[["true_pixels", "predicted_pixels", "dice"]] = [40, 40, dice]
    table["intersection"] = int(40 * dice)
    table.to_csv(path, index=False)
    for chart in draw(folder).values():
        save(chart, tmp_path)


def test_the_reader_s_own_style_changes_nothing(build: Build, draw: Callable[[Path], dict[str, Chart]], tmp_path: Path) -> None:
    folder = build()
    bytes_of = []
    for size in (10, 30):
        with mpl.rc_context({"font.size": size, "axes.grid": size == 30, "savefig.dpi": 40}):
            save(draw(folder)["class_mix"], tmp_path)
            bytes_of.append((tmp_path / "class_mix.png").read_bytes())
            assert mpl.rcParams["font.size"] == size
    assert bytes_of[0] == bytes_of[1]
