from collections.abc import Callable
from pathlib import Path

import pytest
from result_files import FIVE, edit

from brisc.analysis.results import Record, Results, read_results
from brisc.errors import InputError
from brisc.vocabulary import HEADS

Build = Callable[..., Path]
Read = Callable[[Path], Results]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("metrics.json", "{", r"metrics\.json: not readable as JSON"),
        ("metrics.json", "[]", r"metrics\.json: not readable as a JSON object: got list"),
        ("metrics.json", "{}", r"runs\.json: no models"),
        ("runs.json", "\udcff", r"runs\.json: not readable as UTF-8"),
        ("comparisons.json", "{", r"comparisons\.json: not readable as JSON"),
        ("grid.json", '{"cells": [{}]}', r"grid_history\.csv: no such result file"),
        ("history.csv", "", r"history\.csv: not readable as a CSV table"),
        ("history.csv", "run,epoch\nunet,1\n", r"history\.csv: missing column learning_rate, train_loss"),
        ("per_image/unet.csv", "id\na\n", r"unet\.csv: missing column split, label"),
        (
            "per_image/unet.csv",
            "id,split,label,plane,official,clean,strict\n",
            r"unet\.csv: missing column true_pixels",
        ),
    ],
)
def test_unusable_files_are_named(build: Build, read: Read, name: str, content: str, told: str) -> None:
    folder = build()
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=told):
        read(folder)


def test_images_of_a_model_that_names_classes_need_what_it_said(build: Build, read: Read) -> None:
    folder = build(models=("mobilenetv2",))
    path = folder / "per_image" / "mobilenetv2.csv"
    path.write_text(path.read_text().replace(",predicted", ",else"))
    with pytest.raises(InputError, match=r"mobilenetv2\.csv: missing column predicted"):
        read(folder)


def test_a_model_without_its_images_is_told(build: Build, read: Read) -> None:
    folder = build(models=("unet", "joint"))
    (folder / "per_image" / "joint.csv").unlink()
    with pytest.raises(InputError, match=r"joint\.csv: no such result file"):
        read(folder)


def test_results_of_another_profile_are_refused(build: Build, published: Path) -> None:
    folder = build()
    estimate = folder.parent / "paper" / "estimate.json"
    with pytest.raises(InputError, match="results of another profile: got demo, expected laptop"):
        read_results(folder, profile="laptop", published=published, estimate=estimate)


def test_what_a_profile_leaves_out_is_not_there(build: Build, read: Read, five: Path) -> None:
    little, much = read(build()), read(five)
    assert little.grid is None
    assert much.grid is not None
    assert (little.recipes, len(much.recipes)) == ((), 1)


def test_a_model_with_another_seed_is_no_model(five: Path, read: Read) -> None:
    results = read(five)
    assert results.models == FIVE
    assert "unet-43" in results.metrics


def test_studies_without_rows_are_left_out(copied: Path, read: Read) -> None:
    edit(copied / "recipes.json", lambda content: content["studies"][0].update(rows=[]))
    assert read(copied).recipes == ()


def test_heads_are_told_by_what_was_measured(read: Read, five: Path) -> None:
    results = read(five)
    assert results.masks() == ("unet", "attention_unet", "joint")
    assert results.labels() == ("mobilenetv2", "densenet121", "joint")
    assert results.heads("joint") == (HEADS["mask"], HEADS["label"])


def test_a_model_without_a_known_metric_is_told(build: Build, read: Read) -> None:
    folder = build()
    edit(folder / "metrics.json", lambda metrics: metrics["unet"]["official"].pop("dice_study"))
    with pytest.raises(InputError, match=r"metrics\.json, unet, official: no known metric"):
        read(folder)


def test_null_and_nan_are_both_undefined() -> None:
    record = Record({"null": None, "nan": float("nan"), "zero": 0}, "metrics.json")
    assert record.number("null") is None
    assert record.number("nan") is None
    assert record.number("zero") == 0


@pytest.mark.parametrize("value", ["0.5", True, float("inf"), [0.5]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"metrics\.json: bad value of 'dice'"):
        Record({"dice": value}, "metrics.json").number("dice")


@pytest.mark.parametrize("value", [None, 1.5, True, "3"])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="expected a whole number"):
        Record({"n": value}, "metrics.json").count("n")


@pytest.mark.parametrize("value", [None, {}, [1], ["a"]])
def test_what_is_no_list_of_objects_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="expected a list of objects"):
        Record({"pairs": value}, "comparisons.json").listed("pairs")


def test_an_entry_of_a_list_knows_its_place() -> None:
    entry = Record({"pairs": [{}, {"a": 1}]}, "comparisons.json").listed("pairs")[1]
    with pytest.raises(InputError, match=r"comparisons\.json, pairs 1: no key 'b'"):
        entry["b"]


def test_published_percents_become_fractions(build: Build, read: Read) -> None:
    results = read(build())
    assert results.published_scores("unet", "test").number("dice_study") == pytest.approx(0.8822)
    assert results.published_scores("bifpn_unet", "test").keys == ()
    assert results.published_scores("a net of ours", "test").keys == ()
