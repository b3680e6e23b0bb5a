"""What contradicting copies cost, on four images by hand."""

import pandas as pd
import pytest
from made_runs import images

from brisc.analysis.conflicts import without_conflicts

# i004 is healthy, with a score that must not count.
TABLE = pd.concat(
    [
        images([0.8, 0.0, 0.6, 0.4], split="test"),
        images([1.0], split="test", first=4).assign(label="no_tumor"),
        images([0.1], split="validation", first=5),
    ],
    ignore_index=True,
)


def test_the_score_with_and_without_them() -> None:
    assert without_conflicts(TABLE, ["i001", "i004", "i005", "elsewhere"]) == pytest.approx(
        {
            "images": 4,
            "score": 0.45,  # (.8 + 0 + .6 + .4) / 4
            "left_out": 1,
            "score_of_these": 0.0,
            "score_without": 0.6,  # (.8 + .6 + .4) / 3
            "cost": 0.15,
        }
    )


def test_without_conflicts_nothing_is_left_out() -> None:
    found = without_conflicts(TABLE, [])
    assert (found["left_out"], found["score_of_these"], found["cost"]) == (0, None, 0.0)


def test_conflicts_alone_have_no_score_without_them() -> None:
    found = without_conflicts(TABLE, ["i000", "i001", "i002", "i003"])
    assert (found["left_out"], found["score_without"], found["cost"]) == (4, None, None)
