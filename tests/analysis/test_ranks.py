"""Ranks: one where images show which cell is better, a range where they do not."""

import numpy as np
import pytest

from brisc.analysis.ranks import Ranks, rank_ranges
from brisc.errors import InputError
from brisc.evaluation.statistics import MIN_GROUPS

GROUPS = [f"g{i:02}" for i in range(40)]


def ranges(scores: object, groups: list[str] = GROUPS) -> list[Ranks]:
    return rank_ranges(scores, groups=groups, resamples=400, seed=3, level=0.95)


def test_far_apart_cells_have_one_rank_each() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, (3, 40))
    assert ranges(np.array([[0.2], [0.9], [0.5]]) + noise) == [(3, 3), (1, 1), (2, 2)]


def test_cells_that_differ_on_no_image_share_all_ranks() -> None:
    scores = np.random.default_rng(1).uniform(0, 1, 40)
    assert ranges([scores, scores, scores]) == [(1, 3)] * 3


def test_a_difference_smaller_than_its_spread_is_not_told() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.uniform(0, 1, 40), generator.uniform(0, 1, 40)
    assert first.mean() != second.mean()
    assert ranges([first, second, np.full(40, -9.0)]) == [(1, 2), (1, 2), (3, 3)]


def test_the_same_difference_on_every_image_is_told() -> None:
    scores = np.random.default_rng(1).uniform(0, 0.5, 40)
    assert ranges([scores, scores + 0.25]) == [(2, 2), (1, 1)]


def test_images_of_one_group_are_one_piece_of_evidence() -> None:
    generator = np.random.default_rng(4)
    first, second = generator.normal(0.55, 0.2, 25), generator.normal(0.5, 0.2, 25)
    few = [f"g{i:02}" for i in range(25)]
    assert ranges([first, second], few) == [(1, 2), (1, 2)]
    # Thirty times as many images would show which is better, if they were other ones.
    many = [np.repeat(first, 30), np.repeat(second, 30)]
    assert ranges(many, list(np.repeat(few, 30))) == [(1, 2), (1, 2)]
    assert ranges(many, [f"i{i}" for i in range(750)]) != [(1, 2), (1, 2)]


def test_too_few_groups_tell_nothing() -> None:
    apart = np.array([[0.1], [0.9]]) + np.random.default_rng(1).normal(0, 0.01, (2, MIN_GROUPS))
    groups = [f"g{i:02}" for i in range(MIN_GROUPS)]
    assert ranges(apart, groups) == [(2, 2), (1, 1)]
    assert ranges(apart[:, 1:], groups[1:]) == [(1, 2), (1, 2)]


def test_one_cell_is_the_first() -> None:
    assert ranges([np.linspace(0, 1, 40)]) == [(1, 1)]


def test_equal_cells_rarely_differ_significantly() -> None:
    """The error rate holds for all pairs together: of 60 draws of five equal cells about 3 may have any pair
    that differs."""
    generator = np.random.default_rng(5)
    told = sum(ranges(generator.normal(0.5, 0.2, (5, 40))) != [(1, 5)] * 5 for _ in range(60))
    assert told <= 9


@pytest.mark.parametrize("scores", [[0.1, 0.2], np.zeros((2, 39)), np.full((2, 40), np.nan)])
def test_scores_that_do_not_fit_are_told(scores: object) -> None:
    with pytest.raises(InputError, match="scores that cannot be ranked"):
        ranges(scores)
