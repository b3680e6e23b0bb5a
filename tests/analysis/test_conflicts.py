"""What contradicting copies cost, on four images by hand."""

import pandas as pd
import pytest
from made_runs import images

from brisc.analysis.conflicts import without_conflicts

# i000 and i002 are clean; i004 is healthy, with a score that must not count.
TABLE = pd.concat(
    [
        images([0.8, 0.0, 0.6, 0.4], split="test"),
        images([1.0], split="test", first=4).assign(label="no_tumor"),
        images([0.1], split="validation", first=5),
    ],
    ignore_index=True,
)


def test_the_score_with_and_without_them() -> None:
    found = without_conflicts(TABLE, ["i001", "i004", "i005", "elsewhere"])
    assert found["official"] == pytest.approx(
        {
            "images": 4,
            "score": 0.45,  # (.8 + 0 + .6 + .4) / 4
            "left_out": 1,
            "score_of_these": 0.0,
            "score_without": 0.6,  # (.8 + .6 + .4) / 3
            "cost": 0.15,
        }
    )
    assert found["clean"] == {
        "images": 2,
        "score": 0.7,
        "left_out": 0,
        "score_of_these": None,
        "score_without": 0.7,
        "cost": 0.0,
    }


def test_a_subset_of_conflicts_alone_has_no_score_without_them() -> None:
    found = without_conflicts(TABLE, ["i000", "i002"])["clean"]
    assert (found["left_out"], found["score_without"], found["cost"]) == (2, None, None)
