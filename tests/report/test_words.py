import pytest

from brisc.analysis.findings import Span
from brisc.report import words
from brisc.report.cells import MINUS, percent, signed_points


@pytest.mark.parametrize(
    ("names", "told"),
    [([], "none"), (["a"], "`a`"), (["a", "b"], "`a` and `b`"), (["a", "b", "c"], "`a`, `b` and `c`")],
)
def test_lists_in_words(names: list[str], told: str) -> None:
    assert words.named(names) == told


def test_spans_name_both_ends_once() -> None:
    assert words.span(Span(0.25, 0.5), percent) == "25.00 to 50.00"
    assert words.span(Span(0.5, 0.50001), percent) == "50.00"
    assert words.span(Span(-0.1, 0.1), signed_points) == f"{MINUS}10.00 to +10.00"
    assert words.span(None, percent) == "not defined"


@pytest.mark.parametrize(("seconds", "told"), [(90, "90 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_told_in_a_unit_that_fits(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


def test_one_is_singular() -> None:
    assert words.number_of(1, "seed") == "1 seed"
    assert words.number_of(0, "seed") == "0 seeds"
    assert words.number_of(1200, "seed") == "1,200 seeds"
