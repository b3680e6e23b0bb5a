import pytest

from brisc.reporting.prose import compare, cost, duration
from brisc.reporting.results import Record
from brisc.reporting.tables import HEADS


def scores(**numbers: float | None) -> Record:
    return Record(dict(numbers), "metrics.json, unet, official")


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        (0.90, "Ours is 1.78 points above the published figure"),
        (0.85, "Ours is 3.22 points below the published figure"),
        (0.88221, "Ours is equal to the published figure to two decimals"),
    ],
)
def test_which_side_of_the_published_figure(ours: float, told: str) -> None:
    official = scores(dice_study=ours, dice_per_image=0.8, dice_per_image_low=0.79, dice_per_image_high=0.82)
    assert compare(official, HEADS["mask"], ours, 0.8822).startswith(told)


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        (0.8650, "cannot be told from the chance in which images are tested"),
        (0.8600, "the chance in which images are tested does not explain"),
    ],
)
def test_an_average_without_an_interval_is_held_against_the_wider_half_of_another(ours: float, told: str) -> None:
    """The interval .79 to .82 reaches .02 from its mean .80; .8822 - .8650 is within .02, .8822 - .8600 is not."""
    official = scores(dice_study=ours, dice_per_image=0.8, dice_per_image_low=0.79, dice_per_image_high=0.82)
    sentence = compare(official, HEADS["mask"], ours, 0.8822)
    assert told in sentence
    assert "reaches 2.00 points from its mean" in sentence


@pytest.mark.parametrize(
    ("published", "told"),
    [
        (0.94, "lies within our 95 % interval, 93.00 to 97.00 %: the two cannot be told apart by it"),
        (0.93, "cannot be told apart"),
        (0.92, "lies outside our 95 % interval, 93.00 to 97.00 %"),
        (0.98, "lies outside our 95 % interval"),
    ],
)
def test_an_average_with_an_interval_is_held_against_its_own(published: float, told: str) -> None:
    official = scores(accuracy=0.95, accuracy_low=0.93, accuracy_high=0.97)
    assert told in compare(official, HEADS["label"], 0.95, published)


def test_without_any_interval_nothing_is_claimed() -> None:
    official = scores(dice_study=0.8, dice_per_image=0.8, dice_per_image_low=None, dice_per_image_high=None)
    assert "whether this is more than chance is not known" in compare(official, HEADS["mask"], 0.8, 0.8822)


def test_cost_counts_one_epoch_as_one() -> None:
    record = scores(parameters=1e6, epochs=1, images_seen=10, seconds=None)
    assert cost(record).startswith("**Cost.** 1.00 million parameters; 1 epoch, 10 images seen;")


@pytest.mark.parametrize(("seconds", "told"), [(90, "90 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_told_in_a_unit_that_fits(seconds: float, told: str) -> None:
    assert duration(seconds) == told
