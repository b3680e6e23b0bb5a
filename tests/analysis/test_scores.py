"""Tables of validation scores."""

import pandas as pd
import pytest

from brisc.analysis.scores import measure_name, rounded


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["dice", "score"], "dice"),
        (["accuracy", "score"], "accuracy"),
        (["dice", "accuracy", "score"], "score"),
    ],
)
def test_a_score_is_called_after_the_only_head(columns: list[str], name: str) -> None:
    assert measure_name([pd.DataFrame(columns=columns)]) == name


def test_without_tables_it_is_the_mean_over_heads() -> None:
    assert measure_name([]) == "score"


def test_numbers_have_six_digits() -> None:
    assert (rounded(2 / 3), rounded(None)) == (0.666667, None)
