"""Segmentation metrics. Everything derives from one table with a row per image.

Undefined cases, by name:
- empty against empty (no tumour, none predicted): Dice, IoU and boundary Dice are 1, HD95 is undefined (NaN),
  since there is no boundary to be distant from. monai also gives NaN there; medpy raises.
- empty against not empty, either way round: Dice, IoU and boundary Dice are 0, HD95 is undefined (monai gives
  infinity, which would spoil a mean). A mean HD95 leaves these images out, which flatters a model that misses
  tumours, so their number stands beside it.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from brisc.errors import InputError
from brisc.evaluation.rows import check_rows, class_weighted
from brisc.evaluation.statistics import Interval, Statistic, bootstrap_mean, bootstrap_statistic, wilson
from brisc.vocabulary import HEALTHY, PLANES, TUMOURS

WHERE = "segmentation metrics"

# Tumour area as a fraction of the image: small < SMALL_BELOW <= medium < LARGE_FROM <= large. Round numbers
# beside the tertiles of the 3,933 training masks (0.9 % and 1.8 %): each stratum holds 27 to 40 % of the
# train and test pairs.
SMALL_BELOW, LARGE_FROM = 0.01, 0.02

# One pixel is the least tolerance that a mask drawn on the pixel grid can be held to.
BOUNDARY_TOLERANCE_PX = 1.0

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)

_COLUMNS = (
    "id",
    "group",
    "label",
    "plane",
    "true_pixels",
    "predicted_pixels",
    "intersection",
    "pixels",
    "dice",
    "iou",
    "hd95_px",
    "boundary_dice",
)


def measure(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> pd.DataFrame:
    """A row for each image of prediction and truth, both (B, H, W) bool.

    Columns: `true_pixels`, `predicted_pixels`, `intersection`, `pixels` (counts); `dice`, `iou` (0..1);
    `hd95_px`, the larger of the two directed 95th percentiles of the distances in pixels from one boundary to
    the other (the definition of monai and of DeepMind's surface-distance; medpy pools both directions before
    it takes the percentile); `boundary_dice`, the share of both boundaries that lies within
    BOUNDARY_TOLERANCE_PX of the other (surface Dice, arXiv:1809.04430, counted in boundary pixels). A
    boundary is the pixels of a mask with a 4-neighbour outside it, and what is outside the image is outside
    the mask.

    Raises InputError for other shapes or types.
    """
    if prediction.shape != truth.shape or truth.ndim != 3 or prediction.dtype != bool or truth.dtype != bool:
        raise InputError(
            "masks that cannot be compared",
            where=WHERE,
            got=f"{prediction.dtype} {prediction.shape} and {truth.dtype} {truth.shape}",
            expected="two bool arrays of one shape (B, H, W)",
            mend="Threshold both and bring them to one size.",
        )
    true_pixels = truth.sum(axis=(1, 2))
    predicted_pixels = prediction.sum(axis=(1, 2))
    intersection = (prediction & truth).sum(axis=(1, 2))
    boundaries = [_compare_boundaries(p, t) for p, t in zip(prediction, truth, strict=True)]
    hd95_px, boundary_dice = np.array(boundaries, dtype=np.float64).reshape(-1, 2).T
    return pd.DataFrame(
        {
            "true_pixels": true_pixels,
            "predicted_pixels": predicted_pixels,
            "intersection": intersection,
            "pixels": np.full(len(truth), truth.shape[1] * truth.shape[2]),
            "dice": dice(intersection, predicted_pixels, true_pixels),
            "iou": _iou(intersection, predicted_pixels, true_pixels),
            "hd95_px": hd95_px,
            "boundary_dice": boundary_dice,
        }
    )


def dice_study(pairs: pd.DataFrame, batch_size: int) -> float | None:
    """The study's average: pixels pooled over each batch in order of id, then the mean over the batches.

    The last batch may be short and counts as much as the others. The only average to compare with the
    published 88.22. None without pairs; a batch of empty against empty counts as 1.
    """
    return _mean(dice(*_sums(_counts(pairs), batch_size)))


def dice_study_statistic(pairs: pd.DataFrame, batch_size: int) -> Statistic:
    """`dice_study` of resamples of the pairs, for the bootstraps; positions count in order of id."""
    counts = _counts(pairs)
    return lambda rows: float(dice(*_sums(counts[rows], batch_size)).mean())


def iou_study_statistic(pairs: pd.DataFrame, batch_size: int) -> Statistic:
    """`iou_study` of resamples, as `dice_study_statistic`."""
    counts = _counts(pairs)
    return lambda rows: float(_iou(*_sums(counts[rows], batch_size)).mean())


def iou_study(pairs: pd.DataFrame, batch_size: int) -> float | None:
    """IoU of the foreground, averaged as in `dice_study`: what the study calls mIoU."""
    return _mean(_iou(*_sums(_counts(pairs), batch_size)))


def dice_per_image(pairs: pd.DataFrame) -> float | None:
    """Mean over the images: every tumour counts the same, whatever its size."""
    return _mean(pairs["dice"])


def iou_per_image(pairs: pd.DataFrame) -> float | None:
    """IoU of the foreground, averaged as in `dice_per_image`."""
    return _mean(pairs["iou"])


def dice_pooled(pairs: pd.DataFrame) -> float | None:
    """Pixels pooled over all images: every tumour pixel counts the same, so large tumours dominate."""
    return dice_study(pairs, batch_size=max(1, len(pairs)))


def iou_pooled(pairs: pd.DataFrame) -> float | None:
    """IoU of the foreground, pooled as in `dice_pooled`."""
    return iou_study(pairs, batch_size=max(1, len(pairs)))


def pixel_accuracy(pairs: pd.DataFrame) -> float | None:
    """Share of all pixels, background included, that carry the right answer. None without pixels."""
    count = {
        name: int(pairs[name].sum()) for name in ("pixels", "predicted_pixels", "true_pixels", "intersection")
    }
    if count["pixels"] == 0:
        return None
    wrong = count["predicted_pixels"] + count["true_pixels"] - 2 * count["intersection"]
    return (count["pixels"] - wrong) / count["pixels"]


def summarise(
    table: pd.DataFrame, *, study_batch_size: int, resamples: int, seed: int, class_weights: Mapping[str, int]
) -> dict[str, Any]:
    """All numbers of one subset, as plain Python numbers and None where undefined. Row order does not matter.

    table: the columns of `measure` and `id`, `group`, `label`, `plane`, and in newer ones `dice_native`, see
    brisc.evaluation.native. Healthy slices (label no_tumor) are included. Pairs are the tumour slices, even
    where resizing left no pixel of the mask; every number but `n_images` and `false_alarms` is over pairs
    alone, as in the study. Intervals are those of the bootstrap over groups, at 95 %; the rate of false
    positives has Wilson's. All strata are always there, with n = 0 when empty. class_weights: images of each
    tumour class in the official test set. `class_weighted` is the mean of the class means in that mix, so
    that subsets of another mix compare with it.

    Raises InputError for a table with other columns, labels or planes, repeated ids, or healthy slices with a
    tumour.
    """
    _check(table)
    table = table.sort_values("id", ignore_index=True)
    pairs, healthy = table[table["label"] != HEALTHY], table[table["label"] == HEALTHY]
    fraction = pairs["true_pixels"] / pairs["pixels"]
    by_size = {
        "small": pairs[fraction < SMALL_BELOW],
        "medium": pairs[(fraction >= SMALL_BELOW) & (fraction < LARGE_FROM)],
        "large": pairs[fraction >= LARGE_FROM],
    }
    by_class = {label: pairs[pairs["label"] == label] for label in TUMOURS}
    by_plane = {plane: pairs[pairs["plane"] == plane] for plane in PLANES}
    by_class_plane = {
        f"{label} {plane}": rows[rows["plane"] == plane]
        for label, rows in by_class.items()
        for plane in PLANES
    }
    class_means = {label: dice_per_image(rows) for label, rows in by_class.items()}
    low, high = _dice_interval(pairs, resamples, seed)
    drawn = {"groups": pairs["group"], "resamples": resamples, "seed": seed}
    dice_low, dice_high = bootstrap_statistic(dice_study_statistic(pairs, study_batch_size), **drawn)
    iou_low, iou_high = bootstrap_statistic(iou_study_statistic(pairs, study_batch_size), **drawn)
    wrong = pairs["predicted_pixels"] + pairs["true_pixels"] - 2 * pairs["intersection"]
    right_low, right_high = bootstrap_mean(
        1 - wrong / pairs["pixels"], **drawn
    )  # all images of a cache are of one size
    return {
        "n_images": len(table),
        "n_pairs": len(pairs),
        "dice_study": dice_study(pairs, study_batch_size),
        "dice_study_low": dice_low,
        "dice_study_high": dice_high,
        "iou_study": iou_study(pairs, study_batch_size),
        "iou_study_low": iou_low,
        "iou_study_high": iou_high,
        "dice_per_image": dice_per_image(pairs),
        "dice_per_image_low": low,
        "dice_per_image_high": high,
        **_native(pairs, resamples, seed),
        "iou_per_image": iou_per_image(pairs),
        "dice_pooled": dice_pooled(pairs),
        "iou_pooled": iou_pooled(pairs),
        "pixel_accuracy": pixel_accuracy(pairs),
        "pixel_accuracy_low": right_low,
        "pixel_accuracy_high": right_high,
        **_hd95(pairs),
        "boundary_dice": _mean(pairs["boundary_dice"]),
        "by_class": _strata(by_class, resamples, seed),
        "by_plane": _strata(by_plane, resamples, seed),
        "by_class_plane": _strata(by_class_plane, resamples, seed),
        "by_size": _strata(by_size, resamples, seed),
        "false_alarms": _false_alarms(healthy),
        "class_weighted": {"dice_per_image": class_weighted(class_means, class_weights, where=WHERE)},
    }


def _strata(strata: Mapping[str, pd.DataFrame], resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    summary = {}
    for name, rows in strata.items():
        low, high = _dice_interval(rows, resamples, seed)
        summary[name] = {
            "n": len(rows),
            "dice_per_image": dice_per_image(rows),
            "low": low,
            "high": high,
            "iou_per_image": iou_per_image(rows),
            **_hd95(rows),
        }
    return summary


def _false_alarms(healthy: pd.DataFrame) -> dict[str, Any]:
    """Healthy slices in which at least one pixel is called tumour."""
    n, alarms = len(healthy), int((healthy["predicted_pixels"] > 0).sum())
    low, high = wilson(alarms, n)
    return {
        "n": n,
        "images": alarms,
        "rate": alarms / n if n > 0 else None,
        "low": low,
        "high": high,
        "mean_pixels": _mean(healthy["predicted_pixels"]),
    }


def _hd95(rows: pd.DataFrame) -> dict[str, Any]:
    defined = rows["hd95_px"].dropna()
    return {"hd95_px": _mean(defined), "hd95_undefined": len(rows) - len(defined)}


def _native(pairs: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Nothing for a table that was written before masks were scored at their images' own sizes."""
    if "dice_native" not in pairs:
        return {}
    low, high = bootstrap_mean(pairs["dice_native"], groups=pairs["group"], resamples=resamples, seed=seed)
    return {"dice_native": _mean(pairs["dice_native"]), "dice_native_low": low, "dice_native_high": high}


