import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn

from brisc.errors import InputError
from brisc.evaluation.classification import (
    LABELS,
    PROBABILITIES,
    auroc,
    codes,
    confusion_matrix,
    f1,
    macro,
    measure_labels,
    precision,
    recall,
    summarise_labels,
    weighted,
)

SETTINGS = {
    "resamples": 200,
    "seed": 1,
    "class_weights": {"glioma": 1, "meningioma": 1, "no_tumor": 1, "pituitary": 1},
}
GLIOMA, MENINGIOMA, NO_TUMOR, PITUITARY = range(4)


def rows(true: list[int], probabilities: np.ndarray) -> pd.DataFrame:
    table = measure_labels(probabilities)
    names = [LABELS[k] for k in true]
    return table.assign(
        id=[f"{i:04d}" for i in range(len(table))], group=[f"g{i}" for i in range(len(table))], label=names
    )


def certain(predicted: list[int]) -> np.ndarray:
    return np.eye(4)[predicted]


def draw(n: int, seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """True classes among the first `classes`, and probabilities that know something of them, some of them
    tied."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, 4)).round(1) + 1.5 * np.eye(4)[true]
    exponential = np.exp(logits)
    return true, exponential / exponential.sum(axis=1, keepdims=True)


# measure
# ------------------------------------------------------------------------------------------


def test_labels_are_in_the_order_of_the_net():
    from brisc.data import dataset

    assert dataset.LABELS == LABELS


def test_likeliest_class_is_predicted_and_six_digits_are_kept():
    table = measure_labels([[1 / 3, 2 / 3, 0, 0], [0.1, 0.2, 0.3, 0.4]])
    assert list(table) == ["p_glioma", "p_meningioma", "p_no_tumor", "p_pituitary", "predicted"]
    assert table.iloc[0].tolist() == [0.333333, 0.666667, 0, 0, "meningioma"]
    assert table.iloc[1].tolist() == [0.1, 0.2, 0.3, 0.4, "pituitary"]


def test_of_equal_probabilities_the_first_is_predicted():
    # The last two are equal in the six digits that are written.
    table = measure_labels([[0.25] * 4, [0, 0.5, 0, 0.5], [0.49999999, 0.50000001, 0, 0]])
    assert list(table["predicted"]) == ["glioma", "meningioma", "glioma"]


def test_no_images_give_a_table_without_rows():
    table = measure_labels(np.zeros((0, 4)))
    assert len(table) == 0
    assert list(table) == [*PROBABILITIES, "predicted"]


@pytest.mark.parametrize(
    ("probabilities", "told"),
    [
        ([[0.5, 0.5, 0]], "probabilities of other classes"),
        ([0.25] * 4, "probabilities of other classes"),
        ([[0.25] * 4, [0.5, 0.6, -0.1, 0]], "at row 1"),
        ([[2.0, -1.0, 0.0, 0.5]], "not probabilities"),
        ([[0.3, 0.3, 0.3, 0.0]], "not probabilities"),
        ([[math.nan, 0.5, 0.5, 0]], "not probabilities"),
    ],
)
def test_measure_refuses_what_are_no_probabilities(probabilities, told):
    with pytest.raises(InputError, match=told):
        measure_labels(probabilities)


# scores
# ------------------------------------------------------------------------------------------

# Down: 4 gliomas, 3 meningiomas, 2 healthy, 1 pituitary. Across: what they are taken for.
#   glioma      3 1 0 0
#   meningioma  1 1 1 0
#   no tumour   0 0 2 0
#   pituitary   1 0 0 0
TRUE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
PREDICTED = [0, 0, 0, 1, 0, 1, 2, 2, 2, 0]


def test_scores_by_hand():
    confusion = confusion_matrix(np.array(TRUE), np.array(PREDICTED))
    assert confusion.tolist() == [[3, 1, 0, 0], [1, 1, 1, 0], [0, 0, 2, 0], [1, 0, 0, 0]]
    # Given to the classes: 5, 2, 3, 0 images.
    assert precision(confusion) == pytest.approx([3 / 5, 1 / 2, 2 / 3, 0])
    assert recall(confusion) == pytest.approx([3 / 4, 1 / 3, 1, 0])
    # 2 TP / (given + own): 6/9, 2/5, 4/5, 0/1.
    assert f1(confusion) == pytest.approx([2 / 3, 2 / 5, 4 / 5, 0])
    assert macro(f1(confusion), confusion) == pytest.approx((2 / 3 + 2 / 5 + 4 / 5) / 4)
    assert weighted(f1(confusion), confusion) == pytest.approx((4 * 2 / 3 + 3 * 2 / 5 + 2 * 4 / 5) / 10)
    assert weighted(recall(confusion), confusion) == pytest.approx(6 / 10)


def test_summary_by_hand():
    summary = summarise_labels(rows(TRUE, certain(PREDICTED)), **SETTINGS)
    assert (summary["n_images"], summary["accuracy"]) == (10, 0.6)
    assert summary["precision_macro"] == pytest.approx((3 / 5 + 1 / 2 + 2 / 3) / 4)
    assert summary["recall_macro"] == pytest.approx((3 / 4 + 1 / 3 + 1) / 4)
    assert summary["f1_macro"] == pytest.approx((2 / 3 + 2 / 5 + 4 / 5) / 4)
    assert summary["precision_weighted"] == pytest.approx((4 * 3 / 5 + 3 * 1 / 2 + 2 * 2 / 3) / 10)
    assert summary["recall_weighted"] == pytest.approx(0.6)
    assert summary["f1_weighted"] == pytest.approx((4 * 2 / 3 + 3 * 2 / 5 + 2 * 4 / 5) / 10)
    assert summary["confusion"]["meningioma"] == {"glioma": 1, "meningioma": 1, "no_tumor": 1, "pituitary": 0}
    # Scores are 0 and 1. Gliomas: 3 of 4 have 1, as have 2 of the 6 others: 3/4 x 4/6 above, 3/4 x 2/6 + 1/4
    # x 4/6 tied.
    glioma = summary["by_label"]["glioma"]
    assert {name: value for name, value in glioma.items() if name not in ("f1_low", "f1_high")} == {
        "n": 4,
        "precision": pytest.approx(3 / 5),
        "recall": 0.75,
        "f1": pytest.approx(2 / 3),
        "auroc": pytest.approx(1 / 2 + 5 / 24),
    }
    # No one is taken for a pituitary tumour: all scores are 0, all pairs tied.
    nothing = {"n": 1, "precision": 0, "recall": 0, "f1": 0, "f1_low": None, "f1_high": None, "auroc": 0.5}
    assert summary["by_label"]["pituitary"] == nothing


def test_class_weighted_accuracy_is_that_of_the_official_mix():
    # Recalls 3/4, 1/3, 1, 0 in the mix 4 : 3 : 2 : 1 are the accuracy; in the mix 0 : 0 : 3 : 1 they are 3/4.
    table = rows(TRUE, certain(PREDICTED))
    for weights, expected in [((4, 3, 2, 1), 0.6), ((0, 0, 3, 1), 0.75)]:
        summary = summarise_labels(
            table, **{**SETTINGS, "class_weights": dict(zip(LABELS, weights, strict=True))}
        )
        assert summary["class_weighted"] == {"accuracy": pytest.approx(expected)}


def test_class_without_images_has_no_score_and_leaves_the_means():
    # Two gliomas, one of them taken for the absent meningioma; two pituitary tumours, both right.
    summary = summarise_labels(rows([0, 0, 3, 3], certain([0, 1, 3, 3])), **SETTINGS)
    absent = {"n": 0, **dict.fromkeys(("precision", "recall", "f1", "f1_low", "f1_high", "auroc"))}
    assert summary["by_label"]["meningioma"] == summary["by_label"]["no_tumor"] == absent
    assert summary["recall_macro"] == pytest.approx((1 / 2 + 1) / 2)
    assert summary["precision_macro"] == 1
    assert summary["f1_macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert summary["auroc_macro"] == pytest.approx((3 / 4 + 1) / 2)
    assert summary["class_weighted"] == {"accuracy": None}
    assert summary["confusion"]["glioma"] == {"glioma": 1, "meningioma": 1, "no_tumor": 0, "pituitary": 0}


def test_class_of_all_images_has_no_auroc():
    summary = summarise_labels(rows([2, 2, 2], certain([2, 2, 0])), **SETTINGS)
    assert summary["by_label"]["no_tumor"]["auroc"] is None
    assert summary["auroc_macro"] is None
    assert summary["by_label"]["no_tumor"]["recall"] == summary["accuracy"] == pytest.approx(2 / 3)


def test_subset_without_images_is_all_zero_and_none():
    table = rows(TRUE, certain(PREDICTED))
    summary = summarise_labels(table[:0], **SETTINGS)
    assert set(leaves(summary)) == {0, None}
    assert summary["n_images"] == 0
    assert summary.keys() == summarise_labels(table, **SETTINGS).keys()


def test_auroc_by_hand():
    # Positive 3 and 1, negative 2, 1, 0: of six pairs 3 above all three; 1 above 0, tied with 1, below 2.
    scores, positive = np.array([3.0, 1, 2, 1, 0]), np.array([True, True, False, False, False])
    assert auroc(scores, positive) == 4.5 / 6
    assert auroc(-scores, positive) == 1.5 / 6
    assert auroc(scores, np.zeros(5, dtype=bool)) is None
    assert auroc(scores, np.ones(5, dtype=bool)) is None


@pytest.mark.parametrize(("n", "seed"), [*itertools.product([30, 200], range(4))])
def test_all_scores_are_those_of_scikit_learn(n, seed):
    true, probabilities = draw(n, seed)
    table = rows(true, probabilities)
    predicted, summary = codes(table["predicted"]), summarise_labels(table, **SETTINGS)
    each = sklearn.precision_recall_fscore_support(true, predicted, labels=range(4), zero_division=0)
    for k, label in enumerate(LABELS):
        row = summary["by_label"][label]
        assert [row[name] for name in ("precision", "recall", "f1", "n")] == pytest.approx(
            [values[k] for values in each]
        )
        assert row["auroc"] == pytest.approx(sklearn.roc_auc_score(true == k, table[f"p_{label}"]))
    for kind in ("macro", "weighted"):
        expected = sklearn.precision_recall_fscore_support(true, predicted, average=kind, zero_division=0)[:3]
        assert [summary[f"{name}_{kind}"] for name in ("precision", "recall", "f1")] == pytest.approx(
            expected
        )
    assert summary["accuracy"] == pytest.approx(sklearn.accuracy_score(true, predicted))
    given = [[summary["confusion"][a][b] for b in LABELS] for a in LABELS]
    assert given == sklearn.confusion_matrix(true, predicted, labels=range(4)).tolist()
    one_vs_rest = sklearn.roc_auc_score(np.eye(4)[true], table[list(PROBABILITIES)], average="macro")
    assert summary["auroc_macro"] == pytest.approx(one_vs_rest)


def test_macro_scores_over_the_classes_that_are_there_are_those_of_scikit_learn():
    for seed in range(5):
        true, probabilities = draw(40, seed, classes=3)
        table = rows(true, probabilities)
        predicted, summary = codes(table["predicted"]), summarise_labels(table, **SETTINGS)
        assert (predicted == PITUITARY).any()
        expected = sklearn.precision_recall_fscore_support(
            true, predicted, labels=range(3), average="macro", zero_division=0
        )
        assert [summary[f"{name}_macro"] for name in ("precision", "recall", "f1")] == pytest.approx(
            expected[:3]
        )


# intervals
# ------------------------------------------------------------------------------------------


def test_intervals_of_two_groups_by_hand():
    # Group a: two gliomas, right. Group b: one glioma right, one taken for meningioma. Drawn aa, ab, bb with
    # probability 1/4, 1/2, 1/4: accuracy 1, 3/4, 1/2; macro F1, over glioma alone: 1, 6/7, 2/3.
    table = rows([0] * 4, certain([0, 0, 0, 1])).assign(group=["a", "a", "b", "b"])
    summary = summarise_labels(table, **SETTINGS)
    assert (summary["accuracy"], summary["accuracy_low"], summary["accuracy_high"]) == (0.75, 0.5, 1.0)
    assert (summary["f1_macro_low"], summary["f1_macro_high"]) == (pytest.approx(2 / 3), 1.0)
    assert summary["f1_macro"] == pytest.approx(6 / 7)
    # Of glioma alone the same three: 2 x 4 / 8, 2 x 3 / 7, 2 x 2 / 6.
    glioma = summary["by_label"]["glioma"]
    assert (glioma["f1"], glioma["f1_low"], glioma["f1_high"]) == (
        pytest.approx(6 / 7),
        pytest.approx(2 / 3),
        1.0,
    )


def test_interval_of_f1_is_near_that_of_independent_resamples():
    true, probabilities = draw(150, seed=3)
    table = rows(true, probabilities)
    summary = summarise_labels(table, **{**SETTINGS, "resamples": 1000})
    predicted, rng = codes(table["predicted"]), np.random.default_rng(9)
    values, of_classes = [], []
    for _ in range(1000):
        drawn = rng.integers(0, 150, 150)
        confusion = np.zeros((4, 4))
        np.add.at(confusion, (true[drawn], predicted[drawn]), 1)
        of_classes.append(2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1)))
        values.append(np.mean(of_classes[-1]))
    low, high = np.quantile(values, [0.025, 0.975])
    assert [summary["f1_macro_low"], summary["f1_macro_high"]] == pytest.approx(
        [low, high], abs=0.15 * (high - low)
    )
    assert summary["f1_macro_low"] < summary["f1_macro"] < summary["f1_macro_high"]
    for label, low, high in zip(LABELS, *np.quantile(of_classes, [0.025, 0.975], axis=0), strict=True):
        found = summary["by_label"][label]
        assert [found["f1_low"], found["f1_high"]] == pytest.approx([low, high], abs=0.15 * (high - low))


def test_intervals_are_undefined_with_one_group():
    summary = summarise_labels(rows(TRUE, certain(PREDICTED)).assign(group="a"), **SETTINGS)
    assert [summary[f"{name}_{end}"] for name in ("accuracy", "f1_macro") for end in ("low", "high")] == [
        None
    ] * 4


def test_summary_does_not_depend_on_row_order_and_is_seeded():
    table = rows(*draw(80, seed=5)).assign(group=[f"g{i // 3}" for i in range(80)])
    summary = summarise_labels(table, **SETTINGS)
    assert summarise_labels(table.sample(frac=1, random_state=0), **SETTINGS) == summary
    assert summarise_labels(table, **{**SETTINGS, "seed": 2}) != summary
    assert summarise_labels(table, **{**SETTINGS, "resamples": 201}) != summary


def test_summary_is_plain_json():
    summary = summarise_labels(rows(TRUE, certain(PREDICTED)), **SETTINGS)
    assert {type(leaf) for leaf in leaves(summary)} == {
        int,
        float,
        type(None),
    }  # None: the interval of a class with one image
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def leaves(content):
    for value in content.values():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield value


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("label", "gliom", "unknown label"),
        ("predicted", "gliom", "unknown predicted"),
        ("id", "a", "an image measured twice"),
        ("group", None, "without a group"),
    ],
)
def test_summary_refuses_a_wrong_table(column, value, told):
    with pytest.raises(InputError, match=told):
        summarise_labels(rows(TRUE, certain(PREDICTED)).assign(**{column: value}), **SETTINGS)


def test_summary_refuses_a_table_that_lacks_a_column():
    with pytest.raises(InputError, match="no group, p_glioma"):
        summarise_labels(rows(TRUE, certain(PREDICTED)).drop(columns=["p_glioma", "group"]), **SETTINGS)


def test_summary_refuses_weights_of_unknown_classes():
    with pytest.raises(InputError, match="unknown class weight"):
        summarise_labels(rows(TRUE, certain(PREDICTED)), **{**SETTINGS, "class_weights": {"tumour": 1}})
