"""Classification metrics. Everything derives from one table with a row per image.

Undefined cases, by name:
- a class without images: its precision, recall, F1 and AUROC are undefined (None), and means over classes
  leave it out. An image wrongly given to it still counts as an error of the image's own class.
  (scikit-learn's `zero_division=0` would count the class with an F1 of 0 where some image was given to it.)
- a class that is never predicted, with images: precision 0, as scikit-learn's `zero_division=0`; recall and
  F1 are 0 anyway.
- a class that all images belong to: AUROC undefined, since there is nothing to tell it from.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brisc.errors import InputError
from brisc.evaluation.rows import as_written, check_rows, class_weighted
from brisc.evaluation.statistics import Interval, bootstrap_mean, bootstrap_statistic
from brisc.vocabulary import LABELS

WHERE = "classification metrics"

# Columns of per_image.csv, in the order of the label head's logits.
PROBABILITIES = tuple(f"p_{label}" for label in LABELS)

# Rounding to float32 and to six digits moves a sum of four probabilities by far less.
_SUM_TOLERANCE = 1e-3


def measure_labels(probabilities: ArrayLike) -> pd.DataFrame:
    """A row for each image of probabilities (N, 4), in the order of LABELS.

    Columns: `p_<label>`, the probabilities rounded as they are written, and `predicted`, the label of the
    largest of these (the first of several equal ones). Raises InputError for what are no probabilities of
    four classes.
    """
    numbers = np.asarray(probabilities, dtype=np.float64)
    if numbers.ndim != 2 or numbers.shape[1] != len(LABELS):
        raise InputError(
            "probabilities of other classes",
            where=WHERE,
            got=f"shape {numbers.shape}",
            expected=f"(N, {len(LABELS)})",
            mend="Give the label head one output for each class.",
        )
    # Written so that NaN fails too.
    right = (numbers >= 0).all(axis=1) & (np.abs(numbers.sum(axis=1) - 1) <= _SUM_TOLERANCE)
    if not right.all():
        raise InputError(
            "not probabilities",
            where=WHERE,
            got=f"{numbers[~right][0].tolist()} at row {int(np.argmin(right))}",
            expected="four numbers of 0 or more with sum 1",
            mend="Apply softmax to finite logits.",
        )
    table = pd.DataFrame(as_written(numbers), columns=list(PROBABILITIES))
    table["predicted"] = np.array(LABELS, dtype=object)[table.to_numpy().argmax(axis=1)]
    return table


def confusion_matrix(true: NDArray[np.intp], predicted: NDArray[np.intp]) -> NDArray[np.int64]:
    """Images (K, K) by true class, down, and predicted class, across; true and predicted (N,) are positions
    in LABELS."""
    classes = len(LABELS)
    return (
        np.bincount(true * classes + predicted, minlength=classes**2)
        .reshape(classes, classes)
        .astype(np.int64)
    )


def precision(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share (K,) of the images given to a class that belong to it; 0 for a class never predicted."""
    return _ratio(np.diagonal(confusion), confusion.sum(axis=0))


