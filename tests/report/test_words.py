import pytest

from brisc.analysis.results import Record
from brisc.report import words
from brisc.report.cells import MINUS, percent, signed_points
from brisc.report.heads import HEADS


def scores(**numbers: float | int | None) -> Record:
    return Record(dict(numbers), "metrics.json, unet, official")


@pytest.mark.parametrize(
    ("names", "told"),
    [([], "none"), (["a"], "`a`"), (["a", "b"], "`a` and `b`"), (["a", "b", "c"], "`a`, `b` and `c`")],
)
def test_lists_in_words(names: list[str], told: str) -> None:
    assert words.named(names) == told or not names
    assert words.joined([f"`{name}`" for name in names]) == told


def test_spans_name_both_ends_once() -> None:
    assert words.span([0.5, None, 0.25], percent) == "25.00 to 50.00"
    assert words.span([0.5, 0.50001], percent) == "50.00"
    assert words.span([-0.1, 0.1], signed_points) == f"{MINUS}10.00 to +10.00"
    assert words.span([None], percent) == "not defined"


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"accuracy_low": 0.9, "accuracy_high": 0.97}, "95.00 % (n = 1,000, 95 % interval 90.00 to 97.00)"),
        ({"accuracy_low": None, "accuracy_high": None}, "95.00 % (n = 1,000, no interval)"),
        ({}, "95.00 % (n = 1,000, no interval)"),
    ],
)
def test_a_score_comes_with_its_n_and_interval(bounds: dict[str, float | None], told: str) -> None:
    assert words.measured(scores(accuracy=0.95, n_images=1000, **bounds), HEADS["label"]) == told


def test_an_undefined_score_is_told_with_its_n() -> None:
    assert words.measured(scores(accuracy=None, n_images=0), HEADS["label"]) == "not defined (n = 0)"


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        (0.0178, "1.78 points above it"),
        (-0.0322, "3.22 points below it"),
        (0.00001, "equal to it to two decimals"),
    ],
)
def test_which_side(difference: float, told: str) -> None:
    assert words.apart(difference, "it") == told


@pytest.mark.parametrize(("seconds", "told"), [(90, "90 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_told_in_a_unit_that_fits(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


def test_one_is_singular() -> None:
    assert words.number_of(1, "seed") == "1 seed"
    assert words.number_of(0, "seed") == "0 seeds"
    assert words.number_of(1200, "seed") == "1,200 seeds"


def test_the_knobs_that_a_reader_asks_for_first() -> None:
    run = Record(
        {
            "model": {"arch": "unet", "base_channels": 16, "levels": 5},
            "epochs": 15,
            "optimizer": {"name": "adam", "learning_rate": 1e-3},
        },
        "runs.json",
    )
    assert words.knobs(run) == "adam at a rate of 0.001, at most 15 epochs, base channels 16"
