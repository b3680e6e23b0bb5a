"""The learning rate of each epoch and the running mean, by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from brisc.config import Run
from brisc.training.optim import RunningMean, learning_rate


def rates(run: Run, scores: list[float]) -> list[float]:
    """Of the first epoch and of each that follows one of the scores."""
    return [learning_rate(run, scores[:done]) for done in range(len(scores) + 1)]


@pytest.fixture
def at_one(run: Run) -> Run:
    """Ten epochs at a full rate of 1."""
    return replace(run, epochs=10, warmup=0.0, optimizer=replace(run.optimizer, learning_rate=1.0))


def test_a_plateau_lowers_the_rate_down_to_the_floor(at_one: Run) -> None:
    run = replace(at_one, schedule="plateau", plateau_patience=1, plateau_factor=0.5, plateau_floor=0.2)
    scores = [0.5, 0.6, 0.6, 0.6, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
    # Two epochs that are no better than the best, and the third has the lower rate; 0.125 is below the floor.
    expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]
    assert rates(run, scores) == pytest.approx(expected)


def test_a_rate_below_the_floor_stays(at_one: Run) -> None:
    run = replace(at_one, schedule="plateau", plateau_patience=1, plateau_floor=2.0)
    assert rates(run, [0.5] * 6) == [1.0] * 7


def test_the_cosine_follows_the_warm_up(at_one: Run) -> None:
    run = replace(at_one, schedule="cosine", warmup=0.2)
    # Two epochs of rise, then eight of (1 + cos(pi k / 8)) / 2
    expected = [1 / 3, 2 / 3, 1, 0.96194, 0.85355, 0.69134, 0.5, 0.30866, 0.14645, 0.03806]
    assert rates(run, [0.0] * 9) == pytest.approx(expected, abs=1e-5)


def test_the_plateau_counts_from_the_end_of_the_warm_up(at_one: Run) -> None:
    run = replace(at_one, schedule="plateau", warmup=0.3, plateau_patience=1, plateau_factor=0.5)
    assert rates(run, [0.9, 0.9, 0.9, 0.5, 0.5, 0.5]) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.5])


def test_without_warm_up_the_first_epoch_has_the_full_rate(at_one: Run) -> None:
    for schedule in ("plateau", "cosine"):
        assert rates(replace(at_one, schedule=schedule), []) == [1.0]
    assert rates(replace(at_one, warmup=0.04), []) == [1.0]  # less than half an epoch is none


def test_the_running_mean_by_hand() -> None:
    net = nn.BatchNorm1d(1)
    mean = RunningMean(net, decay=0.75)
    for value in (4.0, 8.0, 0.0):
        with torch.no_grad():
            net.weight.fill_(value)
            net.running_mean.fill_(value)
        mean.update()
    # The first in full, then 0.75 * 4 + 0.25 * 8 = 5, then 0.75 * 5 + 0.25 * 0
    assert mean.module.weight.item() == mean.module.running_mean.item() == 3.75
    assert mean.state_dict()["steps"] == 3
    again = RunningMean(nn.BatchNorm1d(1), decay=0.75)
    again.load_state_dict(mean.state_dict())
    again.update()  # from its own net, whose weight is 1
    assert again.module.weight.item() == 0.75 * 3.75 + 0.25


def test_the_running_mean_takes_no_gradient() -> None:
    assert not any(value.requires_grad for value in RunningMean(nn.Linear(1, 1), decay=0.5).parameters())
