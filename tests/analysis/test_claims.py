"""The ledger: every published figure is in it, and each verdict follows its rule."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from brisc.analysis import claims
from brisc.analysis.claims import (
    Code,
    Finding,
    Ours,
    Verdict,
    by_topic,
    judge_all,
    judged_scores,
    of_study,
    tally,
)
from brisc.analysis.published import Claim, architectures, published_claims
from brisc.analysis.results import Record, Results
from brisc.errors import InputError
from small_results import small_results

REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE, NOT_RUN = Verdict

PUBLISHED = Path(__file__).parents[2] / "published.json"


def found(results: Results, figure: str, **about: Any) -> Finding:
    """The only finding of that kind of figure and of what it is about."""
    [finding] = [
        finding
        for finding in judge_all(results)
        if finding.claim.figure == figure and about.items() <= finding.claim.about.items()
    ]
    return finding


def outcome(finding: Finding) -> tuple[Verdict, Code]:
    return finding.verdict, finding.reason.code


# -----------------------------------------------------------------------------------------------------------
# the claims


def test_every_number_of_published_json_is_a_claim() -> None:
    known = json.loads(PUBLISHED.read_text())
    scores = [
        value / 100
        for model in known["models"].values()
        for block in ("test", "validation", "f1_by_class", "against_separate")
        for value in model.get(block, {}).values()
    ]
    sizes = [model["cost"]["weights_mb"] for model in known["models"].values() if "cost" in model]
    counts = [n for kind in ("images", "pairs") for n in known["data"][kind].values()]
    cells = [known["grid"][source]["dice"] / 100 for source in ("best", "log")]
    times = [
        known["grid"]["minutes"],
        *(known["study"]["cost"][key] for key in ("images_per_second", "gpu_hours")),
    ]
    others = [entry["value"] / 100 for entry in known["others"]]

    listed = published_claims(Record(known, "published.json"))
    not_numbers = ("order", "best_cell", "higher_rates")
    assert sorted(claim.published for claim in listed if claim.figure not in not_numbers) == pytest.approx(
        sorted(scores + sizes + counts + cells + times + others)
    )
    figures = [claim.figure for claim in listed]
    assert [figures.count(figure) for figure in not_numbers] == [4, 2, 1]  # pairs of 2 nets and of 3
    assert set(figures) == set(claims.TABLE)


def test_an_order_is_claimed_from_the_better_to_the_worse() -> None:
    order = found(small_results(), "order", metric="dice_study").claim
    assert (order.about["model"], order.about["other"]) == ("unet", "attention_unet")
    assert order.published == pytest.approx(0.0039)


def test_a_metric_that_is_not_measured_is_an_input_error() -> None:
    with pytest.raises(InputError, match="hausdorff"):
        judge_all(
            small_results(published=lambda known: known["models"]["unet"]["test"].update(hausdorff=3.0))
        )


# -----------------------------------------------------------------------------------------------------------
# the rules


@pytest.mark.parametrize(
    ("published", "low", "high", "digits", "verdict"),
    [
        (0.8822, 0.86, 0.8822, 2, REPRODUCED),
        (0.8822, 0.86, 0.8821, 2, NOT_REPRODUCED),
        (0.8822, 0.8823, 0.89, 2, NOT_REPRODUCED),
        (0.8822, 0.88224, 0.89, 2, REPRODUCED),  # 88.22 may be 88.224
        (0.975, 0.9754, 0.98, 1, REPRODUCED),  # 97.5 may be 97.54
        (0.975, 0.9756, 0.98, 1, NOT_REPRODUCED),
        (-0.0491, -0.06, -0.04, 2, REPRODUCED),
        (-0.0491, -0.03, 0.01, 2, NOT_REPRODUCED),
        (0.8822, None, 0.89, 2, NOT_COMPARABLE),
    ],
)
def test_a_figure_is_reproduced_when_it_lies_in_our_interval(
    published: float, low: float | None, high: float, digits: int, verdict: Verdict
) -> None:
    claim = Claim("segmentation", "score", published, {}, digits)
    assert claims.by_interval(claim, Ours(0.85, low, high))[0] == verdict


@pytest.mark.parametrize(
    ("ours", "points", "side"),
    [(0.8427, 0.0395, "below"), (0.8922, 0.01, "above"), (0.88224, 0.00004, "equal")],
)
def test_how_far_ours_is_from_the_published_figure(ours: float, points: float, side: str) -> None:
    reason = claims.by_interval(Claim("segmentation", "score", 0.8822, {}), Ours(ours, 0.8, 0.9))[1]
    assert reason.numbers == {"points": pytest.approx(points), "side": side}


@pytest.mark.parametrize(
    ("ours", "verdict", "code", "numbers"),
    [
        (1000, REPRODUCED, Code.EQUAL, {}),
        (998, NOT_REPRODUCED, Code.LESS, {"difference": 2}),
        (1003, NOT_REPRODUCED, Code.MORE, {"difference": 3}),
    ],
)
def test_counts_are_equal_or_not(ours: int, verdict: Verdict, code: Code, numbers: dict[str, int]) -> None:
    given, reason = claims.by_count(Claim("data", "count", 1000, {}), Ours(ours))
    assert (given, reason.code, reason.numbers) == (verdict, code, numbers)


@pytest.mark.parametrize(
    ("shows", "verdict", "code"),
    [
        (True, REPRODUCED, Code.SHOWN),
        (False, NOT_REPRODUCED, Code.REVERSED),
        (None, NOT_COMPARABLE, Code.INCONCLUSIVE),
    ],
)
def test_an_order_follows_our_test(shows: bool | None, verdict: Verdict, code: Code) -> None:
    given, reason = claims.by_test(Claim("segmentation", "order", 0.01, {}), Ours(0.02, shows=shows))
    assert (given, reason.code) == (verdict, code)


@pytest.mark.parametrize(
    ("ours", "same_device", "verdict"),
    [
        (45.0, True, REPRODUCED),
        (49.5, True, REPRODUCED),
        (40.5, True, REPRODUCED),
        (49.6, True, NOT_REPRODUCED),
        (45.0, False, NOT_COMPARABLE),
    ],
)
def test_a_speed_counts_on_the_same_device_alone(ours: float, same_device: bool, verdict: Verdict) -> None:
    for same_work in (True, False):
        measured = Ours(ours, facts={"same_device": same_device, "same_work": same_work})
        given = claims.by_speed(Claim("cost", "speed", 45, {}), measured)[0]
        assert given == (verdict if same_work else NOT_COMPARABLE)


@pytest.mark.parametrize(
    ("own", "others", "needed"),
    [
        ([1e-3], [[5e-5], [1e-4]], True),
        ([5e-4, 1e-3], [[5e-5, 1e-4]], True),
        ([1e-4], [[5e-5], [1e-4]], False),
        ([1e-5], [[5e-5]], False),
        ([1e-3], [[5e-5], [5e-4, 1e-3]], None),
        ([5e-5, 1e-3], [[1e-4]], None),
        ([], [[5e-5]], None),
        ([1e-3], [], None),
    ],
)
def test_higher_rates_are_higher_than_every_other(
    own: list[float], others: list[list[float]], needed: bool | None
) -> None:
    assert claims.higher(own, others) is needed


# -----------------------------------------------------------------------------------------------------------
# ours


def test_no_figure_is_comparable_with_phantoms() -> None:
    findings = judge_all(small_results(provenance=lambda origin: origin.update(source="phantom")))
    assert {outcome(finding) for finding in findings} == {(NOT_COMPARABLE, Code.PHANTOM)}
    assert tally(findings) == {
        REPRODUCED: 0,
        NOT_REPRODUCED: 0,
        NOT_COMPARABLE: len(findings),
        NOT_RUN: 0,
    }


def test_architectures_of_the_study_are_its_models_and_those_that_its_settings_name() -> None:
    named = {"settings": [{"setting": "model.arch", "value": "twin"}, {"setting": "epochs", "value": 3}]}
    assert architectures({"net": named, "other": {}}) == {"net", "twin", "other"}


def test_what_others_report_is_not_of_the_study() -> None:
    findings = judge_all(small_results())
    assert [found.claim.figure for found in findings if found not in of_study(findings)] == ["other_score"]


def test_each_topic_has_its_own_tally() -> None:
    topics = by_topic(judge_all(small_results()))
    assert list(topics) == ["data", "segmentation", "classification", "joint", "grid", "cost", "others"]
    assert topics["data"] == {REPRODUCED: 4, NOT_REPRODUCED: 0, NOT_COMPARABLE: 0, NOT_RUN: 0}
    # mobilenetv2 has no run: its accuracy, and its order with densenet121
    assert topics["classification"][NOT_RUN] == 2
    assert topics["others"] == {REPRODUCED: 0, NOT_REPRODUCED: 0, NOT_COMPARABLE: 1, NOT_RUN: 0}


def test_scores_are_counted_by_where_ours_is() -> None:
    """Two intervals lie above the published figure, one below, one holds it; a gap is no score."""
    intervals = [(0.9, 0.92), (0.95, 0.97), (0.7, 0.8), (0.85, 0.9)]
    claim, gap = (Claim("segmentation", figure, 0.88, {}) for figure in ("score", "gap"))
    both = [(claim, Ours((low + high) / 2, low, high)) for low, high in intervals]
    both.append((gap, Ours(0.95, 0.9, 0.99)))
    found = [Finding(claim, ours, *claims.by_interval(claim, ours)) for claim, ours in both]
    assert judged_scores(found) == {"reproduced": 1, "above": 2, "below": 1}


def test_a_metric_is_held_against_its_own_interval() -> None:
    """The study's average not against the interval of the per-image mean, which is another number, here 0.86
    to 0.88."""

    def plant(metrics: dict[str, Any]) -> None:
        metrics["unet"]["official"] |= {"dice_study": 0.87, "dice_study_low": 0.85, "dice_study_high": 0.882}

    finding = found(small_results(metrics=plant), "score", model="unet")
    assert (finding.ours.value, finding.ours.low, finding.ours.high) == (0.87, 0.85, 0.882)
    assert outcome(finding) == (NOT_REPRODUCED, Code.OUTSIDE)  # 88.22 is above 88.2
    assert finding.reason.numbers["deviations"] == 1  # the image size


def test_the_score_of_a_class_stands_beside_ours_without_a_judgement() -> None:
    def plant(metrics: dict[str, Any]) -> None:
        metrics["densenet121"]["official"]["by_label"]["glioma"] |= {"f1_low": 0.9754, "f1_high": 0.99}

    finding = found(small_results(metrics=plant), "class_score", model="densenet121", label="glioma")
    assert (finding.ours.low, *outcome(finding)) == (0.9754, NOT_COMPARABLE, Code.NOT_OF_TEST)


def test_figures_of_others_stand_beside_ours_without_a_judgement() -> None:
    finding = found(small_results(), "other_score")
    assert (finding.ours.value, finding.ours.low, finding.ours.high) == (0.86, 0.85, 0.87)
    assert outcome(finding) == (NOT_COMPARABLE, Code.OF_OTHERS)

    def shrink(metrics: dict[str, Any]) -> None:
        metrics["unet"]["official"].pop("dice_native")

    assert outcome(found(small_results(metrics=shrink), "other_score")) == (NOT_RUN, Code.UNMEASURED)


def test_what_is_missing_is_not_run_or_cannot_be_compared() -> None:
    def remove(metrics: dict[str, Any]) -> None:
        metrics["unet"]["official"].pop("dice_study_low")
        metrics["attention_unet"]["official"]["dice_study"] = None
        metrics["unet"]["cost"] = dict.fromkeys(metrics["unet"]["cost"])

    results = small_results(metrics=remove)
    outcomes = {
        ("score", "unet"): (NOT_COMPARABLE, Code.NO_INTERVAL),
        ("score", "attention_unet"): (NOT_COMPARABLE, Code.UNDEFINED),
        ("score", "mobilenetv2"): (NOT_RUN, Code.UNTRAINED),
        ("speed", "unet"): (NOT_RUN, Code.UNMEASURED),
    }
    for (figure, model), expected in outcomes.items():
        assert outcome(found(results, figure, model=model)) == expected
    assert outcome(found(results, "order", other="attention_unet")) == (NOT_COMPARABLE, Code.UNDEFINED)
    assert outcome(found(results, "hours")) == (NOT_RUN, Code.UNMEASURED)


def test_a_model_without_the_head_was_not_trained_for_it() -> None:
    def publish(known: dict[str, Any]) -> None:
        known["models"]["unet"]["test"]["accuracy"] = 90.0

    finding = found(small_results(published=publish), "score", model="unet", metric="accuracy")
    assert outcome(finding) == (NOT_RUN, Code.UNTRAINED)


def test_validation_is_never_like_for_like() -> None:
    finding = found(small_results(), "validation_score", model="unet")
    assert outcome(finding) == (NOT_COMPARABLE, Code.AUGMENTED)
    assert finding.ours.value == 0.87


def test_an_order_has_the_published_metric_beside_it_and_the_test_of_the_primary_one_behind_it() -> None:
    """The test is of attention_unet less unet, the claim the other way round."""
    finding = found(small_results(), "order", other="attention_unet")
    assert outcome(finding) == (REPRODUCED, Code.SHOWN)
    assert finding.ours.value == pytest.approx(0.01)  # dice_study: 0.87 less 0.86
    assert (finding.ours.low, finding.ours.high) == (None, None)
    test = finding.reason.numbers["test"]
    assert (test.difference, test.low, test.high, test.p) == (0.02, 0.01, 0.03, 0.04)

    def change(**values: Any) -> Finding:
        def plant(content: dict[str, Any]) -> None:
            content["heads"]["mask"]["subsets"]["official"]["pairs"][0] |= values

        return found(small_results(comparisons=plant), "order", other="attention_unet")

    assert outcome(change(difference=0.02, low=0.01, high=0.03)) == (NOT_REPRODUCED, Code.REVERSED)
    assert outcome(change(significant=False)) == (NOT_COMPARABLE, Code.INCONCLUSIVE)


def test_an_order_by_the_primary_metric_has_the_interval_of_the_test() -> None:
    pair = {"a": "densenet121", "b": "net", "difference": 0.03, "low": 0.01, "high": 0.05}
    subset = {"n": 1000, "groups": 400, "tested": True, "family": 1, "smallest_p": 0.001, "order": []}

    def train(metrics: dict[str, Any]) -> None:
        metrics["net"] = copy.deepcopy(metrics["densenet121"])
        metrics["net"]["official"]["accuracy"] = 0.94

    def publish(known: dict[str, Any]) -> None:
        known["models"]["net"] = {"test": {"accuracy": 94.1}}

    def compare(content: dict[str, Any]) -> None:
        pairs = [pair | {"p_holm": 0.04, "significant": True}]
        content["heads"]["label"] = {"subsets": {"official": subset | {"pairs": pairs}}}

    results = small_results(
        metrics=train,
        published=publish,
        comparisons=compare,
        runs=lambda runs: runs.update(net=runs["densenet121"]),
    )
    finding = found(results, "order", model="densenet121", other="net")
    assert finding.ours.value == pytest.approx(0.03)
    assert (finding.ours.low, finding.ours.high) == (0.01, 0.05)


def test_the_gap_of_the_joint_net_is_of_other_images() -> None:
    finding = found(small_results(), "gap")
    assert (finding.ours.value, *outcome(finding)) == (-0.02, NOT_COMPARABLE, Code.OTHER_IMAGES)
    assert (finding.reason.numbers["separate"], finding.claim.about["of"]) == ("unet", "of validation")
    none = small_results(comparisons=lambda content: content.update(joint_against_separate=None))
    assert outcome(found(none, "gap")) == (NOT_RUN, Code.NOT_LIKE_FOR_LIKE)

    def empty(content: dict[str, Any]) -> None:
        content["joint_against_separate"]["subsets"]["official"][0]["difference"] = None

    assert outcome(found(small_results(comparisons=empty), "gap")) == (NOT_COMPARABLE, Code.UNDEFINED)


def test_the_verdicts_of_grid_json_are_taken_over() -> None:
    table, log = (found(small_results(), "best_cell", source=source) for source in ("best", "log"))
    assert table.ours.value == {"optimizer": "adam", "learning_rate": 0.001, "more": 0}
    assert (table.verdict, log.verdict) == (NOT_REPRODUCED, REPRODUCED)
    assert table.reason.numbers["grid"] == {"code": "behind", "better": 1, "others": 3}
    assert (table.reason.numbers["study_epochs"], table.reason.numbers["epochs"]) == (20, 10)

    def tie(grid: dict[str, Any]) -> None:
        grid["cells"][1]["rank_first"] = 1
        grid["claims"][1]["verdict"] = "inconclusive"

    log = found(small_results(grid=tie), "best_cell", source="log")
    assert (log.ours.value["more"], log.verdict) == (1, NOT_COMPARABLE)


def test_the_score_of_a_cell_is_on_augmented_images() -> None:
    finding = found(small_results(), "cell_score", learning_rate=0.001)
    assert (finding.ours.value, *outcome(finding)) == (0.80, NOT_COMPARABLE, Code.AUGMENTED)

    def diverge(grid: dict[str, Any]) -> None:
        grid["cells"][0] |= dict.fromkeys(("score", "low", "high", "epoch", "rank_first", "rank_last"))

    finding = found(small_results(grid=diverge), "cell_score", learning_rate=0.001)
    assert outcome(finding) == (NOT_COMPARABLE, Code.DIVERGED)


def test_the_best_rates_of_an_optimizer_are_those_that_ranks_leave() -> None:
    finding = found(small_results(), "higher_rates")  # both learn best at 0.001
    assert (finding.verdict, finding.ours.value) == (NOT_REPRODUCED, False)

    def rank(grid: dict[str, Any]) -> None:
        grid["cells"][1] |= {"rank_first": 1, "rank_last": 2}

    finding = found(small_results(grid=rank), "higher_rates")
    assert (finding.reason.numbers["own"], finding.reason.numbers["others"]) == (
        [0.001],
        {"adam": [0.0001, 0.001]},
    )
    assert (finding.verdict, finding.ours.value) == (NOT_COMPARABLE, None)


def test_a_weights_file_is_not_compared_with_a_checkpoint() -> None:
    finding = found(small_results(), "size")
    assert (*outcome(finding), finding.reason.numbers["ratio"]) == (
        NOT_COMPARABLE,
        Code.CHECKPOINT,
        4.0,
    )  # 88 / 22


def test_times_are_those_of_all_trainings_on_the_same_device() -> None:
    results = small_results()
    assert [found(results, figure).ours.value for figure in ("speed", "cell_minutes", "hours")] == [
        15.5,
        1.5,  # 90 s
        4.1,  # four hours of models and four cells of 90 s
    ]
    assert found(results, "hours").reason.numbers["trainings"] == 8
    assert outcome(found(results, "hours")) == (NOT_COMPARABLE, Code.OTHER_WORK)  # the study's are 27
    assert outcome(found(results, "speed")) == (NOT_REPRODUCED, Code.SAME_DEVICE)
    mixed = small_results(provenance=lambda origin: origin.update(device="NVIDIA GeForce RTX 3070; Some CPU"))
    assert outcome(found(mixed, "speed")) == (NOT_COMPARABLE, Code.OTHER_DEVICE)
