"""Who leads, as far as the tests can say: the order of the means alone is never a claim."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_files import edit, tell_apart

from brisc.analysis.results import Results
from brisc.analysis.standing import Pair, Tiers, tiers
from brisc.report.cells import MINUS
from brisc.report.heads import HEADS
from brisc.report.prose.attention import answer, verdict
from brisc.report.prose.scores import best, gap, paired

Read = Callable[[Path], Results]
Build = Callable[..., Path]
MASK = HEADS["mask"]


@pytest.fixture
def three(build: Build) -> Path:
    """Three models that draw; the means fall in their order: unet, attention_unet, bifpn_unet."""
    folder = build(source="brisc2025", models=("unet", "attention_unet", "bifpn_unet"), compared=True)

    def order(comparisons: Any) -> None:
        for block in comparisons["heads"]["mask"]["subsets"].values():
            names = ("unet", "attention_unet", "bifpn_unet")
            block["order"] = [
                {"model": name, "value": 0.8 - 0.1 * i, "letters": ["a"]} for i, name in enumerate(names)
            ]
            pairs = ((0, 1), (0, 2), (1, 2))
            for pair, (a, b) in zip(block["pairs"], pairs, strict=True):
                pair |= {
                    "a": names[a],
                    "b": names[b],
                    "difference": 0.1 * (b - a),
                    "low": -0.05,
                    "high": 0.25,
                }

    edit(folder / "comparisons.json", order)
    return folder


def standing(results: Results, subset: str = "official") -> Tiers:
    found = tiers(results, MASK, subset)
    assert found is not None
    return found


def test_the_difference_of_a_pair_is_signed_as_it_is_asked_for(three: Path, read: Read) -> None:
    found = standing(read(three))
    assert found.pair("unet", "bifpn_unet") == Pair("unet", "bifpn_unet", 0.2, -0.05, 0.25, 0.8, False)
    assert found.pair("bifpn_unet", "unet") == Pair("bifpn_unet", "unet", -0.2, -0.25, 0.05, 0.8, False)
    assert found.pair("unet", "unet") is None


def test_models_that_no_test_tells_apart_are_not_ranked(three: Path, read: Read) -> None:
    results = read(three)
    assert standing(results).with_the_first() == ("unet", "attention_unet", "bifpn_unet")
    assert standing(results).behind() == ()
    said = best(results, MASK)
    assert "but cannot be told apart from any of the 2 others: no model leads" in said
    assert said.startswith("On official and on clean alike `unet` has the highest")


def test_only_models_that_are_told_apart_are_behind(three: Path, read: Read) -> None:
    letters = {"unet": "a", "attention_unet": "ab", "bifpn_unet": "b"}
    tell_apart(three, "mask", "official", ("unet", "bifpn_unet"), letters=letters)
    results = read(three)
    assert standing(results).behind() == ("bifpn_unet",)
    assert standing(results).letters("attention_unet") == "a b"
    said = best(results, MASK)
    assert "`attention_unet` cannot be told apart from it, `bifpn_unet` is behind." in said
    assert (
        "On clean `unet` has the highest" in said
    )  # where nothing is told apart, so that it is told by itself


def test_a_model_ahead_of_all_others_is_said_to_be(three: Path, read: Read) -> None:
    letters = {"unet": "a", "attention_unet": "b", "bifpn_unet": "b"}
    for subset in ("official", "clean"):
        tell_apart(three, "mask", subset, ("unet", "bifpn_unet"), ("unet", "attention_unet"), letters=letters)
    assert best(read(three), MASK).endswith("and is told apart from all 2 others.")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tested": False}, "too few independent groups of slices for a test"),
        ({"smallest_p": 0.2}, "so few resamples cannot tell any two models apart"),
    ],
)
def test_a_test_that_cannot_tell_anything_ranks_nothing(
    three: Path, read: Read, change: dict[str, Any], told: str
) -> None:
    edit(
        three / "comparisons.json",
        lambda c: [block.update(change) for block in c["heads"]["mask"]["subsets"].values()],
    )
    said = best(read(three), MASK)
    assert told in said
    assert said.endswith("so the models are not ranked.")


def test_without_comparisons_no_model_is_named_as_the_best(build: Build, read: Read) -> None:
    said = best(read(build(models=("unet", "attention_unet"))), MASK)
    assert said == "The 2 models were not compared by a test, so they are not ranked."


def pair(difference: float, *, apart: bool, p: float | None = 0.5) -> Pair:
    return Pair("with", "without", difference, difference - 0.01, difference + 0.01, p, apart)


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ([pair(0.01, apart=False), pair(0.02, apart=False)], "No test tells the two apart"),
        ([pair(0.01, apart=True), pair(0.02, apart=False)], "Where the two are told apart, `with` is ahead."),
        (
            [pair(-0.01, apart=True), pair(-0.02, apart=True)],
            "Where the two are told apart, `without` is ahead.",
        ),
        ([pair(0.01, apart=True), pair(-0.02, apart=True)], "in opposite directions"),
        ([pair(0.01, apart=False, p=None)], "too few groups of slices for a test"),
    ],
)
def test_what_two_subsets_say_of_a_pair_together(tests: list[Pair], told: str) -> None:
    assert told in verdict(tests)


def test_one_test_in_words() -> None:
    assert paired(pair(-0.0123, apart=True, p=0.0002), "clean", "`dice`") == (
        f"on clean {MINUS}1.23 points of `dice` (95 % interval {MINUS}2.23 to {MINUS}0.23, corrected p < 0.001): told apart"
    )
    assert "not tested): not told apart" in paired(pair(0.01, apart=False, p=None), "clean", "`dice`")


def over_seeds(subset: str, values: tuple[float, ...], low: float, high: float) -> dict[str, Any]:
    """unet less attention_unet with the seeds 42, 43, ...; `answer` tells it the other way round."""
    mean = sum(values) / len(values)
    differences = {str(42 + i): value for i, value in enumerate(values)}
    return {
        "a": "unet",
        "b": "attention_unet",
        "subset": subset,
        "measure": "dice_per_image",
        "n": len(values),
        "differences": differences,
        "mean": mean,
        "sd": 0.005,
        "low": low,
        "high": high,
        "smallest_p": 2 ** (1 - len(values)),
    }


def test_the_difference_of_two_nets_over_seeds(three: Path, read: Read) -> None:
    entries = [
        over_seeds("official", (0.01, 0.02, 0.015), 0.0026, 0.0274),
        over_seeds("clean", (0.0, 0.01, 0.005), -0.002, 0.012),
    ]
    edit(three / "comparisons.json", lambda comparisons: comparisons["seeds"].update(pairs=entries))
    said = " ".join(answer(read(three)))
    assert (
        f"Trained with 3 seeds, the difference is on official {MINUS}1.50 points on average ({MINUS}1.00 with seed 42, "
        f"{MINUS}2.00 with seed 43 and {MINUS}1.50 with seed 44; standard deviation 0.50), "
        f"with a 95 % interval over seeds of {MINUS}2.74 to {MINUS}0.26, which leaves zero out; "
        f"on clean {MINUS}0.50 points on average (0.00 with seed 42, {MINUS}1.00 with seed 43 and {MINUS}0.50 with seed 44; "
        f"standard deviation 0.50), with a 95 % interval over seeds of {MINUS}1.20 to +0.20, which holds zero. "
    ) in said
    assert "cannot give a p below 0.25 with so few." in said


def test_one_seed_in_common_has_no_interval(three: Path, read: Read) -> None:
    entry = over_seeds("official", (0.01,), 0.0, 0.0) | {"sd": None, "low": None, "high": None}
    edit(three / "comparisons.json", lambda comparisons: comparisons["seeds"].update(pairs=[entry]))
    said = " ".join(answer(read(three)))
    assert f"Trained with 1 seed, the difference is on official {MINUS}1.00 with seed 42." in said
    assert "interval over seeds" not in said
    assert "sign test" not in said


def test_a_sign_test_that_can_show_something_is_not_excused(three: Path, read: Read) -> None:
    entry = over_seeds("official", (0.01,) * 6, 0.005, 0.015)
    edit(three / "comparisons.json", lambda comparisons: comparisons["seeds"].update(pairs=[entry]))
    said = " ".join(answer(read(three)))
    assert "Trained with 6 seeds" in said
    assert "sign test" not in said


@pytest.mark.parametrize(
    ("seeds", "told"),
    [(None, "Each was trained with one seed,"), ([], "They were not both trained with other seeds,")],
)
def test_that_another_seed_was_not_tried_is_told(
    three: Path, read: Read, seeds: list[Any] | None, told: str
) -> None:
    def plant(comparisons: Any) -> None:
        comparisons["seeds"] = None if seeds is None else {**comparisons["seeds"], "pairs": seeds}

    edit(three / "comparisons.json", plant)
    assert told in " ".join(answer(read(three)))


def test_the_gap_between_official_and_clean_spans_the_models(three: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        for model, clean, mixed in (
            ("unet", 0.70, 0.75),
            ("attention_unet", 0.74, 0.78),
            ("bifpn_unet", 0.76, 0.79),
        ):
            metrics[model]["official"]["dice_per_image"] = 0.8
            metrics[model]["clean"] |= {"dice_per_image": clean, "class_weighted": {"dice_per_image": mixed}}

    edit(three / "metrics.json", plant)
    assert gap(read(three), [MASK]) == (
        "From official to clean, which holds no test image whose slice is also in train, the `dice_per_image` of the 3 models "
        f"changes by **{MINUS}10.00 to {MINUS}4.00 points** ({MINUS}5.00 to {MINUS}1.00 with the classes mixed as in official)."
    )
