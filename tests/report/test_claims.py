"""The ledger: every published figure is in it, and each verdict follows its rule."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_files import edit, tell_apart

from brisc.analysis import claims as ledger
from brisc.analysis.claims import NOT_COMPARABLE, NOT_REPRODUCED, REPRODUCED, Claim, claims
from brisc.analysis.results import Results
from brisc.analysis.standing import Pair
from brisc.report.cells import MINUS, Cell
from brisc.report.render import claims_text

Read = Callable[[Path], Results]
Build = Callable[..., Path]

# The figures of the study, as it prints them.
STUDY = (
    "5,000",
    "1,000",
    "3,933",
    "860",
    "88.22",
    "79.74",
    "99.61",
    "83.10",
    "87.83",
    "79.21",
    "99.59",
    "82.29",
    "94.10",
    "94.07",
    "33",
    "97.30",
    "54",
    "97.50",
    "97.48",
    "88",
    "97.5",
    "97.7",
    "98.0",
    "96.9",
    f"{MINUS}4.91",
    f"{MINUS}5.81",
    "79.02",
    "91.69",
    "adam at 5e-05",
    "78.57",
    "rmsprop at 5e-05",
    "79.19",
    "45",
    "29",
    "52",
    "about 86",
)


def find(results: Results, figure: str) -> Claim:
    return next(claim for claim in claims(results) if figure in claim.figure)


def test_every_published_figure_is_in_the_ledger(read: Read, build: Build) -> None:
    """Also those of models that this report does not have."""
    shown = [claim.published for claim in claims(read(build(source="brisc2025")))]
    assert set(STUDY) <= set(shown)
    assert "sgd needs higher rates than the others" in [
        claim.figure for claim in claims(read(build(source="brisc2025")))
    ]


def test_every_number_of_published_json_is_in_the_ledger(read: Read, build: Build, published: Path) -> None:
    known = json.loads(published.read_text())
    shown = " ".join(claim.published for claim in claims(read(build(source="brisc2025"))))
    numbers = [
        number
        for model in known["models"].values()
        for block in ("test", "validation", "f1_by_class", "against_separate", "cost")
        for number in model.get(block, {}).values()
    ]
    assert len(numbers) > 20
    for number in numbers:
        assert f"{abs(number):g}" in shown


def test_no_figure_is_comparable_with_phantoms(read: Read, build: Build) -> None:
    found = claims(read(build(models=("unet", "densenet121"), compared=True, grid=True, measured=True)))
    assert {claim.verdict for claim in found} == {NOT_COMPARABLE}
    assert {claim.why for claim in found} == {"phantom data"}
    assert (
        ledger.counted(found)
        == f"Of {len(found)} published figures: 0 reproduced, 0 not reproduced, {len(found)} not comparable"
    )


@pytest.mark.parametrize(
    ("published", "low", "high", "digits", "verdict"),
    [
        (0.8822, 0.87, 0.89, 2, REPRODUCED),
        (0.8822, 0.8823, 0.89, 2, NOT_REPRODUCED),
        (0.8822, 0.87, 0.8821, 2, NOT_REPRODUCED),
        (0.8822, 0.88224, 0.89, 2, REPRODUCED),  # 88.22 may be 88.224
        (0.975, 0.9754, 0.98, 1, REPRODUCED),  # 97.5 may be 97.54
        (0.975, 0.9756, 0.98, 1, NOT_REPRODUCED),
        (0.86, 0.80, 0.856, 0, REPRODUCED),  # "about 86"
        (0.86, 0.80, 0.854, 0, NOT_REPRODUCED),
        (-0.0491, -0.06, -0.04, 2, REPRODUCED),
        (-0.0491, -0.03, 0.01, 2, NOT_REPRODUCED),
    ],
)
def test_a_figure_is_reproduced_when_it_lies_in_our_interval(
    published: float, low: float, high: float, digits: int, verdict: str
) -> None:
    assert ledger.by_interval(published, low, high, digits=digits) == verdict


@pytest.mark.parametrize(
    ("difference", "apart", "verdict"),
    [
        (0.02, True, REPRODUCED),
        (-0.02, True, NOT_REPRODUCED),
        (0.02, False, NOT_COMPARABLE),
        (None, False, NOT_COMPARABLE),
    ],
)
def test_an_order_needs_a_test_that_tells_apart(difference: float | None, apart: bool, verdict: str) -> None:
    assert ledger.by_order(Pair("a", "b", difference, None, None, 0.01, apart)) == verdict


@pytest.mark.parametrize(
    ("ours", "same_device", "verdict"),
    [
        (45.0, True, REPRODUCED),
        (49.5, True, REPRODUCED),
        (40.5, True, REPRODUCED),
        (49.6, True, NOT_REPRODUCED),
        (45.0, False, NOT_COMPARABLE),
        (None, True, NOT_COMPARABLE),
    ],
)
def test_a_speed_counts_on_the_same_device_alone(ours: float | None, same_device: bool, verdict: str) -> None:
    assert ledger.by_speed(45.0, ours, same_device=same_device) == verdict


@pytest.mark.parametrize(
    ("ours", "same_net", "verdict"),
    [
        (33.4, True, REPRODUCED),
        (8.7, True, NOT_REPRODUCED),
        (33.4, False, NOT_COMPARABLE),
        (None, True, NOT_COMPARABLE),
    ],
)
def test_a_size_is_that_of_the_same_net(ours: float | None, same_net: bool, verdict: str) -> None:
    assert ledger.by_size(33.0, ours, same_net=same_net) == verdict


@pytest.mark.parametrize(
    ("own", "others", "verdict"),
    [
        ([1e-3], [[5e-5], [1e-4]], REPRODUCED),
        ([5e-4, 1e-3], [[5e-5, 1e-4]], REPRODUCED),
        ([1e-4], [[5e-5], [1e-4]], NOT_REPRODUCED),
        ([1e-5], [[5e-5]], NOT_REPRODUCED),
        ([1e-3], [[5e-5], [5e-4, 1e-3]], NOT_COMPARABLE),
        ([5e-5, 1e-3], [[1e-4]], NOT_COMPARABLE),
        ([], [[5e-5]], NOT_COMPARABLE),
        ([1e-3], [], NOT_COMPARABLE),
    ],
)
def test_higher_rates_are_higher_than_every_other(
    own: list[float], others: list[list[float]], verdict: str
) -> None:
    assert ledger.by_rates(own, others) == verdict


def rank(folder: Path, ranks: dict[tuple[str, float], tuple[int, int]]) -> None:
    """These cells get these ranks, each other cell the last."""

    def change(grid: dict[str, Any]) -> None:
        for cell in grid["cells"]:
            if cell["score"] is not None:
                cell["rank_first"], cell["rank_last"] = ranks.get(
                    (cell["optimizer"], cell["learning_rate"]), (19, 19)
                )

    edit(folder / "grid.json", change)


def test_an_optimiser_s_best_rate_is_one_as_far_as_images_tell(copied: Path, read: Read) -> None:
    leaders = {
        ("adam", 5e-5): (1, 2),
        ("adamw", 5e-5): (1, 2),
        ("rmsprop", 1e-4): (3, 3),
        ("sgd", 1e-3): (4, 4),
    }
    rank(copied, leaders)
    found = find(read(copied), "sgd needs higher rates")
    assert (found.ours, found.verdict) == ("yes", REPRODUCED)
    assert found.why == (
        "best rate of sgd, as far as the images can tell: 0.001; of the others: adam 5e-05, adamw 5e-05, rmsprop 0.0001"
    )
    rank(copied, leaders | {("adamw", 1e-3): (2, 3)})
    found = find(read(copied), "sgd needs higher rates")
    assert (found.ours, found.verdict) == ("cannot be told", NOT_COMPARABLE)
    assert "adamw 5e-05 or 0.001" in found.why


def plant(folder: Path, model: str, **scores: float) -> None:
    edit(folder / "metrics.json", lambda metrics: metrics[model]["official"].update(scores))


def test_an_average_with_an_interval_is_held_against_its_own(copied: Path, read: Read) -> None:
    plant(copied, "densenet121", accuracy=0.97, accuracy_low=0.96, accuracy_high=0.98)
    found = find(read(copied), "`densenet121`: accuracy, test")
    assert (found.published, found.ours, found.interval, found.verdict) == (
        "97.50",
        "97.00",
        "96.00 to 98.00",
        REPRODUCED,
    )
    assert found.why.startswith("ours is 0.50 points below it; it lies within the interval.")


def test_the_study_s_average_is_held_against_the_interval_of_that_average(copied: Path, read: Read) -> None:
    """Not against that of the per-image mean, which is another number."""
    plant(copied, "unet", dice_study=0.87, dice_study_low=0.85, dice_study_high=0.88)
    plant(copied, "unet", dice_per_image=0.88, dice_per_image_low=0.87, dice_per_image_high=0.89)
    found = find(read(copied), "`unet`: Dice, study average, test")
    assert (found.ours, found.interval, found.verdict) == ("87.00", "85.00 to 88.00", NOT_REPRODUCED)
    plant(copied, "unet", dice_study_high=0.89)
    assert find(read(copied), "`unet`: Dice, study average, test").verdict == REPRODUCED


def test_without_an_interval_nothing_is_claimed(copied: Path, read: Read) -> None:
    def remove(metrics: Any) -> None:
        for end in ("low", "high"):
            metrics["unet"]["official"].pop(f"iou_study_{end}", None)

    edit(copied / "metrics.json", remove)
    found = find(read(copied), "`unet`: IoU, study average, test")
    assert (found.verdict, found.why) == (NOT_COMPARABLE, "no interval of ours")


def test_validation_is_never_like_for_like(five: Path, read: Read) -> None:
    found = [claim for claim in claims(read(five)) if "validation, %" in claim.figure]
    assert [claim.published for claim in found] == ["83.10", "82.29", "79.02", "91.69"]
    assert {claim.verdict for claim in found} == {NOT_COMPARABLE}
    assert all("augmented" in claim.why for claim in found)


def test_the_gap_of_the_joint_net_is_held_against_the_paired_interval(copied: Path, read: Read) -> None:
    def change(comparisons: Any) -> None:
        for entry in comparisons["joint_against_separate"]["subsets"]["official"]:
            if entry["measure"] == "dice_study":
                entry |= {"difference": -0.02, "low": -0.03, "high": -0.01, "remains": 0.407}
            if entry["measure"] == "accuracy":
                entry |= {"difference": -0.05, "low": -0.07, "high": -0.03, "remains": 0.861}

    edit(copied / "comparisons.json", change)
    dice, accuracy = (
        find(read(copied), "`joint` less separate, Dice"),
        find(read(copied), "`joint` less separate, accuracy"),
    )
    assert (dice.published, dice.ours, dice.interval) == (
        f"{MINUS}4.91",
        f"{MINUS}2.00",
        f"{MINUS}3.00 to {MINUS}1.00",
    )
    assert dice.verdict == NOT_REPRODUCED
    assert "41 % of the published gap remains" in dice.why
    assert (accuracy.published, accuracy.verdict) == (f"{MINUS}5.81", REPRODUCED)


def test_the_order_of_two_models(copied: Path, read: Read) -> None:
    figure = "`unet` above `attention_unet`"
    assert find(read(copied), figure).verdict == NOT_COMPARABLE
    letters = {"unet": "a", "attention_unet": "b", "joint": "ab"}
    tell_apart(copied, "mask", "official", ("unet", "attention_unet"), letters=letters)
    found = find(read(copied), figure)
    ahead = not str(found.ours).startswith(MINUS)
    assert found.verdict == (REPRODUCED if ahead else NOT_REPRODUCED)
    assert ("in this order" if ahead else "in the other order") in found.why


def test_the_grid_s_own_verdicts_are_taken_over(copied: Path, read: Read) -> None:
    best, log = (
        find(read(copied), "best cell by the study's table"),
        find(read(copied), "best cell by the study's log"),
    )
    assert (best.ours, best.verdict) == ("adam at 5e-05, or one of 1 more", NOT_COMPARABLE)
    longer = "; the study's cells have 20 epochs, ours 3"
    assert (log.published, log.verdict, log.why) == (
        "rmsprop at 5e-05",
        NOT_REPRODUCED,
        f"4 of 19 other cells are better{longer}",
    )
    edit(
        copied / "grid.json",
        lambda grid: grid["claims"][0].update(verdict="supported", reason="it is better"),
    )
    assert find(read(copied), "best cell by the study's table").verdict == REPRODUCED
    assert find(read(copied), "adam at 5e-05: best validation Dice").ours == "80.00"
    assert find(read(copied), "adam at 5e-05: best validation Dice").why.endswith(longer)
    assert find(read(copied), "one run of the grid").why == "not measured in this profile"
    edit(copied / "grid.json", lambda grid: [cell.update(seconds=90.0) for cell in grid["cells"]])
    assert find(read(copied), "one run of the grid").ours == "1.5"
    assert find(read(copied), "one run of the grid").why.endswith(longer)
    edit(copied / "grid.json", lambda grid: grid.update(epochs=20))
    assert find(read(copied), "best cell by the study's log").why == "4 of 19 other cells are better"


def test_a_net_of_other_size_is_not_compared_by_its_file(copied: Path, read: Read) -> None:
    assert find(read(copied), "`densenet121`: weights file").verdict == NOT_COMPARABLE
    study = {"arch": "densenet121", "growth_rate": 32, "block_layers": [6, 12, 24, 16], "pretrained": False}
    edit(copied / "runs.json", lambda runs: runs["densenet121"]["run"].update(model=study))
    found = find(read(copied), "`densenet121`: weights file")
    assert found.verdict == NOT_REPRODUCED
    assert "11.3 times ours" in found.why  # 88 / 7.8


def test_times_of_another_device_are_not_compared(copied: Path, read: Read) -> None:
    found = find(read(copied), "`unet`: training, images/s")
    assert (found.ours, found.verdict) == ("15.5", NOT_COMPARABLE)
    edit(copied / "provenance.json", lambda origin: origin.update(device="NVIDIA GeForce RTX 3070"))
    assert find(read(copied), "`unet`: training, images/s").verdict == NOT_REPRODUCED
    edit(copied / "metrics.json", lambda metrics: metrics["unet"]["cost"].update(images_per_second=44.0))
    assert find(read(copied), "`unet`: training, images/s").verdict == REPRODUCED


def test_counts_are_equal_or_not(copied: Path, read: Read) -> None:
    edit(copied / "validation.json", lambda found: found.update(images={"train": 5000, "test": 998}))
    assert find(read(copied), "images, train").verdict == REPRODUCED
    assert (find(read(copied), "images, test").verdict, find(read(copied), "images, test").why) == (
        NOT_REPRODUCED,
        "2 fewer",
    )


def test_models_that_were_not_trained_say_so(build: Build, read: Read) -> None:
    found = find(read(build(source="brisc2025")), "`mobilenetv2`: accuracy")
    assert isinstance(found.ours, Cell)
    assert (found.verdict, found.why) == (NOT_COMPARABLE, "not trained in this profile")


def test_the_ledger_states_its_rules_settings_and_every_claim(five: Path, read: Read) -> None:
    results = read(five)
    text = claims_text(results, claims(results))
    for rule in ledger.RULES:
        assert f"- {rule}" in text
    rows = re.findall(r"\| \*\*(reproduced|not reproduced|not comparable)\*\* \|", text)
    assert len(rows) == len(claims(results))
    assert text.count(f"**{NOT_REPRODUCED}** |") == ledger.tally(claims(results))[NOT_REPRODUCED]
    assert "| image size, px | 256 | 64 | all |" in text
    assert not re.search(r"\b(nan|None|inf|null)\b", text)
