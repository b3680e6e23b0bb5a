"""Ranks of many measurements of the same images, as far as these show which is better.

The best of twenty trainings is partly the luckiest one. A rank is therefore a range, and the ranges of all
hold together with one error rate: confidence sets for ranks after Mogstad, Romano, Shaikh and Wilhelm, Review
of Economic Studies 91, 2024, with the studentised maximum over all pairs of differences (Romano and Wolf,
Econometrica 73, 2005) from a bootstrap of groups.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brisc.errors import InputError
from brisc.evaluation.statistics import MIN_GROUPS

_RANK_STREAM = 7  # apart from the draws of other bootstraps with the same seed

# A difference whose spread is below this is one of rounding, or the same for every image.
_NO_SPREAD = 1e-12


class Ranks(NamedTuple):
    """1 is best: `first` when all that are not significantly different from it are worse, `last` when they
    are better."""

    first: int
    last: int


def rank_ranges(
    scores: ArrayLike, *, groups: ArrayLike, resamples: int, seed: int, level: float
) -> list[Ranks]:
    """The ranks that each of C measurements may have; with probability `level` all C true ranks are inside
    theirs.

    scores: (C, N), higher is better, the same N images in each row; groups: (N,) a name for each image's
    group, drawn as a whole. One is significantly better than another when the mean
    difference exceeds c times its standard error, where c is that quantile of the largest studentised
    deviation over all pairs that `level` of the resamples stay below. With fewer than MIN_GROUPS groups no
    difference is significant. Ranks say what other images would change; another training may rank otherwise.

    Raises InputError for shapes that do not fit or scores that are not finite.
    """
    values, codes = np.asarray(scores, dtype=np.float64), pd.factorize(np.asarray(groups), sort=True)[0]
    if values.ndim != 2 or values.shape[1:] != codes.shape or not np.isfinite(values).all():
        raise InputError(
            "scores that cannot be ranked",
            where="ranks",
            got=f"shape {values.shape} and {codes.shape} groups",
            expected="finite (C, N) scores and N groups",
            mend="Measure every training on the same images.",
        )
    count = len(values)
    better = np.zeros((count, count), dtype=np.bool_)
    if count > 1 and codes.max() + 1 >= MIN_GROUPS:
        first, second = np.array(list(itertools.combinations(range(count), 2))).T
        means, resampled = _resampled_means(values, codes, resamples, seed)
        observed, differences = means[first] - means[second], resampled[:, first] - resampled[:, second]
        spread = differences.std(axis=0, ddof=1)
        spread[spread < _NO_SPREAD] = 0.0
        deviations = np.divide(
            np.abs(differences - observed), spread, out=np.zeros_like(differences), where=spread > 0
        )
        needed = np.quantile(deviations.max(axis=1), level) * spread + _NO_SPREAD
        better[first, second], better[second, first] = observed > needed, -observed > needed
    return [Ranks(1 + int(better[:, cell].sum()), count - int(better[cell].sum())) for cell in range(count)]


def _resampled_means(
    values: NDArray[np.float64], codes: NDArray[np.intp], resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (C,) of values (C, N), and those (R, C) of R resamples of as many groups as there are."""
    sums = np.stack([np.bincount(codes, weights=row) for row in values])
    sizes = np.bincount(codes)
    groups = len(sizes)
    drawn = np.random.default_rng([seed, _RANK_STREAM]).multinomial(
        groups, np.full(groups, 1 / groups), size=resamples
    )
    return sums.sum(axis=1) / sizes.sum(), (drawn @ sums.T) / (drawn @ sizes)[:, None]
