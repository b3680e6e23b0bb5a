"""The grid beside the study's log."""

from typing import Any

import pytest

from brisc.analysis.grid_cells import agreement, cells, published_score
from brisc.analysis.results import Results
from small_results import small_results


def beside(log: dict[str, float], **changes: Any) -> Results:
    """Ours: adam 0.001 .80, adam 0.0001 .70, sgd 0.001 .50, sgd 0.0001 .10."""
    return small_results(
        published=lambda known: known["grid"].update(log=known["grid"]["log"] | {"cells": log}), **changes
    )


def found(results: Results) -> float | None:
    assert results.grid is not None
    return agreement(results, results.grid)


def test_agreement_by_hand() -> None:
    """Ranks 3, 2, 1 and 2, 3, 1: 1 - 6 (1 + 1 + 0) / (3 (9 - 1)) = .5; the cell without a published score is
    left out."""
    log = {"adam-0.001": 70.0, "adam-0.0001": 75.0, "sgd-0.001": 60.0}
    assert found(beside(log)) == pytest.approx(0.5)
    assert found(beside({**log, "sgd-0.0001": 5.0})) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert found(beside({"adam-0.001": 1.0, "adam-0.0001": 2.0, "sgd-0.001": 3.0})) == pytest.approx(-1)


@pytest.mark.parametrize(
    "log",
    [
        {},
        {"adam-0.001": 70.0, "sgd-0.001": 60.0},
        dict.fromkeys(["adam-0.001", "adam-0.0001", "sgd-0.001"], 5),
    ],
)
def test_too_few_cells_or_one_value_give_no_agreement(log: dict[str, float]) -> None:
    assert found(beside(log)) is None


def test_phantoms_are_not_held_against_the_log() -> None:
    log = {"adam-0.001": 70.0, "adam-0.0001": 75.0, "sgd-0.001": 60.0}
    real, phantom = beside(log), beside(log, provenance=lambda origin: origin.update(source="phantom"))
    assert real.grid is not None
    best = cells(real.grid)[0]
    assert (published_score(real, best), published_score(phantom, best)) == (0.7, None)
    assert found(phantom) is None
