"""What trainings of one model with other seeds differ by."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brisc.analysis.runs import read_runs
from brisc.analysis.seeds import by_seed, spread_over_seeds
from brisc.errors import InputError
from brisc.vocabulary import SUBSETS


def test_a_seed_run_belongs_to_the_model_that_it_is_like(runs: Path, write_run: Callable[..., None]) -> None:
    write_run("net", dice=0.5)
    write_run("other", dice=0.6, seed=7)
    write_run("lonely")
    write_run("net-44", kind="seed", like="net", dice=0.25, seed=44)
    write_run("other-43", kind="seed", like="other", dice=0.75, seed=43)
    write_run("stranger-43", kind="seed", like="stranger", seed=43)
    write_run("net-short", kind="recipe", like="net")
    names = ["net", "other", "lonely", "net-44", "other-43", "stranger-43", "net-short"]
    seeds = by_seed(read_runs(runs, names))

    def same(value: float) -> dict[str, Any]:
        return {subset: {"dice_per_image": pytest.approx(value)} for subset in SUBSETS}

    assert seeds == {"net": {"42": same(0.5), "44": same(0.25)}, "other": {"7": same(0.6), "43": same(0.75)}}
    # No seed of both, so nothing to pair.
    assert [pair["n"] for pair in spread_over_seeds(seeds)["pairs"]] == [0] * 4


@pytest.mark.parametrize(("first", "second"), [(42, 43), (43, 43)])
def test_a_seed_that_is_taken_is_told(
    first: int, second: int, runs: Path, write_run: Callable[..., None]
) -> None:
    """Of the model itself, or of another run of it."""
    write_run("net", seed=42)
    write_run("net-b", kind="seed", like="net", seed=first)
    write_run("net-c", kind="seed", like="net", seed=second)
    with pytest.raises(InputError, match="same seed"):
        by_seed(read_runs(runs, ["net", "net-b", "net-c"]))


def of_seeds(**values: Any) -> dict[str, Any]:
    """{seed: {subset: {"dice_study": value}}} with the same value on every subset."""
    subsets = ("official", "clean", "strict", "validation")
    return {seed[1:]: {subset: {"dice_study": value} for subset in subsets} for seed, value in values.items()}


def test_spread_over_seeds_by_hand():
    # .80 .84: mean .82, deviation .04 / sqrt(2). Differences .06, -.02: mean .02, deviation .08 / sqrt(2),
    # and Student's interval of two values +- 12.706 deviation / sqrt(2) = +- 12.706 x .04.
    found = spread_over_seeds(
        {"x": of_seeds(s42=0.80, s43=0.84), "y": of_seeds(s42=0.74, s43=0.86), "z": of_seeds(s42=0.5)}
    )
    assert list(found["models"]) == ["x", "y"]
    spread = found["models"]["x"]["clean"]["dice_study"]
    assert (spread["n"], spread["values"]) == (2, {"42": 0.80, "43": 0.84})
    assert (spread["mean"], spread["sd"]) == pytest.approx((0.82, 0.04 / math.sqrt(2)))
    assert [(pair["a"], pair["b"], pair["subset"]) for pair in found["pairs"]] == [
        ("x", "y", "official"),
        ("x", "y", "clean"),
        ("x", "y", "strict"),
        ("x", "y", "validation"),
    ]
    pair = found["pairs"][0]
    assert pair["differences"] == pytest.approx({"42": 0.06, "43": -0.02})
    assert (pair["n"], pair["mean"], pair["sd"]) == pytest.approx((2, 0.02, 0.08 / math.sqrt(2)))
    assert (pair["low"], pair["high"]) == pytest.approx(
        (0.02 - 12.7062 * 0.04, 0.02 + 12.7062 * 0.04), abs=1e-4
    )
    assert pair["smallest_p"] == 0.5


def test_seeds_are_paired_where_both_models_have_them():
    found = spread_over_seeds({"x": of_seeds(s42=0.8, s43=0.9), "y": of_seeds(s43=0.7, s44=0.1)})
    pair = found["pairs"][0]
    assert (pair["n"], pair["differences"], pair["sd"]) == (1, {"43": pytest.approx(0.2)}, None)
    assert (pair["low"], pair["high"], pair["smallest_p"]) == (None, None, 1.0)


def test_undefined_scores_have_no_spread():
    found = spread_over_seeds({"x": of_seeds(s42=None, s43=0.9)})
    assert found["models"]["x"]["official"] == {}
    assert found["pairs"] == []


def test_one_seed_each_is_no_spread():
    assert spread_over_seeds({"x": of_seeds(s42=0.8)}) is None
    assert spread_over_seeds({}) is None
