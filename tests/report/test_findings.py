"""What is decided before anything is put into words: who leads, what is tied, which verdict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_files import edit, make_significant

from brisc.analysis.findings import find
from brisc.analysis.findings.attention import attention, judge
from brisc.analysis.findings.scores import Lead, Span, leads, scores
from brisc.analysis.results import Results
from brisc.analysis.standing import Pair, tiers
from brisc.vocabulary import HEADS

Read = Callable[[Path], Results]
Build = Callable[..., Path]
MASK = HEADS["mask"]
THREE = ("unet", "attention_unet", "bifpn_unet")
BOTH = ("official", "clean")
A, B, C = THREE


@pytest.fixture
def three(build: Build) -> Path:
    """Three models that segment; their means fall in their order, and no difference is significant."""
    folder = build(source="brisc2025", models=THREE)
    make_significant(folder, "mask", (*BOTH, "strict"), THREE)
    return folder


def said(lead: Lead) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    return lead.verdict, lead.model, lead.tied, lead.behind


# ------------------------------------------------------------------------------------------------ scores


def test_the_difference_of_a_pair_is_signed_as_it_is_asked_for(three: Path, read: Read) -> None:
    found = tiers(read(three), MASK, "official")
    assert found is not None
    assert found.pair(A, C) == Pair(A, C, 0.1, 0.05, 0.15, 0.8, False)
    assert found.pair(C, A) == Pair(C, A, -0.1, -0.15, -0.05, 0.8, False)
    assert found.pair(A, A) is None


def test_without_significant_differences_no_model_leads(three: Path, read: Read) -> None:
    [lead] = leads(read(three), MASK)
    assert said(lead) == ("none", A, (B, C), ())
    assert [score.subset for score in lead.scores] == ["official", "clean"]


def test_subsets_that_say_other_things_are_told_apiece(three: Path, read: Read) -> None:
    make_significant(three, "mask", ["official"], THREE, (A, C))
    official, clean = leads(read(three), MASK)
    assert said(official) == ("among", A, (B,), (C,))
    assert said(clean) == ("none", A, (B, C), ())


def test_a_model_leads_where_all_others_are_significantly_lower(three: Path, read: Read) -> None:
    make_significant(three, "mask", BOTH, THREE, (A, B), (A, C))
    assert [said(lead) for lead in leads(read(three), MASK)] == [("leads", A, (), (B, C))]


@pytest.mark.parametrize(
    ("change", "verdict"), [({"tested": False}, "few_groups"), ({"smallest_p": 0.2}, "few_resamples")]
)
def test_where_no_difference_can_be_significant_nothing_is_ranked(
    three: Path, read: Read, change: dict[str, Any], verdict: str
) -> None:
    edit(
        three / "comparisons.json",
        lambda c: [block.update(change) for block in c["heads"]["mask"]["subsets"].values()],
    )
    assert [lead.verdict for lead in leads(read(three), MASK)] == [verdict]


def test_the_only_model_does_not_lead(build: Build, read: Read) -> None:
    assert [lead.verdict for lead in leads(read(build()), MASK)] == ["only"]


def test_the_change_from_official_to_clean_spans_the_models(three: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        for model, clean, mixed in ((A, 0.75, 0.75), (B, 0.5, 0.625), (C, 0.625, None)):
            metrics[model]["official"]["dice_per_image"] = 1.0
            metrics[model]["clean"] |= {"dice_per_image": clean, "class_weighted": {"dice_per_image": mixed}}
            of_class(metrics[model]["clean"], "glioma", 20)

    edit(three / "metrics.json", plant)
    found = scores(read(three), MASK).change
    assert found is not None
    assert (found.plain, found.weighted, found.rarest) == (Span(-0.5, -0.25), Span(-0.375, -0.25), 20)


def test_a_class_of_few_images_is_not_weighted_up(three: Path, read: Read) -> None:
    edit(three / "metrics.json", lambda m: [of_class(m[model]["clean"], "glioma", 19) for model in (A, B, C)])
    found = scores(read(three), MASK).change
    assert found is not None
    assert (found.weighted, found.rarest) == (None, 19)


def of_class(scores: Any, rarest: str, n: int) -> None:
    """As many images of that class, and more of the others."""
    for label, found in scores["by_class"].items():
        found["n"] = n if label == rarest else n + 10


def test_what_learns_nothing_is_held_against_whole_intervals(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        for model, low in (("unet", 0.42), ("attention_unet", 0.40), ("joint", 0.5)):
            metrics[model]["official"]["dice_per_image_low"] = low  # the nearest mask has 0.41

    edit(copied / "metrics.json", plant)
    official = scores(read(copied), MASK).baselines[0]
    assert (official.subset, official.value, official.above, official.models) == ("official", 0.41, 2, 3)


def test_how_sure_it_is(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        for model, half in (("unet", 0.125), ("attention_unet", 0.25), ("joint", 0.1875)):
            ends = {"dice_per_image_low": 0.5 - half, "dice_per_image_high": 0.5 + half}
            metrics[model]["official"] |= ends

    edit(copied / "metrics.json", plant)
    make_significant(
        copied, "mask", ["official"], ("joint", "unet", "attention_unet"), ("joint", "attention_unet")
    )
    found = scores(read(copied), MASK)
    sure = found.certainty
    assert (sure.width, sure.pairs, sure.significant) == (Span(0.25, 0.5), 3, 1)
    assert (sure.repeated, sure.seeds) == (2, (2,))
    assert sure.spread is not None
    assert sure.spread.high == pytest.approx(0.02 / 2**0.5)  # seeds that differ by two points
    assert sure.spread_clean == sure.spread
    assert found.first == "joint"


# --------------------------------------------------------------------------------------------- attention


def pair(difference: float, *, significant: bool, p: float | None = 0.5) -> Pair:
    return Pair("with", "without", difference, difference - 0.01, difference + 0.01, p, significant)


@pytest.mark.parametrize(
    ("tests", "verdict"),
    [
        ([pair(0.01, significant=False), pair(0.02, significant=False)], ("none", None)),
        ([pair(0.01, significant=True), pair(0.02, significant=False)], ("ahead", "with")),
        ([pair(-0.01, significant=True), pair(-0.02, significant=True)], ("ahead", "without")),
        ([pair(0.01, significant=True), pair(-0.02, significant=True)], ("opposite", None)),
        ([pair(0.01, significant=False, p=None)], ("few_groups", None)),
    ],
)
def test_what_two_subsets_say_of_a_pair_together(tests: list[Pair], verdict: tuple[str, str | None]) -> None:
    assert judge(tests) == verdict


def over_seeds(subset: str, values: tuple[float, ...], low: float | None, high: float | None) -> dict:
    """unet less attention_unet with the seeds 42, 43, ...; the question is the other way round."""
    return {
        "a": "unet",
        "b": "attention_unet",
        "subset": subset,
        "measure": "dice_per_image",
        "n": len(values),
        "differences": {str(42 + i): value for i, value in enumerate(values)},
        "mean": sum(values) / len(values),
        "sd": 0.005,
        "low": low,
        "high": high,
        "smallest_p": 2 ** (1 - len(values)),
    }


def test_the_difference_of_two_models_over_seeds_is_turned_round(three: Path, read: Read) -> None:
    entries = [
        over_seeds("official", (0.25, 0.5), 0.125, 0.75),
        over_seeds("clean", (0.0, 0.25), -0.25, 0.5),
    ]
    edit(three / "comparisons.json", lambda content: content["seeds"].update(pairs=entries))
    found = attention(read(three))
    (_, official), (_, clean) = found.by_seed
    assert official.differences == {"42": -0.25, "43": -0.5}
    assert (official.mean, official.low, official.high) == (-0.375, -0.75, -0.125)
    assert not official.holds_zero
    assert clean.holds_zero
    assert found.sign_test == 0.5


@pytest.mark.parametrize(("seeds", "smallest"), [(5, 0.0625), (6, None)])
def test_a_sign_test_that_can_be_significant_is_not_excused(
    three: Path, read: Read, seeds: int, smallest: float | None
) -> None:
    entry = over_seeds("official", (0.01,) * seeds, 0.005, 0.015)
    edit(three / "comparisons.json", lambda content: content["seeds"].update(pairs=[entry]))
    assert attention(read(three)).sign_test == smallest


@pytest.mark.parametrize(("seeds", "repeated"), [(None, "one_seed"), ({"pairs": []}, "not_both")])
def test_that_another_seed_was_not_tried_is_found(
    three: Path, read: Read, seeds: dict[str, Any] | None, repeated: str
) -> None:
    def plant(content: Any) -> None:
        content["seeds"] = None if seeds is None else content["seeds"] | seeds

    edit(three / "comparisons.json", plant)
    assert attention(read(three)).repeated == repeated


def test_what_was_published_of_attention_stands_beside_the_same_average_of_ours(
    three: Path, read: Read
) -> None:
    def plant(metrics: Any) -> None:
        metrics["attention_unet"]["official"]["dice_study"] = 0.75
        metrics["unet"]["official"]["dice_study"] = 0.5

    edit(three / "metrics.json", plant)
    found = attention(read(three))
    assert (found.published, found.ours) == (pytest.approx(0.8783 - 0.8822), 0.25)


def test_attention_is_left_out_where_a_model_is_missing(build: Build, read: Read) -> None:
    assert attention(read(build())).verdict == "absent"


# -------------------------------------------------------------------------------------------- the others


def test_the_most_common_confusion(copied: Path, read: Read) -> None:
    def plant(metrics: Any) -> None:
        for model in ("mobilenetv2", "densenet121", "joint"):
            for true, row in metrics[model]["official"]["confusion"].items():
                row.update({said: 10 if said == true else 0 for said in row})
        metrics["joint"]["official"]["confusion"]["glioma"]["meningioma"] = 5
        metrics["densenet121"]["official"]["confusion"]["pituitary"]["glioma"] = 4

    edit(copied / "metrics.json", plant)
    found = find(read(copied)).confusion
    assert found is not None
    assert (found.mistakes, found.models, found.most) == (9, 3, 5)
    assert (found.true, found.predicted) == ("glioma", "meningioma")


def test_for_how_many_models_a_temperature_helps(copied: Path, read: Read) -> None:
    errors = {"mobilenetv2": (0.02, 0.01), "densenet121": (0.01, 0.03), "joint": (0.02, None)}

    def plant(metrics: Any) -> None:
        for model, (before, after) in errors.items():
            metrics[model]["official"] |= {"ece": before, "ece_scaled": after}

    edit(copied / "metrics.json", plant)
    found = find(read(copied)).calibration
    assert found is not None
    assert (found.before, found.after, found.lower) == (Span(0.01, 0.02), Span(0.01, 0.03), 1)


def test_the_cheapest_of_those_not_significantly_different_from_the_best(copied: Path, read: Read) -> None:
    def costs(metrics: Any) -> None:
        for model, macs in (("unet", 4e9), ("attention_unet", 2e9), ("joint", 1e9)):
            metrics[model]["cost"]["macs"] = macs

    edit(copied / "metrics.json", costs)
    order = ("unet", "attention_unet", "joint")
    make_significant(copied, "mask", ["official"], order, ("unet", "joint"), ("attention_unet", "joint"))
    found = find(read(copied)).efficiency.cheapest[0]
    assert (found.model, found.first, found.among, found.share) == ("attention_unet", "unet", 2, 0.5)


def test_the_cost_of_all_trainings_counts_threads(build: Build, read: Read) -> None:
    found = find(read(build(source="brisc2025", measured=True))).efficiency.in_all
    assert found is not None
    assert (found.trainings, found.seconds, found.core_seconds) == (2, 6000.0, 11000.0)
    assert found.study_hours == 52
    phantoms = find(read(build(measured=True))).efficiency.in_all
    assert phantoms is not None
    assert phantoms.study_hours is None
    assert find(read(build())).efficiency.in_all is None


def test_how_many_models_fit(five: Path, read: Read) -> None:
    fit = find(read(five)).efficiency.fit
    assert fit is not None
    assert (fit.models, fit.counts) == (5, (("fits", 4), ("tight", 1)))


@pytest.mark.parametrize(
    ("planted", "verdict"),
    [
        ([(0.1, False), (-0.1, False)], "none"),
        ([(-0.1, True), (0.1, False)], "loses"),
        ([(0.1, True), (0.1, False)], "gains"),
        ([(0.1, True), (-0.1, True)], "both"),
    ],
)
def test_whether_a_joint_model_loses_anything(
    copied: Path, read: Read, planted: list[tuple[float, bool]], verdict: str
) -> None:
    def plant(content: Any) -> None:
        entries = content["joint_against_separate"]["subsets"]["official"]
        like = {entry["measure"]: entry for entry in entries if entry["like_for_like"]}
        for measure, (difference, significant) in zip(("dice_study", "accuracy"), planted, strict=True):
            like[measure] |= {"difference": difference, "significant": significant}

    edit(copied / "comparisons.json", plant)
    found = find(read(copied)).joint
    assert (found.verdict, found.compared, found.open) == (verdict, ("mask", "label"), ())
    assert [part.separate for part in found.models[0].differences] == ["unet", "densenet121"]


def test_significant_differences_that_are_not_like_for_like(copied: Path, read: Read) -> None:
    def plant(content: Any) -> None:
        subsets = content["joint_against_separate"]["subsets"]
        for subset, entries in subsets.items():
            like = next(entry for entry in entries if entry["measure"] == "dice_study")
            other = {"separate": "other", "like_for_like": False, "difference": -0.1}
            entries.append({**like, **other, "significant": subset != "official"})

    edit(copied / "comparisons.json", plant)
    (found,) = find(read(copied)).joint.others
    assert (found.model, found.separate, found.measure, found.lower) == ("joint", "other", "dice_study", True)
    assert found.subsets == ("clean", "strict")


def test_the_question_of_joint_models_is_open_for_a_head_not_compared(copied: Path, read: Read) -> None:
    def leave_out(content: Any) -> None:
        block = content["joint_against_separate"]
        block["like_for_like"]["mask"] = "unet_healthy"
        for subset, entries in block["subsets"].items():
            block["subsets"][subset] = [entry for entry in entries if entry["head"] == "label"]

    edit(copied / "comparisons.json", leave_out)
    found = find(read(copied)).joint
    assert (found.compared, found.open) == (("label",), (("mask", "unet_healthy"),))
    assert {part.measure for model in found.models for part in model.differences} == {"accuracy"}


def test_the_grid_s_best_cell_and_those_that_may_be(five: Path, read: Read) -> None:
    grid = find(read(five)).grid
    assert grid is not None
    assert grid.best is not None
    assert (grid.best.optimizer, grid.best.learning_rate, grid.best.score) == ("adam", 5e-5, 0.8)
    assert [(cell.optimizer, cell.learning_rate) for cell in grid.tied] == [("adamw", 5e-5)]
    best_rates = {cell.optimizer: cell.learning_rate for cell in grid.best_rates}
    assert best_rates == {"adam": 5e-5, "sgd": 1e-3, "adamw": 5e-5, "rmsprop": 1e-4}
    assert (grid.cells, grid.diverged, grid.study_epochs) == (20, 1, 20)


def test_recipes_by_verdict(copied: Path, read: Read) -> None:
    edit(copied / "runs.json", lambda runs: runs["unet"]["settings"].update(epochs=8))
    [study] = find(read(copied)).recipes
    by_verdict = [
        [(recipe.run, recipe.flips) for recipe in recipes]
        for recipes in (study.better, study.worse, study.inconclusive)
    ]
    assert by_verdict == [
        [("unet-plain", True)],
        [("unet-bare", False), ("unet-bare", True)],
        [("unet-ema", False), ("unet-ema", True)],
    ]
    assert (study.score, study.diverged, study.model_epochs) == (0.5, ("unet-lost",), 8)


def test_recipes_trained_as_long_as_their_model_or_of_another_need_no_word_on_length(
    copied: Path, read: Read
) -> None:
    assert find(read(copied)).recipes[0].model_epochs is None
    edit(copied / "recipes.json", lambda content: content["studies"][0].update(model="not_a_model"))
    assert find(read(copied)).recipes[0].model_epochs is None


def test_what_was_not_run_is_not_found(build: Build, read: Read) -> None:
    found = find(read(build()))
    assert (found.grid, found.confusion) == (None, None)
    assert (found.recipes, found.joint.verdict, found.efficiency.time) == ((), "absent", None)
