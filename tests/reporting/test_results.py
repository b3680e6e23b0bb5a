from collections.abc import Callable
from pathlib import Path

import pytest

from brisc.errors import InputError
from brisc.reporting.results import Record, read_results

Build = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("metrics.json", "{", r"metrics\.json: not readable as JSON"),
        ("metrics.json", "[]", r"metrics\.json: not readable as a JSON object: got list"),
        ("metrics.json", "{}", r"metrics\.json: no models"),
        ("runs.json", "\udcff", r"runs\.json: not readable as UTF-8"),
        ("history.csv", "", r"history\.csv: not readable as a CSV table"),
        ("history.csv", "model,epoch\nunet,1\n", r"history\.csv: missing column learning_rate, train_loss"),
        ("per_image.csv", "model,id\nunet,a\n", r"per_image\.csv: missing column split, label"),
    ],
)
def test_unusable_files_are_named(build: Build, published: Path, name: str, content: str, told: str) -> None:
    folder = build()
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=told):
        read_results(folder, profile="demo", published=published)


def test_results_of_another_profile_are_refused(build: Build, published: Path) -> None:
    with pytest.raises(InputError, match="results of another profile: got demo, expected laptop"):
        read_results(build(), profile="laptop", published=published)


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


def test_published_percents_become_fractions(build: Build, published: Path) -> None:
    results = read_results(build(), profile="demo", published=published)
    assert results.published_scores("unet", "test").number("dice_study") == pytest.approx(0.8822)
    assert results.published_scores("bifpn_unet", "test").keys == ()