def _dice_interval(rows: pd.DataFrame, resamples: int, seed: int) -> Interval:
    return bootstrap_mean(rows["dice"], groups=rows["group"], resamples=resamples, seed=seed)


def _check(table: pd.DataFrame) -> None:
    check_rows(table, where=WHERE, columns=_COLUMNS, known={"label": (*TUMOURS, HEALTHY), "plane": PLANES})
    contradictory = table["id"][(table["label"] == HEALTHY) & (table["true_pixels"] > 0)]
    if len(contradictory) > 0:
        raise InputError(
            "healthy slices with a tumour",
            where=WHERE,
            got=sorted(contradictory),
            expected="no true pixels",
            mend="Correct the label or the mask.",
        )


def _compare_boundaries(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """HD95 in pixels and boundary Dice of two masks (H, W)."""
    if not prediction.any() and not truth.any():
        return np.nan, 1.0
    if not prediction.any() or not truth.any():
        return np.nan, 0.0
    x, y, width, height = cv2.boundingRect((prediction | truth).view(np.uint8))
    window = np.s_[y : y + height, x : x + width]
    predicted_boundary, true_boundary = _boundary(prediction[window]), _boundary(truth[window])
    from_prediction = _distance_to(true_boundary)[predicted_boundary]
    from_truth = _distance_to(predicted_boundary)[true_boundary]
    hd95 = max(np.percentile(from_prediction, 95), np.percentile(from_truth, 95))
    close = (from_prediction <= BOUNDARY_TOLERANCE_PX).sum() + (from_truth <= BOUNDARY_TOLERANCE_PX).sum()
    return float(hd95), float(close / (from_prediction.size + from_truth.size))


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # OpenCV's own border would keep the mask from eroding at the edge of the image.
    inside = cv2.erode(mask.astype(np.uint8), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0).astype(
        np.bool_
    )
    return mask & ~inside


def _distance_to(boundary: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Euclidean distance (H, W) of each pixel to the nearest one of the boundary.

    scipy takes the root of whole numbers in float64, so every machine computes the same bits. OpenCV's
    transform is faster and float32, and its last bit depends on the instruction set.
    """
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(~boundary)
    return distance


def _counts(pairs: pd.DataFrame) -> NDArray[np.int64]:
    """Intersection, predicted and true pixels (N, 3) in order of id."""
    counts: NDArray[np.int64] = pairs.sort_values("id")[
        ["intersection", "predicted_pixels", "true_pixels"]
    ].to_numpy(dtype=np.int64)
    return counts


def _sums(counts: NDArray[np.int64], batch_size: int) -> NDArray[np.int64]:
    """Sums (3, batches) of the counts (N, 3) over each batch of rows."""
    sums: NDArray[np.int64] = np.add.reduceat(counts, np.arange(0, len(counts), batch_size), axis=0).T
    return sums


def dice(
    intersection: NDArray[np.int64], predicted: NDArray[np.int64], true: NDArray[np.int64]
) -> NDArray[np.float64]:
    """2 |X.Y| / (|X| + |Y|), the study's form without a smoothing term."""
    return _ratio(2 * intersection, predicted + true)


def _iou(
    intersection: NDArray[np.int64], predicted: NDArray[np.int64], true: NDArray[np.int64]
) -> NDArray[np.float64]:
    return _ratio(intersection, predicted + true - intersection)


def _ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the denominator is 0 both masks are empty, which counts as agreement."""
    return np.divide(numerator, denominator, out=np.ones(len(numerator)), where=denominator > 0)


def _mean(values: pd.Series | NDArray[np.float64]) -> float | None:
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()) if numbers.size > 0 else None
