import pytest

from brisc.report import cells
from brisc.report.cells import DASH, MINUS, Cell, Table


def test_a_table_in_markdown() -> None:
    table = Table("caption", ["name", "n"], [["a|b", "1"], ["c", Cell(DASH, "lost")]])
    assert table.markdown().splitlines() == [
        "| name | n |",
        "| :-- | --: |",
        "| a\\|b | 1 |",
        f"| c | {DASH} |",
        "",
        f"{DASH}: lost.",
    ]


def test_columns_of_words_are_aligned_left_wherever_they_stand() -> None:
    table = Table("", ["name", "n", "why"], [["a", "1", "so"]], words=(2,))
    assert table.markdown().splitlines()[1] == "| :-- | --: | :-- |"


def test_several_reasons_get_a_letter_each() -> None:
    table = Table(
        "",
        ["a", "b", "c"],
        [["x", Cell(DASH, "lost"), Cell(DASH, "never had")], ["y", Cell(DASH, "lost"), "1"]],
    )
    assert table.markdown().splitlines()[2:] == [
        f"| x | {DASH}<sup>a</sup> | {DASH}<sup>b</sup> |",
        f"| y | {DASH}<sup>a</sup> | 1 |",
        "",
        f"{DASH}: <sup>a</sup> lost; <sup>b</sup> never had.",
    ]


@pytest.mark.parametrize(
    ("difference", "shown"),
    [(0.0123, "+1.23"), (-0.0123, f"{MINUS}1.23"), (0.00004, "0.00"), (-0.00004, "0.00")],
)
def test_differences_carry_their_sign(difference: float, shown: str) -> None:
    assert cells.signed_points(difference) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0.414, "41"), (-0.2, f"{MINUS}20"), (-0.001, "0"), (1.5, "150")]
)
def test_shares_in_whole_percent(share: float, shown: str) -> None:
    assert cells.whole_percent(share) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0004, "< 0.001"),
        (0.001, "0.001"),
        (0.05, "0.050"),
        (0.049992, "0.04999"),
        (0.0502, "0.0502"),
        (1.0, "1.000"),
    ],
)
def test_small_p_are_bounded_and_those_near_the_threshold_are_on_their_side(p: float, shown: str) -> None:
    assert cells.p_value(p) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([0.02, 0.1], "0.02 to 0.1"),
        ([512, 256], "512, 256"),
        ([0.5, 0.5], "0.5, 0.5"),
        ([6, 12, 24, 16], "6, 12, 24, 16"),
        (["mask", "label"], "mask, label"),
        (True, "yes"),
        (None, "not set"),
        (1e-5, "1e-05"),
        (16, "16"),
    ],
)
def test_a_setting_in_words(value: object, shown: str) -> None:
    assert cells.setting(value) == shown


def test_a_mean_without_an_interval_says_why() -> None:
    assert cells.with_interval(0.5, None, None, cells.percent, "?") == Cell(
        f"50.00 [{DASH}]", cells.NO_INTERVAL
    )
    assert cells.with_interval(None, None, None, cells.percent, "lost") == Cell(DASH, "lost")
    assert cells.with_interval(0.5, 0.25, 0.75, cells.percent, "?") == "50.00 [25.00, 75.00]"
