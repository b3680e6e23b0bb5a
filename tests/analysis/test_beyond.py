"""What was done beyond the study, from scores made by hand: half of the official images are clean."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from made_runs import evaluated, images

from brisc.analysis.beyond import beyond
from brisc.analysis.recipes import summarise_recipes
from brisc.analysis.runs import Evaluated
from brisc.atomic import write_json
from brisc.config import Evaluate
from brisc.errors import InputError

N = 40


def table(odd: float, even: float, validation: float = 0.5, flips: float = 0.0) -> pd.DataFrame:
    """The score of each image of validation, and of test by its number: even ones are clean."""
    test = [even if i % 2 == 0 else odd for i in range(N)]
    parts = [images(test, split="test", flips=flips)]
    parts.append(images([validation] * N, split="validation", first=N, flips=flips))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def quick(settings: Evaluate) -> Evaluate:
    return replace(settings, bootstrap_resamples=200)


@pytest.fixture
def no_vote(tmp_path: Path) -> Path:
    write_json(tmp_path / "vote" / "vote.json", {"members": [], "agree": 2})
    return tmp_path / "vote"


def pruned_runs(place: Path) -> list[Evaluated]:
    """Copies are among the odd images: seeing them gives .2 and .1 there, with two seeds, and nothing on
    clean."""
    copies, others = {"prune": "copies"}, {"prune": "random"}
    again = {"seed": 43}
    left = {"kind": "pruned", "train_images": 70}
    return [
        evaluated(place, "net", table(0.9, 0.6)),
        evaluated(place, "net-43", table(0.8, 0.6), kind="seed", like="net", changes=again, seed=43),
        evaluated(place, "few", table(0.6, 0.6), like="net", changes=copies, prune="copies", **left),
        evaluated(
            place, "few-43", table(0.6, 0.6), like="few", changes=again, prune="copies", seed=43, **left
        ),
        evaluated(place, "rest", table(0.8, 0.6), like="net", changes=others, prune="random", **left),
        evaluated(
            place, "rest-43", table(0.7, 0.6), like="rest", changes=again, prune="random", seed=43, **left
        ),
        # lone has no run without others
        evaluated(place, "lone", table(0.1, 0.1)),
        evaluated(place, "lone-few", table(0.1, 0.1), like="lone", changes=copies, prune="copies", **left),
    ]


def test_copies_are_worth_the_others_score_minus_theirs(
    tmp_path: Path, no_vote: Path, quick: Evaluate
) -> None:
    (found,) = beyond(pruned_runs(tmp_path), no_vote, quick, conflicts=[])["copies"]
    assert (found["model"], found["seeds"]) == ("net", [42, 43])
    assert (found["removed"], found["train_images"]) == (30, 100)
    official, clean = found["subsets"]["official"], found["subsets"]["clean"]
    # Odd images, half of official: .8 and .7 without others, .6 without copies, .9 and .8 of the model.
    assert official["by_seed"] == {"42": 0.1, "43": 0.05}
    assert official["worth"] == pytest.approx(0.075)
    assert official["without_others"] == pytest.approx(0.675)
    assert official["share"] == pytest.approx(0.075 / 0.675, abs=1e-6)
    assert official["more_images"] == pytest.approx(0.05)
    assert 0 < official["worth_low"] < 0.075 < official["worth_high"]
    assert clean["worth"] == clean["more_images"] == 0


def test_a_run_of_another_kind_is_no_seed_and_a_seed_that_is_taken_is_told(
    tmp_path: Path, no_vote: Path, quick: Evaluate
) -> None:
    runs, again = pruned_runs(tmp_path), {"seed": 43}
    recipe = evaluated(tmp_path, "tried", table(0.1, 0.1), kind="recipe", like="net", changes=again, seed=43)
    (found,) = beyond([*runs, recipe], no_vote, quick, conflicts=[])["copies"]
    assert found["subsets"]["official"]["by_seed"] == {"42": 0.1, "43": 0.05}
    short = {"kind": "pruned", "like": "few", "changes": {"epochs": 2}, "prune": "copies"}
    runs.append(evaluated(tmp_path, "few-short", table(0.1, 0.1), **short))
    with pytest.raises(InputError, match="few and few-short, both with 42"):
        beyond(runs, no_vote, quick, conflicts=[])


def test_a_subset_without_images_has_no_score(tmp_path: Path, no_vote: Path, quick: Evaluate) -> None:
    none = table(0.5, 0.5).assign(strict=0)
    found = beyond([evaluated(tmp_path, "net", none)], no_vote, quick, conflicts=[])
    assert found["flips"][0]["subsets"]["strict"]["plain"] is None
    json.dumps(found, allow_nan=False)


def test_what_copies_give_is_held_against_clean_where_they_give_nothing(
    tmp_path: Path, no_vote: Path, quick: Evaluate
) -> None:
    (found,) = beyond(pruned_runs(tmp_path), no_vote, quick, conflicts=[])["copies"]
    # .2 and .1 on the odd images, nothing on the even ones, which are clean; without copies both have .6.
    assert found["subsets"]["copied"]["worth"] == pytest.approx(0.15)
    assert (found["excess"], found["excess_low"]) == (pytest.approx(0.15), pytest.approx(0.15))
    assert found["falls"]["without_copies"]["change"] == 0
    # .75 on the odd ones and .6 on the even ones: .6 less the mean of both.
    assert found["falls"]["without_others"]["change"] == pytest.approx(-0.075)


@pytest.mark.parametrize(("number", "mixed"), [(120, -0.2), (60, None)])
def test_clean_is_mixed_as_official(
    tmp_path: Path, no_vote: Path, quick: Evaluate, number: int, mixed: float | None
) -> None:
    """Half of official is clean, and half of clean are meningiomas at .8; gliomas have .4 there and .8 where
    copied: .7 on official, .6 on clean, and .75 x .4 + .25 x .8 = .5 of clean if it is mixed as official. The
    change is -.1 and so mixed -.2. Of 60 images 15 of clean are of each class: too few."""
    rare = [i % 4 == 2 for i in range(number)]
    seen = images([0.4 if i % 4 == 0 else 0.8 for i in range(number)], split="test")
    seen["label"] = ["meningioma" if is_rare else "glioma" for is_rare in rare]
    runs = [evaluated(tmp_path, "net", seen)]
    for name, prune in (("few", "copies"), ("rest", "random")):
        changes = {"prune": prune}
        runs.append(evaluated(tmp_path, name, seen, kind="pruned", like="net", changes=changes, prune=prune))
    (found,) = beyond(runs, no_vote, quick, conflicts=[])["copies"]
    fall = found["falls"]["without_copies"]
    assert fall["change"] == pytest.approx(-0.1)
    assert fall["mixed"] == (mixed and pytest.approx(mixed))


def test_a_model_s_augmentation_is_compared_on_validation_over_the_seeds_that_both_have(
    tmp_path: Path, no_vote: Path, quick: Evaluate
) -> None:
    changes, again = {"augment.noise_probability": 0.3}, {"seed": 43}
    recipe = {"kind": "recipe"}
    runs = [
        evaluated(tmp_path, "net", table(0.9, 0.9, 0.8)),
        evaluated(tmp_path, "net-43", table(0.9, 0.9, 0.7), kind="seed", like="net", changes=again, seed=43),
        evaluated(tmp_path, "noisy", table(0.1, 0.1, 0.6), like="net", changes=changes, **recipe),
        evaluated(tmp_path, "noisy-43", table(0.1, 0.1, 0.6), like="noisy", changes=again, seed=43, **recipe),
        evaluated(tmp_path, "noisy-44", table(0.1, 0.1, 0.1), like="noisy", changes=again, seed=44, **recipe),
    ]
    (found,) = beyond(runs, no_vote, quick, conflicts=[])["augmentation"]
    assert (found["model"], found["recipe"], found["seeds"], found["images"]) == ("net", "noisy", [42, 43], N)
    assert (found["chosen"], found["published"]) == (pytest.approx(0.75), pytest.approx(0.6))
    assert found["difference"] == pytest.approx(0.15)
    assert found["by_seed"] == {"42": 0.2, "43": 0.1}
    assert found["changes"] == changes
    assert summarise_recipes(runs, quick) == {"studies": []}  # told once


def test_pretrained_against_scratch_and_flips(tmp_path: Path, no_vote: Path, quick: Evaluate) -> None:
    runs = [
        evaluated(tmp_path, "net", table(0.9, 0.8, flips=0.05)),
        evaluated(tmp_path, "net-scratch", table(0.5, 0.6), like="net", changes={"model.pretrained": False}),
    ]
    found = beyond(runs, no_vote, quick, conflicts=["i000"])
    (row,) = found["pretrained"]
    assert (row["model"], row["scratch"]) == ("net", "net-scratch")
    assert row["subsets"]["official"]["difference"] == pytest.approx(0.3)
    assert row["subsets"]["clean"]["difference"] == pytest.approx(0.2)
    flips = {each["model"]: each["subsets"]["official"] for each in found["flips"]}
    assert flips["net"]["difference"] == pytest.approx(0.05)
    assert flips["net-scratch"]["difference"] == 0
    assert [(row["model"], row["left_out"]) for row in found["conflicts"]] == [("net", 1), ("net-scratch", 1)]
    assert found["vote"] is None


def test_a_vote_is_held_against_its_best_member_on_validation(tmp_path: Path, quick: Evaluate) -> None:
    runs = [
        evaluated(tmp_path, "one", table(0.9, 0.9, 0.5)),
        evaluated(tmp_path, "two", table(0.7, 0.6, 0.6)),
        evaluated(tmp_path, "other", table(0.9, 0.9, 0.9)),
    ]
    write_json(tmp_path / "vote" / "vote.json", {"members": ["one", "two"], "agree": 2})
    table(0.8, 0.7, 0.7).to_csv(tmp_path / "vote" / "per_image.csv", index=False)
    found = beyond(runs, tmp_path / "vote", quick, conflicts=[])["vote"]
    assert (found["best"], found["agree"]) == ("two", 2)
    assert found["subsets"]["official"]["vote"] == pytest.approx(0.75)
    assert found["subsets"]["clean"]["difference"] == pytest.approx(0.1)
    assert found["subsets"]["validation"]["best"] == pytest.approx(0.6)
