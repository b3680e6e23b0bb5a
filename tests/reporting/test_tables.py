from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from brisc.reporting import tables
from brisc.reporting.results import Results, read_results

Build = Callable[..., Path]


@pytest.fixture
def read(published: Path) -> Callable[[Path], Results]:
    return lambda folder: read_results(folder, profile="demo", published=published)


def with_images(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Replace per_image.csv by these rows, all of the official test set."""
    same = {"model": "unet", "split": "test", "plane": "axial", "official": 1, "clean": 1, "strict": 1, "pixels": 4096}
    pd.DataFrame([same | row for row in rows]).to_csv(folder / "per_image.csv", index=False)
    return folder


def test_worst_cases_by_dice_then_size_then_id(build: Build, read: Callable[[Path], Results]) -> None:
    tumour = {"label": "glioma", "predicted_pixels": 5, "intersection": 0, "dice": 0.0}
    folder = with_images(
        build(),
        [
            {**tumour, "id": "d", "true_pixels": 50, "dice": 0.9, "intersection": 5},
            {**tumour, "id": "c", "true_pixels": 40},
            {**tumour, "id": "b", "true_pixels": 40, "clean": 0},
            {**tumour, "id": "a", "true_pixels": 9},
            {**tumour, "id": "of a healthy head", "label": "no_tumor", "true_pixels": 0},
        ],
    )
    table = tables.worst_cases(read(folder), "unet", rows=3)
    assert [row[0] for row in table.rows] == ["`b`", "`c`", "`a`"]
    assert [row[3] for row in table.rows] == ["no", "yes", "yes"]
    assert "the 3 official test images of lowest Dice, of 4 with a tumour" in table.caption


def test_missed_tumours_are_counted_by_class(build: Build, read: Callable[[Path], Results]) -> None:
    found = {"label": "glioma", "true_pixels": 9, "predicted_pixels": 9, "intersection": 9, "dice": 1.0}
    folder = with_images(
        build(),
        [
            {**found, "id": "a"},
            {**found, "id": "b", "predicted_pixels": 0, "intersection": 0},
            {**found, "id": "c", "label": "pituitary", "intersection": 0},
            {**found, "id": "d", "label": "pituitary", "official": 0, "split": "validation", "intersection": 0},
        ],
    )
    assert tables.missed(read(folder), "unet").rows == [
        ["glioma", "2", "1", "0"],
        ["meningioma", "0", "0", "0"],
        ["pituitary", "1", "0", "1"],
        ["all", "3", "1", "1"],
    ]
