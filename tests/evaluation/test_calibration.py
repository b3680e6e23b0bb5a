import math

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from brisc.errors import InputError
from brisc.evaluation.calibration import (
    FLATTEST,
    SHARPEST,
    expected_calibration_error,
    fit_temperature,
    reliability,
    rescale,
    summarise_calibration,
)
from brisc.evaluation.classification import PROBABILITIES, measure_labels
from brisc.vocabulary import LABELS


def rows(true: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    table = measure_labels(probabilities)
    return table.assign(id=range(len(table)), label=[LABELS[k] for k in true])


def softmax(logits: np.ndarray) -> np.ndarray:
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


def draw(n: int, temperature: float, seed: int) -> pd.DataFrame:
    """Images whose class is drawn from softmax(logits), told with confidence softmax(temperature *
    logits)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, size=(n, 4))
    true = np.array([rng.choice(4, p=p) for p in softmax(logits)])
    return rows(true, softmax(temperature * logits))


def loss(table: pd.DataFrame, temperature: float) -> float:
    probabilities = softmax(np.log(table[list(PROBABILITIES)].to_numpy()) / temperature)
    return -np.mean(
        [math.log(p[LABELS.index(label)]) for p, label in zip(probabilities, table["label"], strict=True)]
    )


def test_error_and_diagram_by_hand():
    # Four bins. .3 (wrong) and .5 (right) lie in (.25, .5]: confidence .4, accuracy .5. .9 (right), .8
    # (right) and 1 (wrong) lie in (.75, 1]: confidence .9, accuracy 2/3. Error 2/5 x .1 + 3/5 x (.9 - 2/3).
    diagram = reliability(
        np.array([0.3, 0.5, 0.9, 0.8, 1.0]), np.array([False, True, True, True, False]), bins=4
    )
    assert diagram == [
        {"low": 0.0, "high": 0.25, "n": 0, "confidence": None, "accuracy": None},
        {"low": 0.25, "high": 0.5, "n": 2, "confidence": pytest.approx(0.4), "accuracy": 0.5},
        {"low": 0.5, "high": 0.75, "n": 0, "confidence": None, "accuracy": None},
        {
            "low": 0.75,
            "high": 1.0,
            "n": 3,
            "confidence": pytest.approx(0.9),
            "accuracy": pytest.approx(2 / 3),
        },
    ]
    assert expected_calibration_error(diagram) == pytest.approx(0.4 * 0.1 + 0.6 * (0.9 - 2 / 3))


@pytest.mark.parametrize("bins", [3, 10, 15])
def test_a_confidence_on_an_edge_belongs_to_the_bin_below(bins):
    confidence = np.arange(1, bins + 1) / bins
    assert [row["n"] for row in reliability(confidence, np.ones(bins, dtype=bool), bins=bins)] == [1] * bins


def test_diagram_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.25, 1, 400)
    correct = rng.random(400) < confidence
    diagram = [row for row in reliability(confidence, correct, bins=15) if row["n"] > 0]
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    assert [row["accuracy"] for row in diagram] == pytest.approx(accuracy)
    assert [row["confidence"] for row in diagram] == pytest.approx(mean)


def test_error_is_undefined_without_images():
    diagram = reliability(np.zeros(0), np.zeros(0, dtype=bool), bins=5)
    assert [row["n"] for row in diagram] == [0] * 5
    assert expected_calibration_error(diagram) is None


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_undoes_what_the_net_overstates(temperature):
    table = draw(3000, temperature, seed=1)
    fitted = fit_temperature(table)
    assert fitted == pytest.approx(temperature, rel=0.1)
    summary = summarise_calibration(table, temperature=fitted, bins=15)
    assert summary["ece_scaled"] < 0.03
    assert (summary["ece"] > 0.1) == (temperature != 1)


def test_temperature_has_the_least_loss():
    for seed in range(4):
        table = draw(60, 2.0, seed)
        fitted = fit_temperature(table)
        assert loss(table, fitted) < min(
            loss(table, fitted * 1.01), loss(table, fitted / 1.01), loss(table, 1.0)
        )


def test_temperature_by_hand():
    # Two classes share .8 and .2, and 9 of 10 images are of the likelier: at T the odds are 4 ** (1 / T), at
    # best 9.
    table = rows(np.array([0] * 9 + [1]), np.array([[0.8, 0.2, 0, 0]] * 10))
    assert fit_temperature(table) == pytest.approx(math.log(4) / math.log(9), abs=1e-4)


def test_temperature_does_not_hang_on_the_last_bits_of_the_probabilities():
    table = draw(200, 2.0, seed=2)
    other = table.copy()
    other[list(PROBABILITIES)] = np.nextafter(table[list(PROBABILITIES)], 1)
    assert fit_temperature(other) == fit_temperature(table)


def test_temperature_has_ends():
    right = np.array([[0.7, 0.1, 0.1, 0.1]] * 5)
    assert fit_temperature(rows(np.zeros(5, dtype=int), right)) == SHARPEST  # all right: the surer the better
    assert fit_temperature(rows(np.full(5, 2), right)) == FLATTEST  # all wrong: the less sure the better
    assert fit_temperature(rows(np.arange(4), np.full((4, 4), 0.25))) == 1.0  # nothing to scale


def test_a_probability_of_0_is_no_infinite_loss():
    table = rows(np.array([0, 0, 0, 1]), np.array([[1.0, 0, 0, 0]] * 4))
    assert fit_temperature(table) == FLATTEST
    assert np.isfinite(rescale(np.array([[1.0, 0, 0, 0]]), SHARPEST)).all()


def test_temperature_needs_images():
    with pytest.raises(InputError, match="no images to fit a temperature on"):
        fit_temperature(draw(4, 1.0, seed=0)[:0])


def test_rescaled_probabilities_by_hand():
    # Square roots of .64, .16, .16, .04 are .8, .4, .4, .2, with sum 1.8.
    scaled = rescale(np.array([[0.64, 0.16, 0.16, 0.04]]), 2.0)
    assert scaled.tolist() == [[0.444444, 0.222222, 0.222222, 0.111111]]


def test_temperature_changes_no_accuracy():
    table = draw(300, 2.0, seed=4)
    summary = summarise_calibration(table, temperature=7.0, bins=10)
    accuracies = [
        sum(row["n"] * row["accuracy"] for row in summary[name] if row["n"] > 0)
        for name in ("reliability", "reliability_scaled")
    ]
    assert (
        accuracies[0]
        == pytest.approx(accuracies[1])
        == pytest.approx((table["predicted"] == table["label"]).sum())
    )
    assert [len(summary[name]) for name in ("reliability", "reliability_scaled")] == [10, 10]


def test_summary_without_images_is_undefined():
    summary = summarise_calibration(draw(4, 1.0, seed=0)[:0], temperature=1.5, bins=3)
    assert (summary["ece"], summary["ece_scaled"]) == (None, None)
    assert [row["n"] for row in summary["reliability"] + summary["reliability_scaled"]] == [0] * 6
