"""Intervals and tests for numbers that are measured on images which are not all independent of each other.

Copies of a slice and slices close to it form a group, which is drawn as a whole, so that a copied image does
not count as new evidence (cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their Application,
1997, section 3.8).
"""

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from statistics import fmean, stdev
from string import ascii_lowercase
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from brisc.errors import InputError

# The convention of every table of the study's field, and not a setting of a profile.
LEVEL = 0.95

# With fewer groups a percentile bootstrap gives intervals that are too narrow, and finds differences that are
# not there.
MIN_GROUPS = 20

# The draws of the two bootstraps do not overlap when they are given the same seed.
_MEAN_STREAM, _PAIRED_STREAM = 0, 1

# Draws held in memory at once; 8 bytes each, and as much again for what is looked up with them.
_DRAWS_PER_BLOCK = 2**20

Interval = tuple[float | None, float | None]

# A number of the images at these positions (N,), ascending, each as often as it was drawn.
Statistic = Callable[[NDArray[np.intp]], float]


class PairedDifference(NamedTuple):
    """mean(a) - mean(b), its interval, and the two-sided p of no difference; None where undefined."""

    difference: float | None
    low: float | None
    high: float | None
    p: float | None


def bootstrap_mean(
    values: ArrayLike, *, groups: ArrayLike, resamples: int, seed: int, level: float = LEVEL
) -> Interval:
    """Percentile interval of mean(values) when whole groups are drawn with replacement.

    values: (N,) finite numbers, groups: (N,) a name for each value's group. A resample draws as many groups
    as there are and divides the sum of their values by the number of their values, so that large groups weigh
    as they do in the mean itself. (None, None) with fewer than two groups, where nothing is known about the
    spread. With fewer than about 20 groups the interval is too narrow, as any percentile bootstrap is.

    Raises InputError for values that are not finite, a value without a group, or lengths that differ.
    """
    sums, sizes = _group_sums(values, groups)
    if len(sums) < 2:
        return None, None
    return _percentile_interval(_resampled_means(sums, sizes, resamples, [seed, _MEAN_STREAM]), level)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, groups: ArrayLike, resamples: int, seed: int, level: float = LEVEL
) -> PairedDifference:
    """Difference of the means of two measurements a, b: (N,) of the same images, groups drawn as above.

    p turns the interval into a test: it is twice the smaller share of resampled differences at 0 or on one
    side of it, with 1 added to count and total so that it is never 0. So p < 1 - level goes with an interval
    without 0. Without values all four are None; with one group only the difference is known.

    Raises InputError as `bootstrap_mean` does.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise InputError(
            "two measurements that do not pair up",
            where="paired bootstrap",
            got=f"{first.shape} and {second.shape}",
            expected="one value of each for every image",
            mend="Measure both on the same images.",
        )
    sums, sizes = _group_sums(first - second, groups)
    if len(sums) == 0:
        return PairedDifference(None, None, None, None)
    difference = float(sums.sum() / sizes.sum())
    if len(sums) == 1:
        return PairedDifference(difference, None, None, None)
    return _tested(difference, _resampled_means(sums, sizes, resamples, [seed, _PAIRED_STREAM]), level)


def bootstrap_statistic(
    statistic: Statistic, *, groups: ArrayLike, resamples: int, seed: int, level: float = LEVEL
) -> Interval:
    """As `bootstrap_mean`, for a number that is no mean over images, such as macro F1; far slower, one call a
    resample.

    groups: (N,). Raises InputError for an image without a group and where the statistic is not finite on a
    resample: what it is there has to be defined by the statistic.
    """
    codes, number = _group_codes(groups)
    if number < 2:
        return None, None
    return _percentile_interval(
        _resampled_statistic(statistic, codes, number, resamples, [seed, _MEAN_STREAM]), level
    )


def paired_bootstrap_statistic(
    a: Statistic, b: Statistic, *, groups: ArrayLike, resamples: int, seed: int, level: float = LEVEL
) -> PairedDifference:
    """As `paired_bootstrap`, for a - b of a number that is no mean over images, such as the study's Dice."""
    codes, number = _group_codes(groups)
    if number == 0:
        return PairedDifference(None, None, None, None)

    def minus(rows: NDArray[np.intp]) -> float:
        return a(rows) - b(rows)

    difference = float(minus(np.arange(len(codes))))
    if number == 1:
        return PairedDifference(difference, None, None, None)
    return _tested(
        difference, _resampled_statistic(minus, codes, number, resamples, [seed, _PAIRED_STREAM]), level
    )


def letters(order: Sequence[str], told_apart: Collection[frozenset[str]]) -> dict[str, list[str]]:
    """Compact letter display: two models share a letter exactly where they are not significantly different
    (Piepho 2004).

    order: the models, best first; told_apart: the pairs that are significantly different. That two are not is
    not transitive, so a model may carry several letters: with the pair a, c alone, a has "a", b has "a" and
    "b", c has "b". The letters are the largest sets without such a pair, named a, b, ... from the best model
    on, and after z: aa, ab, ...
    """
    sets = [frozenset(order)]
    for pair in sorted(told_apart, key=sorted):
        split = [
            part for held in sets for part in ([held - {model} for model in pair] if pair <= held else [held])
        ]
        sets = [part for part in dict.fromkeys(split) if not any(part < other for other in split)]
    sets.sort(key=lambda held: sorted(order.index(model) for model in held))
    names = (
        "".join(name)
        for length in itertools.count(1)
        for name in itertools.product(ascii_lowercase, repeat=length)
    )
    named = list(zip(names, sets, strict=False))
    return {model: [name for name, held in named if model in held] for model in order}


