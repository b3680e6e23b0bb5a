"""Hand-made results of a few models. With R resamples the smallest p is 2 / (R + 1), here 2 / 1000."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brisc.analysis.compare import compare, compare_scores, published_gaps
from brisc.config import Compare, Evaluate, LikeForLike, Separate, load
from brisc.errors import InputError
from brisc.evaluation.statistics import MIN_GROUPS

SMALLEST_P = 2 / 1000
JOINT = Compare(
    joint=["joint", "joint_b"],
    like_for_like=LikeForLike(mask="twin", label="label_twin"),
    separate=Separate(mask=["net", "other"], label=["classifier"]),
)


@pytest.fixture
def settings(repository: Path) -> Evaluate:
    return replace(load("demo", "evaluate"), bootstrap_resamples=999, bootstrap_seed=1, study_batch_size=2)


def images(tumours: int, healthy: int = 0, validation: int = 0) -> pd.DataFrame:
    """Test images, then validation images; each a group of its own, all tumours gliomas, all test images
    clean, none strict."""
    labels = ["glioma"] * tumours + ["no_tumor"] * healthy + ["glioma"] * validation
    ids = [f"i{i:03}" for i in range(len(labels))]
    test = np.arange(len(labels)) < tumours + healthy
    split = np.where(test, "test", "validation")
    facts = {"id": ids, "split": split, "label": labels, "group": ids}
    return pd.DataFrame({**facts, "official": test.astype(int), "clean": test.astype(int), "strict": 0})


def masks(table: pd.DataFrame, dice: Any) -> pd.DataFrame:
    """Masks of 100 true and 100 predicted pixels, so that the overlap gives the Dice."""
    values = np.broadcast_to(np.asarray(dice, dtype=float), len(table))
    overlap = (100 * values).round().astype(int)
    return table.assign(true_pixels=100, predicted_pixels=100, intersection=overlap, pixels=1000, dice=values)


def labels(table: pd.DataFrame, wrong: Any = ()) -> pd.DataFrame:
    """Every label right but those at the positions `wrong`."""
    predicted = table["label"].to_numpy(dtype=object).copy()
    predicted[list(wrong)] = "pituitary"
    return table.assign(predicted=predicted)


def compared(tables: dict[str, pd.DataFrame], settings: Evaluate, **given: Any) -> dict[str, Any]:
    content = compare(tables, **{"seeds": {}, "joint": JOINT, "gaps": {}, "settings": settings, **given})
    json.dumps(content, allow_nan=False)
    return content


# pairs and order
# ------------------------------------------------------------------------------------------


def test_masks_differ_by_their_dice_on_tumour_slices(settings):
    table = images(tumours=30, healthy=10)
    tumour = (table["label"] == "glioma").to_numpy()
    # Worse on every tumour slice by .2; its Dice of 1 on healthy slices must not count.
    head = compared({"worse": masks(table, np.where(tumour, 0.5, 1)), "better": masks(table, 0.7)}, settings)[
        "heads"
    ]["mask"]
    assert (head["measure"], head["test"]) == ("dice_per_image", "bootstrap")
    official = head["subsets"]["official"]
    assert (official["n"], official["groups"], official["tested"], official["family"]) == (30, 30, True, 1)
    assert [(row["model"], row["letters"]) for row in official["order"]] == [
        ("better", ["a"]),
        ("worse", ["b"]),
    ]
    assert [row["value"] for row in official["order"]] == pytest.approx([0.7, 0.5])
    (pair,) = official["pairs"]
    assert (pair["a"], pair["b"], pair["p"], pair["p_holm"], pair["significant"]) == (
        "better",
        "worse",
        SMALLEST_P,
        SMALLEST_P,
        True,
    )
    assert (pair["difference"], pair["low"], pair["high"]) == pytest.approx((0.2, 0.2, 0.2))


def test_p_values_are_corrected_over_the_pairs_of_the_subset(settings):
    # Three models a constant .1 apart: three p of .002, times 3 each.
    table = images(tumours=30)
    subset = compared(
        {name: masks(table, dice) for name, dice in (("x", 0.7), ("y", 0.8), ("z", 0.9))}, settings
    )
    official = subset["heads"]["mask"]["subsets"]["official"]
    assert [(pair["a"], pair["b"]) for pair in official["pairs"]] == [("z", "y"), ("z", "x"), ("y", "x")]
    assert [pair["p"] for pair in official["pairs"]] == [SMALLEST_P] * 3
    assert [pair["p_holm"] for pair in official["pairs"]] == pytest.approx([3 * SMALLEST_P] * 3)
    assert official["smallest_p"] == pytest.approx(3 * SMALLEST_P)


def test_the_corrected_p_decides(settings):
    # Eight models, 28 pairs, each with the smallest p of .002: corrected, the first is .056.
    scores = {f"m{k}": np.full(40, k / 10) for k in range(8)}
    subset = compare_scores(scores, groups=np.arange(40), exact=False, settings=settings)
    assert {pair["p"] for pair in subset["pairs"]} == {SMALLEST_P}
    assert [pair["p_holm"] for pair in subset["pairs"]] == pytest.approx([28 * SMALLEST_P] * 28)
    assert not any(pair["significant"] for pair in subset["pairs"])
    assert {letter for row in subset["order"] for letter in row["letters"]} == {"a"}


def test_models_in_the_middle_share_letters_with_both_sides(settings):
    # 40 images. b is ahead of c and behind a by an amount that both leave open; a is ahead of c on every
    # image.
    base, wobble = np.full(40, 0.5), np.where(np.arange(40) % 2, 0.2, -0.2)
    scores = {"c": base, "a": base + 0.05, "b": base + 0.025 + wobble}
    subset = compare_scores(scores, groups=np.arange(40), exact=False, settings=settings)
    assert [(row["model"], row["letters"]) for row in subset["order"]] == [
        ("a", ["a"]),
        ("b", ["a", "b"]),
        ("c", ["b"]),
    ]
    assert {(pair["a"], pair["b"]): pair["significant"] for pair in subset["pairs"]} == {
        ("a", "b"): False,
        ("a", "c"): True,
        ("b", "c"): False,
    }


def test_with_few_groups_nothing_is_tested_and_nothing_significant(settings):
    few, enough = np.arange(40) % (MIN_GROUPS - 1), np.arange(40) % MIN_GROUPS
    scores = {"worse": np.zeros(40), "better": np.ones(40)}
    untested = compare_scores(scores, groups=few, exact=True, settings=settings)
    assert (untested["tested"], untested["groups"], untested["smallest_p"]) == (False, MIN_GROUPS - 1, None)
    assert [row["letters"] for row in untested["order"]] == [["a"], ["a"]]
    assert untested["pairs"] == [
        {
            "a": "better",
            "b": "worse",
            "difference": 1.0,
            "low": None,
            "high": None,
            "p": None,
            "p_bootstrap": None,
            "mcnemar": {"a_only": 40, "b_only": 0, "p": None},
            "p_holm": None,
            "significant": False,
        }
    ]
    tested = compare_scores(scores, groups=enough, exact=True, settings=settings)
    assert (tested["tested"], tested["pairs"][0]["significant"]) == (True, True)


def test_a_subset_without_images_has_models_and_no_numbers(settings):
    table = images(tumours=30)
    strict = compared({"x": masks(table, 0.7), "y": masks(table, 0.8)}, settings)["heads"]["mask"]["subsets"][
        "strict"
    ]
    assert (strict["n"], strict["tested"]) == (0, False)
    assert strict["order"] == [
        {"model": "x", "value": None, "letters": ["a"]},
        {"model": "y", "value": None, "letters": ["a"]},
    ]
    assert strict["pairs"][0]["difference"] is None


def test_one_model_has_an_order_and_no_pairs(settings):
    official = compared({"only": labels(images(30), wrong=range(3))}, settings)["heads"]["label"]["subsets"][
        "official"
    ]
    assert official["order"] == [{"model": "only", "value": 0.9, "letters": ["a"]}]
    assert (official["pairs"], official["family"], official["smallest_p"]) == ([], 0, None)


def test_labels_differ_significantly_only_where_mcnemar_agrees(settings):
    # Of 30 images five more are right. No such image is drawn with probability (25/30)^30 = .0042, so the
    # bootstrap has p about .0084; McNemar's 2 / 2^5 = .0625 forbids to call it a difference. Eight more: 2 /
    # 2^8.
    table = images(tumours=30)
    for wrong, mcnemar, significant in ((5, 2 / 32, False), (8, 2 / 256, True)):
        tables = {"worse": labels(table, range(wrong)), "better": labels(table)}
        (pair,) = compared(tables, settings)["heads"]["label"]["subsets"]["official"]["pairs"]
        assert pair["mcnemar"] == {"a_only": wrong, "b_only": 0, "p": mcnemar}
        assert pair["p_bootstrap"] < 0.03
        assert (pair["p"], pair["significant"]) == (mcnemar, significant)
        assert pair["difference"] == pytest.approx(wrong / 30)


def test_copies_of_one_image_are_no_evidence_against_a_label_model(settings):
    # The eight images that decide McNemar's test are copies of one another. A resample lacks that group, and
    # then shows no difference, with probability (22/23)^23 = .36, so the bootstrap has p about .72.
    table = images(tumours=30)
    table["group"] = ["copies"] * 8 + list(table["id"][8:])
    tables = {"worse": labels(table, range(8)), "better": labels(table)}
    official = compared(tables, settings)["heads"]["label"]["subsets"]["official"]
    (pair,) = official["pairs"]
    assert (official["groups"], pair["mcnemar"]["p"], pair["significant"]) == (23, 2 / 256, False)
    assert pair["p"] == pair["p_bootstrap"] == pytest.approx(0.72, abs=0.07)


def test_each_subset_has_its_own_images(settings):
    table = images(tumours=30, healthy=5, validation=25)
    table["clean"] = (table.index < 24).astype(int)
    subsets = compared({"x": labels(table), "y": masks(table, 0.5)}, settings)["heads"]
    assert {name: subset["n"] for name, subset in subsets["label"]["subsets"].items()} == {
        "official": 35,
        "clean": 24,
        "strict": 0,
        "validation": 25,
    }
    assert {name: subset["n"] for name, subset in subsets["mask"]["subsets"].items()} == {
        "official": 30,
        "clean": 24,
        "strict": 0,
        "validation": 25,
    }


def test_order_of_rows_changes_nothing(settings):
    table, rng = images(tumours=30, healthy=5), np.random.default_rng(0)
    tables = {
        name: masks(labels(table, [i]), rng.random(35).round(2)) for i, name in enumerate(("x", "y", "joint"))
    }
    shuffled = {name: t.sample(frac=1, random_state=i) for i, (name, t) in enumerate(tables.items())}
    assert compared(shuffled, settings) == compared(tables, settings)


def test_resamples_and_seed_are_those_of_the_profile(settings):
    table, rng = images(tumours=30), np.random.default_rng(0)
    tables = {name: masks(table, rng.random(30)) for name in ("x", "y")}
    first = compared(tables, settings)
    assert compared(tables, replace(settings, bootstrap_seed=2))["heads"] != first["heads"]
    fewer = compared(tables, replace(settings, bootstrap_resamples=99))
    assert (first["resamples"], fewer["resamples"]) == (999, 99)
    assert fewer["heads"]["mask"]["subsets"]["official"]["smallest_p"] == 2 / 100


def test_results_of_different_images_are_refused(settings):
    with pytest.raises(InputError, match=r"results of y: results of different images: got 29 images"):
        compared({"x": labels(images(30)), "y": labels(images(29))}, settings)
    regrouped = images(30).assign(group="one")
    with pytest.raises(InputError, match="results of different images"):
        compared({"x": labels(images(30)), "y": labels(regrouped)}, settings)
    with pytest.raises(InputError, match="no result of any head"):
        compared({"x": images(30)}, settings)


# joint against separate
# ------------------------------------------------------------------------------------------


def test_joint_is_held_against_its_twin_and_against_the_best_separate_model_on_validation(settings):
    # `other` is the better one on validation and the worse one on test, and validation decides.
    table = images(tumours=30, validation=30)
    test = (table["split"] == "test").to_numpy()
    tables = {
        "net": masks(table, np.where(test, 0.9, 0.5)),
        "other": masks(table, np.where(test, 0.6, 0.8)),
        "twin": masks(table, 0.75),
        "joint": masks(labels(table, [0]), 0.7),
        "classifier": labels(table, [1, 2]),
    }
    found = compared(tables, settings, gaps={"joint": {"dice_study": -0.1, "accuracy": -0.2}})[
        "joint_against_separate"
    ]
    official = {(row["separate"], row["measure"]): row for row in found["subsets"]["official"]}
    assert {key: row["like_for_like"] for key, row in official.items()} == {
        ("twin", "dice_study"): True,
        ("twin", "dice_per_image"): True,
        ("other", "dice_study"): False,
        ("other", "dice_per_image"): False,
        ("classifier", "accuracy"): False,
    }
    twin = official["twin", "dice_study"]
    assert (twin["joint_value"], twin["separate_value"], twin["difference"]) == pytest.approx(
        (0.7, 0.75, -0.05)
    )
    assert twin["published"] == -0.1
    # Two tests by this measure on this subset, both with the smallest p.
    assert (twin["p"], twin["p_holm"], twin["significant"]) == (SMALLEST_P, 2 * SMALLEST_P, True)
    assert official["other", "dice_study"]["difference"] == pytest.approx(0.1)
    accuracy = official["classifier", "accuracy"]
    assert accuracy["difference"] == pytest.approx(1 / 30)
    assert accuracy["mcnemar"] == {"a_only": 2, "b_only": 1, "p": 1.0}
    assert accuracy["significant"] is False
    assert official["twin", "dice_per_image"]["published"] is None
    assert found["published"] == {"dice_study": -0.1, "accuracy": -0.2}
    assert found["like_for_like"] == {"mask": "twin", "label": "label_twin"}  # the second is not trained
    assert all(row["p"] is None and row["difference"] is None for row in found["subsets"]["strict"])


def test_dice_study_of_the_joint_model_pools_over_batches(settings):
    # Batches of two: pairs (1.0, 0.0) whose masks have 100 and 300 true and predicted pixels, so 200 / 800
    # instead of 1/2.
    table = images(tumours=30)
    size = np.where(np.arange(30) % 2, 300, 100)
    right = np.arange(30) % 2 == 0
    joint = masks(table, right).assign(
        true_pixels=size, predicted_pixels=size, intersection=np.where(right, 100, 0)
    )
    found = compared({"joint": joint, "twin": masks(table, 1.0)}, settings)["joint_against_separate"][
        "subsets"
    ]["official"]
    values = {row["measure"]: row["joint_value"] for row in found}
    assert values == pytest.approx({"dice_study": 0.25, "dice_per_image": 0.5})
    (study,) = [row for row in found if row["measure"] == "dice_study"]
    assert study["difference"] == pytest.approx(-0.75)
    assert study["low"] < -0.75 < study["high"] < 0


def test_each_joint_net_is_compared_and_models_that_are_not_listed_are_left_out(settings):
    table = images(tumours=30)
    tables = {
        "joint_b": labels(masks(table, 0.7)),
        "joint": labels(masks(table, 0.7)),
        "label_twin": labels(table),
    }
    rows = compared(tables, settings)["joint_against_separate"]["subsets"]["official"]
    assert [(row["joint"], row["separate"], row["published"]) for row in rows] == [
        ("joint", "label_twin", None),
        ("joint_b", "label_twin", None),
    ]
    assert compared({"net": masks(table, 0.7)}, settings)["joint_against_separate"] is None


def test_published_gaps_are_of_the_nets_that_have_any(settings):
    published = {"models": {"net": {}, "joint_b": {"against_separate": {"dice_study": -4.91}}}}
    gaps = published_gaps(published, ["joint", "net", "joint_b"])
    assert gaps == {"joint_b": {"dice_study": pytest.approx(-0.0491)}}
    table = images(tumours=30, healthy=10)
    tables = {name: masks(labels(table, []), 0.7) for name in ("joint", "joint_b")} | {
        "twin": masks(table, 0.7)
    }
    rows = compared(tables, settings, gaps=gaps)["joint_against_separate"]["subsets"]["official"]
    told = {(row["joint"], row["measure"]): row["published"] for row in rows}
    assert told == {
        ("joint", "dice_study"): None,
        ("joint", "dice_per_image"): None,
        ("joint_b", "dice_study"): pytest.approx(-0.0491),
        ("joint_b", "dice_per_image"): None,
    }