def recall(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share (K,) of the images of a class that are given to it; 0 without images, where it is undefined."""
    return _ratio(np.diagonal(confusion), confusion.sum(axis=1))


def f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) of each class (K,), the harmonic mean of precision and recall; 0 where all
    three are 0."""
    return _ratio(2 * np.diagonal(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def macro(scores: NDArray[np.float64], confusion: NDArray[np.int64]) -> float | None:
    """Mean of the class scores (K,): every class that has images counts the same. None without images."""
    present = scores[confusion.sum(axis=1) > 0]
    return float(present.mean()) if present.size > 0 else None


def weighted(scores: NDArray[np.float64], confusion: NDArray[np.int64]) -> float | None:
    """Mean of the class scores (K,) weighted by the images of each class; None without images.

    Weighted recall is accuracy, and weighted F1 need not lie between weighted precision and weighted recall.
    """
    total = int(confusion.sum())
    return float((scores * confusion.sum(axis=1)).sum() / total) if total > 0 else None


def auroc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    """Chance that a positive image (N,) has a higher score than another one, a tie counting one half
    (Mann-Whitney).

    None unless there are images of both kinds.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    _, value, ties = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - (ties - 1) / 2)[
        value
    ]  # tied ones share their mean rank; whole and half numbers, so sums are exact
    above = rank[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def summarise_labels(
    table: pd.DataFrame, *, resamples: int, seed: int, class_weights: Mapping[str, int]
) -> dict[str, Any]:
    """All numbers of one subset, as plain Python numbers and None where undefined. Row order does not matter.

    table: the columns of `measure_labels` and `id`, `group`, `label`. Intervals are 95 % percentile intervals
    of the bootstrap over groups; a resample that lacks a class takes its macro F1 over the others, and the F1
    of a class is resampled over the groups that have an image of it or one taken for it. class_weights:
    images of each class in the official test set. `class_weighted` accuracy is the mean of the recalls in
    that mix, so that subsets of another mix compare.

    Raises InputError for a table with other columns or labels, or repeated ids.
    """
    check_rows(
        table,
        where=WHERE,
        columns=("id", "group", "label", *PROBABILITIES, "predicted"),
        known={"label": LABELS, "predicted": LABELS},
    )
    table = table.sort_values("id", ignore_index=True)
    true, predicted = codes(table["label"]), codes(table["predicted"])
    confusion = confusion_matrix(true, predicted)
    n = confusion.sum(axis=1)

    def f1_macro(rows: NDArray[np.intp]) -> float:
        drawn = confusion_matrix(true[rows], predicted[rows])
        value = macro(f1(drawn), drawn)
        assert value is not None  # a resample has images
        return value

    correct = (true == predicted).astype(np.float64)
    accuracy_low, accuracy_high = bootstrap_mean(
        correct, groups=table["group"], resamples=resamples, seed=seed
    )
    f1_low, f1_high = bootstrap_statistic(f1_macro, groups=table["group"], resamples=resamples, seed=seed)

    def f1_interval(k: int) -> Interval:
        # 2 TP / (own + given) is the mean of `correct` over the images of the class and those taken for it,
        # twice if both.
        either = np.concatenate([np.flatnonzero(true == k), np.flatnonzero(predicted == k)])
        return bootstrap_mean(
            correct[either], groups=table["group"].to_numpy()[either], resamples=resamples, seed=seed
        )

    f1_intervals = [f1_interval(k) if n[k] > 0 else (None, None) for k in range(len(LABELS))]
    scores = {"precision": precision(confusion), "recall": recall(confusion), "f1": f1(confusion)}
    aurocs = {
        label: auroc(table[f"p_{label}"].to_numpy(dtype=np.float64), true == k)
        for k, label in enumerate(LABELS)
    }
    defined = [value for value in aurocs.values() if value is not None]
    by_label = {
        label: {
            "n": int(n[k]),
            **{name: float(values[k]) if n[k] > 0 else None for name, values in scores.items()},
            **dict(zip(("f1_low", "f1_high"), f1_intervals[k], strict=True)),
            "auroc": aurocs[label],
        }
        for k, label in enumerate(LABELS)
    }
    recalls = {label: row["recall"] for label, row in by_label.items()}
    return {
        "n_images": len(table),
        "accuracy": float(correct.mean()) if len(table) > 0 else None,
        "accuracy_low": accuracy_low,
        "accuracy_high": accuracy_high,
        "f1_macro": macro(scores["f1"], confusion),
        "f1_macro_low": f1_low,
        "f1_macro_high": f1_high,
        "precision_macro": macro(scores["precision"], confusion),
        "recall_macro": macro(scores["recall"], confusion),
        "f1_weighted": weighted(scores["f1"], confusion),
        "precision_weighted": weighted(scores["precision"], confusion),
        "recall_weighted": weighted(scores["recall"], confusion),
        "auroc_macro": float(np.mean(defined)) if defined else None,
        "by_label": by_label,
        "confusion": {
            t: {p: int(confusion[i, j]) for j, p in enumerate(LABELS)} for i, t in enumerate(LABELS)
        },
        "class_weighted": {"accuracy": class_weighted(recalls, class_weights, where=WHERE)},
    }


def codes(labels: pd.Series) -> NDArray[np.intp]:
    """Positions (N,) in LABELS of labels that are known to be among them."""
    return np.array([LABELS.index(label) for label in labels], dtype=np.intp)


def _ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