def student_interval(values: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Interval of the mean that few independent values, taken for normal, are drawn around (Student 1908).

    (None, None) with fewer than two. The bootstrap is no help there: it cannot leave the range of what was
    seen.
    """
    if len(values) < 2:
        return None, None
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def mcnemar_exact(b_only: int, c_only: int) -> float:
    """Two-sided p that two models err equally often, from the images that only one of them gets right
    (McNemar 1947).

    Under that hypothesis b_only is Binomial(b_only + c_only, 1/2); the tail is summed in whole numbers. 1.0
    when the models never differ. Raises InputError for negative counts.
    """
    if b_only < 0 or c_only < 0:
        raise InputError(
            "a negative count",
            where="McNemar's test",
            got=(b_only, c_only),
            expected="two counts of 0 or more",
            mend="Count the images that only one of the two models gets right.",
        )
    n = b_only + c_only
    tail = sum(math.comb(n, k) for k in range(min(b_only, c_only) + 1))
    return min(1.0, 2 * tail / (1 << n))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being many, in the order given (Holm 1979); controls the chance of any false
    discovery.

    Raises InputError for a value outside 0..1, NaN included.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise InputError(
            "not p-values",
            where="Holm's adjustment",
            got=list(p_values),
            expected="numbers from 0 to 1",
            mend="Leave undefined tests out before adjusting.",
        )
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = float(largest)
    return adjusted


def wilson(k: int, n: int, *, level: float = LEVEL) -> Interval:
    """Score interval of a proportion k of n (Wilson 1927). It stays inside 0..1 and has a width at k = 0 and
    k = n.

    The n cases are taken as independent. (None, None) for n = 0. Raises InputError unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise InputError(
            "not a proportion",
            where="Wilson's interval",
            got=f"{k} of {n}",
            expected="0 <= k <= n",
            mend="Count the cases again.",
        )
    if n == 0:
        return None, None
    z = float(ndtri((1 + level) / 2))
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(k * (n - k) / n + z**2 / 4)
    # Rounding must not leave the 0 and 1 that the formula has at its ends.
    low = 0.0 if k == 0 else centre - half
    high = 1.0 if k == n else centre + half
    return low, high


def _group_sums(values: ArrayLike, groups: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum and number of the values of each group (G,), groups sorted by name so that row order does not
    matter."""
    numbers = np.asarray(values, dtype=np.float64)
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    if numbers.ndim != 1 or numbers.shape != codes.shape:
        raise InputError(
            "values and groups do not match",
            where="bootstrap",
            got=f"shapes {numbers.shape} and {codes.shape}",
            expected="one group for each value",
            mend="Take both from the same rows.",
        )
    undefined, ungrouped = int((~np.isfinite(numbers)).sum()), int((codes < 0).sum())
    if undefined or ungrouped:
        raise InputError(
            "not all images can be drawn",
            where="bootstrap",
            got=f"{undefined} values that are not finite, {ungrouped} without a group",
            expected="neither",
            mend="Leave undefined values out and count them; give every image a group.",
        )
    sums = np.bincount(codes, weights=numbers, minlength=len(names)).astype(np.float64)
    sizes = np.bincount(codes, minlength=len(names)).astype(np.int64)
    return sums, sizes


def _group_codes(groups: ArrayLike) -> tuple[NDArray[np.intp], int]:
    """The number of each image's group (N,), groups sorted by name, and how many groups there are."""
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    if (codes < 0).any():
        raise InputError(
            "not all images can be drawn",
            where="bootstrap",
            got=f"{int((codes < 0).sum())} without a group",
            expected="none",
            mend="Give every image a group.",
        )
    return codes, len(names)


def _draws(groups: int, resamples: int, seed: list[int]) -> Iterator[NDArray[np.int64]]:
    """Blocks of resamples (r, G): the numbers of G groups drawn with replacement from G."""
    rng = np.random.default_rng(seed)
    block = max(1, _DRAWS_PER_BLOCK // groups)
    for start in range(0, resamples, block):
        yield rng.integers(0, groups, size=(min(block, resamples - start), groups))


def _resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.int64], resamples: int, seed: list[int]
) -> NDArray[np.float64]:
    """Means (R,) over the values of the groups drawn, for each of R resamples."""
    means = [
        sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1) for drawn in _draws(len(sums), resamples, seed)
    ]
    return np.concatenate(means)


def _resampled_statistic(
    statistic: Statistic, codes: NDArray[np.intp], groups: int, resamples: int, seed: list[int]
) -> NDArray[np.float64]:
    """The statistic (R,) of the images of the groups drawn, for each of R resamples; the draws of
    `_resampled_means`."""
    images = np.arange(len(codes))
    values = np.array(
        [
            statistic(np.repeat(images, np.bincount(drawn, minlength=groups)[codes]))
            for block in _draws(groups, resamples, seed)
            for drawn in block
        ],
        dtype=np.float64,
    )
    if not np.isfinite(values).all():
        raise InputError(
            "a statistic that is not defined on every resample",
            where="bootstrap",
            got=f"{int((~np.isfinite(values)).sum())} of {resamples} not finite",
            expected="a finite number of any images",
            mend="Define the statistic where a class or a tumour is absent.",
        )
    return values


def _tested(difference: float, resampled: NDArray[np.float64], level: float) -> PairedDifference:
    smaller_side = min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    p = min(1.0, 2 * (smaller_side + 1) / (len(resampled) + 1))
    return PairedDifference(difference, *_percentile_interval(resampled, level), p)


def _percentile_interval(resampled: NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
