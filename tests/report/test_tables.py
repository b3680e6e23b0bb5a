from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_files import edit

from brisc.analysis.results import Results
from brisc.report import tables
from brisc.report.cells import DASH, MINUS, Cell
from brisc.vocabulary import HEADS

Build = Callable[..., Path]
Read = Callable[[Path], Results]


def row(table: tables.scores.Table, *start: str) -> list[Any]:
    return next(list(row) for row in table.rows if tuple(row[: len(start)]) == start)


def cell(table: tables.scores.Table, name: str, *start: str) -> Any:
    return row(table, *start)[list(table.header).index(name)]


def with_images(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Replace the images of `unet` by these rows, all of the official test set."""
    same = {"split": "test", "plane": "axial", "official": 1, "clean": 1, "strict": 1, "pixels": 4096}
    pd.DataFrame([same | row for row in rows]).to_csv(folder / "per_image" / "unet.csv", index=False)
    return folder


# --------------------------------------------------------------------------------
# results


def test_the_first_screen_gives_letters_and_keeps_the_order_of_the_list(copied: Path, read: Read) -> None:
    letters = {"mobilenetv2": ["a"], "densenet121": ["b"], "joint": ["a", "b"]}

    def plant(comparisons: Any) -> None:
        for standing in comparisons["heads"]["label"]["subsets"]["official"]["order"]:
            standing["letters"] = letters[standing["model"]]

    edit(copied / "comparisons.json", plant)
    table = tables.scores.headline(read(copied), HEADS["label"])
    assert [row[0] for row in table.rows] == ["`mobilenetv2`", "`densenet121`", "`joint`"]
    assert [row[3] for row in table.rows] == ["a", "b", "a b"]
    assert table.header[2:6] == ["official `accuracy`", "letters", "clean `accuracy`", "letters"]


def test_a_joint_net_stands_in_the_tables_of_both_heads(five: Path, read: Read) -> None:
    results = read(five)
    assert "`joint`" in [row[0] for row in tables.scores.headline(results, HEADS["mask"]).rows]
    names = [str(row[0]) for row in tables.scores.model_results(results, "joint").rows]
    assert any("`dice_study`" in name for name in names)
    assert any("`auroc_macro`" in name for name in names)


def test_the_gap_to_clean_is_given_in_both_mixes(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        metrics["unet"]["official"] |= {"dice_per_image": 0.8, "class_weighted": {"dice_per_image": 0.8}}
        metrics["unet"]["clean"] |= {"dice_per_image": 0.7, "class_weighted": {"dice_per_image": 0.75}}
        for subset in ("official", "clean"):
            for found in metrics["unet"][subset]["by_class"].values():
                found["n"] = 20

    edit(copied / "metrics.json", plant)
    table = tables.scores.class_weighted(read(copied))
    assert row(table, "`unet`", "as it is")[-1] == f"{MINUS}10.00"
    assert row(table, "`unet`", "in the official mix")[-1] == f"{MINUS}5.00"


# --------------------------------------------------------------------------------
# segmentation


@pytest.mark.parametrize(("images", "shown"), [(20, "70.0 [60.0, 80.0]"), (19, f"70.0 [{DASH}]")])
def test_few_images_have_no_interval(copied: Path, read: Read, images: int, shown: str) -> None:
    found = {"n": images, "dice_per_image": 0.7, "low": 0.6, "high": 0.8}
    edit(copied / "metrics.json", lambda m: m["unet"]["official"]["by_class"]["glioma"].update(found))
    cells = row(tables.segmentation.strata(read(copied), "by_class", "class"), "`unet`", "glioma")
    assert getattr(cells[3], "text", cells[3]) == shown


def test_the_hardest_images_by_mean_dice_then_size_then_id(build: Build, read: Read) -> None:
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
    table = tables.segmentation.hardest(read(folder), rows=3)
    assert [row[0] for row in table.rows] == ["`b`", "`c`", "`a`"]
    assert [row[3] for row in table.rows] == ["no", "yes", "yes"]
    assert "3 of the 4 official test images with a tumour" in table.caption


def test_the_hardest_images_are_hard_for_the_models_together(build: Build, read: Read) -> None:
    folder = build(models=("unet", "attention_unet"))
    tables_of = {
        "unet": [("a", 0.1), ("b", 0.9), ("c", 0.4)],
        "attention_unet": [("a", 0.9), ("b", 0.9), ("c", 0.2)],
    }
    for model, rows in tables_of.items():
        same = {
            "split": "test",
            "plane": "axial",
            "official": 1,
            "clean": 1,
            "strict": 1,
            "pixels": 9,
            "label": "glioma",
        }
        same |= {"true_pixels": 5, "predicted_pixels": 5, "intersection": 1}
        pd.DataFrame([same | {"id": name, "dice": dice} for name, dice in rows]).to_csv(
            folder / "per_image" / f"{model}.csv", index=False
        )
    table = tables.segmentation.hardest(read(folder), rows=2)
    assert [row[0] for row in table.rows] == ["`c`", "`a`"]  # means .3, .5, .9
    assert list(table.rows[0][-2:]) == ["40.0", "20.0"]


def test_missed_tumours_are_counted_by_class(build: Build, read: Read) -> None:
    found = {"label": "glioma", "true_pixels": 9, "predicted_pixels": 9, "intersection": 9, "dice": 1.0}
    folder = with_images(
        build(),
        [
            {**found, "id": "a"},
            {**found, "id": "b", "predicted_pixels": 0, "intersection": 0},
            {**found, "id": "c", "label": "pituitary", "intersection": 0},
            {
                **found,
                "id": "d",
                "label": "pituitary",
                "official": 0,
                "split": "validation",
                "intersection": 0,
            },
        ],
    )
    assert tables.segmentation.missed(read(folder)).rows == [
        ["`unet`", "glioma", "2", "1", "0"],
        ["`unet`", "meningioma", "0", "0", "0"],
        ["`unet`", "pituitary", "1", "0", "1"],
        ["`unet`", "all", "3", "1", "1"],
    ]


def test_false_positives_of_more_than_a_few_pixels(build: Build, read: Read) -> None:
    """12 of 4,096 pixels are less than .3 %, 13 are more; a tumour is no false positive."""
    tumour = {"label": "glioma", "true_pixels": 9, "intersection": 9, "dice": 1.0}
    healthy = {"label": "no_tumor", "true_pixels": 0, "intersection": 0, "dice": 0.0}
    seen = [{**healthy, "id": f"h{n}", "predicted_pixels": n} for n in (0, 12, 13, 400)]
    folder = with_images(build(), [{**tumour, "id": "t", "predicted_pixels": 900}, *seen])
    table = tables.segmentation.false_positives(read(folder))
    assert cell(table, "of 0.3 % of the image or more", "`unet`", "official") == "2"
    assert cell(table, "of 0.3 % of the image or more", "`unet`", "validation") == "0"


# --------------------------------------------------------------------------------
# classification


def test_scores_of_a_class_stand_beside_the_published_f1(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        label = metrics["densenet121"]["official"]["by_label"]["glioma"]
        label |= {"n": 254, "precision": 0.9712, "recall": None, "auroc": 0.9987}
        label |= {"f1": 0.9655, "f1_low": 0.951, "f1_high": 0.9775}

    edit(copied / "metrics.json", plant)
    table = tables.classification.per_class(read(copied))
    assert row(table, "`densenet121`", "glioma")[2:8] == [
        "254",
        "97.1",
        Cell(DASH, "no such images"),
        "97.5",
        "96.5 [95.1, 97.8]",
        "0.999",
    ]
    assert row(table, "`mobilenetv2`", "glioma")[5] == Cell(DASH, "not published with this definition")


def test_an_interval_of_a_class_is_shown_where_there_is_one(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        metrics["densenet121"]["official"]["by_label"]["glioma"] |= {
            "f1": 0.9,
            "f1_low": 0.85,
            "f1_high": 0.95,
        }

    edit(copied / "metrics.json", plant)
    assert (
        cell(tables.classification.per_class(read(copied)), "F1", "`densenet121`", "glioma")
        == "90.0 [85.0, 95.0]"
    )


def test_the_confusion_has_the_true_class_down(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        metrics["densenet121"]["official"]["confusion"]["glioma"] = {
            "glioma": 240,
            "meningioma": 1200,
            "no_tumor": 3,
            "pituitary": 0,
        }

    edit(copied / "metrics.json", plant)
    assert row(tables.classification.confusion(read(copied)), "`densenet121`", "glioma")[2:] == [
        "240",
        "1,200",
        "3",
        "0",
    ]


def test_calibration_is_told_before_and_after_the_temperature(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        metrics["densenet121"]["temperature"] = 1.534
        metrics["densenet121"]["clean"] |= {
            "n_images": 409,
            "accuracy": 0.9,
            "ece": 0.081,
            "ece_scaled": 0.0234,
        }

    edit(copied / "metrics.json", plant)
    found = row(tables.classification.calibration(read(copied)), "`densenet121`", "clean")
    assert found == ["`densenet121`", "clean", "409", "90.00", "8.10", "2.34", "1.534"]


def test_confident_mistakes_are_those_with_least_on_the_true_class(build: Build, read: Read) -> None:
    folder = build(models=("mobilenetv2",))
    same = {"split": "test", "plane": "axial", "official": 1, "clean": 1, "strict": 1, "label": "glioma"}
    same |= {"p_no_tumor": 0, "p_pituitary": 0}
    rows = [
        {"id": "sure and right", "p_glioma": 0.9, "p_meningioma": 0.1, "predicted": "glioma"},
        {"id": "sure and wrong", "p_glioma": 0.05, "p_meningioma": 0.95, "predicted": "meningioma"},
        {"id": "unsure", "p_glioma": 0.4, "p_meningioma": 0.6, "predicted": "meningioma"},
    ]
    pd.DataFrame([same | row for row in rows]).to_csv(folder / "per_image" / "mobilenetv2.csv", index=False)
    table = tables.classification.confident_mistakes(read(folder), rows=2)
    assert [row[0] for row in table.rows] == ["`sure and wrong`", "`unsure`"]
    assert list(table.rows[0][-2:]) == ["meningioma", "95.0"]


# ------------------------------------------------------------------------------------------- comparisons,
# grid and costs


def test_a_paired_test_stands_with_its_interval_and_p(copied: Path, read: Read) -> None:
    def plant(comparisons: Any) -> None:
        comparisons["heads"]["mask"]["subsets"]["official"]["pairs"][0] |= {
            "a": "unet",
            "b": "joint",
            "difference": 0.0213,
            "low": 0.001,
            "high": 0.04,
            "p_holm": 0.0312,
            "significant": True,
        }

    edit(copied / "comparisons.json", plant)
    table = tables.comparisons.pairs(read(copied), HEADS["mask"])
    assert row(table, "official", "`unet`", "`joint`")[4:] == ["+2.13 [+0.10, +4.00]", "0.031", "yes"]


def test_untested_pairs_have_a_dash_and_a_reason(copied: Path, read: Read) -> None:
    def plant(comparisons: Any) -> None:
        comparisons["heads"]["mask"]["subsets"]["official"]["pairs"][0] |= {
            "p_holm": None,
            "low": None,
            "high": None,
        }

    edit(copied / "comparisons.json", plant)
    first = tables.comparisons.pairs(read(copied), HEADS["mask"]).rows[0]
    assert isinstance(first[4], Cell)
    assert first[5] == Cell(DASH, "not tested: too few independent groups of slices")


def test_the_spread_over_seeds(five: Path, read: Read) -> None:
    comparisons = read(five).comparisons
    assert comparisons is not None
    table = tables.comparisons.seeds(comparisons.record("seeds"))
    assert table.header[3:] == ["seed 42", "seed 43", "mean", "sd, points"]
    assert row(table, "`attention_unet`", "official")[-1] == "1.41"


def test_a_joint_net_stands_between_the_separate_one_and_the_published_gap(copied: Path, read: Read) -> None:
    def plant(comparisons: Any) -> None:
        comparisons["joint_against_separate"]["subsets"]["official"][0] |= {
            "difference": -0.02,
            "low": -0.05,
            "high": 0.01,
        }

    edit(copied / "comparisons.json", plant)
    results = read(copied)
    assert results.comparisons is not None
    block = results.comparisons.record("joint_against_separate")
    table = tables.comparisons.joint(results, block, brief=False)
    first = table.rows[0]
    assert first[:5] == ["official", "`joint`", "`unet`", "yes", "`dice_study`"]
    assert first[8] == f"{MINUS}2.00 [{MINUS}5.00, +1.00]"
    assert first[10:] == [f"{MINUS}4.91"]
    brief = tables.comparisons.joint(results, block, brief=True)
    assert {row[0] for row in brief.rows} == {"official", "clean"}
    assert {row[2] for row in brief.rows} == {"`unet`", "`densenet121`"}
    assert {row[2] for row in table.rows} > {row[2] for row in brief.rows}


def test_the_cells_of_the_grid_with_their_ranks(five: Path, read: Read) -> None:
    grid = read(five).grid
    assert grid is not None
    table = tables.grid.ranking(grid)
    assert len(table.rows) == 20
    assert list(table.rows[0][:4]) == ["adam", "5e-05", "80.00 [77.00, 83.00]", "1 to 2"]
    assert row(table, "rmsprop", "0.001")[6] == "in epoch 1"
    assert row(table, "rmsprop", "0.001")[2] == Cell(DASH, "it diverged in its first epoch")


@pytest.mark.parametrize(
    ("measured", "shown"), [(True, "12.5"), (False, Cell(DASH, "not measured in this profile"))]
)
def test_what_a_model_costs(build: Build, read: Read, measured: bool, shown: str | Cell) -> None:
    table = tables.cost.size(read(build(measured=measured)))
    assert row(table, "`unet`")[:4] == ["`unet`", "1.94", "720", "7.8"]
    assert cell(table, "one image, ms", "`unet`") == shown


def test_what_all_trainings_cost(build: Build, read: Read) -> None:
    table = tables.cost.in_all(read(build(models=("unet", "attention_unet"), measured=True)))
    assert list(table.rows) == [
        ["models", "2", "6", "1,530", "2.8", "5.6"],  # 10,000 s on two threads
        ["the same with other seeds", "1", "3", "765", "0.3", "0.3"],  # 1,000 s on one
        ["in all", "3", "9", "2,295", "3.1", "5.8"],
    ]
    unknown = Cell(DASH, "not measured in this profile")
    assert row(tables.cost.in_all(read(build(measured=False))), "in all")[3:] == ["1,530", unknown, unknown]


@pytest.mark.parametrize(("measured", "shown"), [(True, "32-true"), (False, "bf16-mixed")])
def test_the_precision_is_the_computed_one_where_it_is_known_else_the_one_asked_for(
    build: Build, read: Read, measured: bool, shown: str
) -> None:
    assert cell(tables.cost.training(read(build(measured=measured))), "precision", "`unet`") == shown


def test_an_estimate_says_that_it_is_one(five: Path, read: Read) -> None:
    estimate = read(five).estimate
    assert estimate is not None
    table = tables.cost.estimate(estimate)
    assert table.caption.startswith("**Estimated by counting, not measured**")
    assert row(table, "`unet`")[1:] == [
        "31.00",
        "48,000",
        "32-true, 16 x 1",
        "7,206",
        "tight",
        "8 x 2: 3,900, fits",
        "16 x 1: 3,462, fits",
    ]
