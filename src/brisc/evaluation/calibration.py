"""Does a label that is given with 80 % confidence turn out right in 80 % of the images? Guo et al. 2017
(arXiv:1706.04599).

Confidence is the largest of an image's probabilities. Everything derives from the columns `label` and
`p_<label>` of per_image.csv, that is from probabilities of six digits.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax

from brisc.errors import InputError
from brisc.evaluation.classification import PROBABILITIES, codes
from brisc.evaluation.rows import as_written

# Where no temperature is best. A net that is right on all validation images wants 0, one that is worse than
# chance wants infinity; beyond these ends the probabilities hardly change any more.
SHARPEST, FLATTEST = 0.05, 20.0

# A probability of 0 would make an infinite loss; float32 logits far apart can give one.
_SMALLEST = 1e-300


def fit_temperature(table: pd.DataFrame) -> float:
    """The T for which softmax(log p / T), that is softmax(logits / T), has the least mean negative
    log-likelihood.

    table: validation images; test images must not decide it. Four significant digits, far finer than what
    some hundred images can tell. It lies within SHARPEST..FLATTEST, and is 1 for a net that gives all classes
    the same probability, which no temperature changes. Raises InputError without images.
    """
    if len(table) == 0:
        raise InputError(
            "no images to fit a temperature on",
            where="calibration",
            got="0 validation images",
            expected="at least one",
            mend="Raise prepare.validation_fraction.",
        )
    logarithm = np.log(np.maximum(_probabilities(table), _SMALLEST))
    of_truth = logarithm[np.arange(len(table)), codes(table["label"])]
    if np.ptp(logarithm, axis=1).max() == 0:
        return 1.0

    def slope(inverse: float) -> float:
        """Derivative of the loss by 1 / T, in which the loss is convex: one sign change at most."""
        return float(((softmax(inverse * logarithm, axis=1) * logarithm).sum(axis=1) - of_truth).mean())

    if slope(1 / FLATTEST) >= 0:
        return FLATTEST
    if slope(1 / SHARPEST) <= 0:
        return SHARPEST
    return float(f"{1 / brentq(slope, 1 / FLATTEST, 1 / SHARPEST, xtol=1e-12):.4g}")


def rescale(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities (N, K) at that temperature, six digits of each; which class is the likeliest does not
    change."""
    return as_written(softmax(np.log(np.maximum(probabilities, _SMALLEST)) / temperature, axis=1))


def reliability(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], *, bins: int
) -> list[dict[str, Any]]:
    """The rows of a reliability diagram: images by confidence, in `bins` equally wide intervals (low, high]
    of 0..1.

    confidence, correct: (N,). Mean confidence and accuracy are None in a bin without images.
    """
    edges = np.arange(bins + 1) / bins
    bin_of = np.searchsorted(edges[1:-1], confidence, side="left")
    rows = []
    for k in range(bins):
        inside = bin_of == k
        n = int(inside.sum())
        rows.append(
            {
                "low": float(edges[k]),
                "high": float(edges[k + 1]),
                "n": n,
                "confidence": float(confidence[inside].mean()) if n > 0 else None,
                "accuracy": float(correct[inside].mean()) if n > 0 else None,
            }
        )
    return rows


def expected_calibration_error(diagram: list[dict[str, Any]]) -> float | None:
    """Distance of accuracy from confidence in each bin, weighted by its images (Guo et al. 2017, equation 3);
    None without any.

    It depends on the number of bins, and a net that gives every image the same confidence can have 0.
    """
    total = sum(row["n"] for row in diagram)
    if total == 0:
        return None
    return float(
        sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in diagram if row["n"] > 0) / total
    )


def summarise_calibration(table: pd.DataFrame, *, temperature: float, bins: int) -> dict[str, Any]:
    """Expected calibration error and reliability diagram of one subset, as the net gives its probabilities
    and `scaled`."""
    table = table.sort_values("id")
    probabilities = _probabilities(table)
    correct = probabilities.argmax(axis=1) == codes(table["label"])
    scaled = rescale(probabilities, temperature)
    diagrams = [reliability(given.max(axis=1), correct, bins=bins) for given in (probabilities, scaled)]
    before, after = (expected_calibration_error(diagram) for diagram in diagrams)
    return {"ece": before, "ece_scaled": after, "reliability": diagrams[0], "reliability_scaled": diagrams[1]}


def _probabilities(table: pd.DataFrame) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = table[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    return probabilities
