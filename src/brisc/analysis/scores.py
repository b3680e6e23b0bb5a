"""What tables of validation scores have in common, of recipes and of cells of the grid: a row for an
image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brisc.config import Evaluate
from brisc.errors import InputError
from brisc.evaluation.statistics import MIN_GROUPS, PairedDifference, bootstrap_mean, paired_bootstrap
from brisc.vocabulary import HEADS

# Enough for any table, and the same on every machine whatever the order of summation.
DIGITS = 6


def check_same_images(folder: Path, tables: Mapping[str, pd.DataFrame], *, what: str) -> None:
    """Raises InputError for the first of `tables`, by name, that has other images than the first."""
    names = list(tables)
    for name in names[1:]:
        first, other = (tables[each][["id", "group"]] for each in (names[0], name))
        if not other.equals(first):
            raise InputError(
                f"{what} measured on different images",
                where=folder / name,
                got=f"{len(other)} images",
                expected=f"those of {names[0]}",
                mend="Run dvc repro.",
            )


def measure_name(tables: Sequence[pd.DataFrame]) -> str:
    """What the score is: that of the only head, dice or accuracy, or `score`, the mean over heads."""
    names = [head.score for head in HEADS.values() if tables and head.score in tables[0]]
    return names[0] if len(names) == 1 else "score"


def interval(values: pd.Series, groups: pd.Series, settings: Evaluate) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean of `values` from a bootstrap over `groups`; of too few there is none."""
    if not testable(groups):
        return None, None
    return bootstrap_mean(
        values, groups=groups, resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed
    )


def testable(groups: ArrayLike) -> bool:
    return len(np.unique(np.asarray(groups))) >= MIN_GROUPS


def paired(a: ArrayLike, b: ArrayLike, groups: ArrayLike, settings: Evaluate) -> PairedDifference:
    """Mean of a less mean of b, of the same images, with interval and p; of too few groups the difference
    alone."""
    found = paired_bootstrap(
        a, b, groups=groups, resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed
    )
    return found if testable(groups) else PairedDifference(found.difference, None, None, None)


def mean_of(scores: pd.Series | NDArray[np.float64]) -> float | None:
    return float(scores.mean()) if len(scores) > 0 else None


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
