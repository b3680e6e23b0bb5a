"""What the tables of measured images have in common, whichever head was measured: a row per image, as in
per_image.csv."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brisc.errors import InputError
from brisc.vocabulary import FOLD, VALIDATION

# How numbers are written to per_image.csv.
FLOAT_FORMAT = "%.6g"


def check_rows(
    table: pd.DataFrame, *, where: str, columns: Collection[str], known: Mapping[str, Collection[str]]
) -> None:
    """Raise InputError for a table without one of `columns`, with a value of a column in `known` that is none
    of those given there, or with an id that comes twice."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            "missing columns",
            where=where,
            got=f"no {', '.join(missing)}",
            expected=f"{', '.join(columns)}",
            mend="Join what was measured with id, group, label and plane.",
        )
    for name, values in known.items():
        unknown = sorted(set(table[name]) - set(values), key=str)
        if unknown:
            raise InputError(
                f"unknown {name}",
                where=where,
                got=unknown,
                expected=f"one of {sorted(values)}",
                mend="Correct it.",
            )
    repeated = table["id"][table["id"].duplicated()]
    if len(repeated) > 0:
        raise InputError(
            "an image measured twice",
            where=where,
            got=sorted(set(repeated)),
            expected="one row for each id",
            mend="Give each image once.",
        )


def subset_of(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of a table of per-image results that are in the subset `name`."""
    of_split = {VALIDATION: VALIDATION, FOLD: "test"}  # a run with a fold has that as its test
    return table[table["split"] == of_split[name]] if name in of_split else table[table[name] == 1]


def class_weighted(
    means: Mapping[str, float | None], weights: Mapping[str, int], *, where: str
) -> float | None:
    """The mean of class means in another mix of classes: that of the official test set, so that subsets
    compare with it.

    None when a class that has a weight has no mean, or none has a weight. Raises InputError for a weight of
    an unknown class.
    """
    unknown = sorted(weights.keys() - means.keys())
    if unknown:
        raise InputError(
            "unknown class weight",
            where=where,
            got=unknown,
            expected=f"one of {sorted(means)}",
            mend="Correct it.",
        )
    total = 0.0
    for label, weight in sorted(weights.items()):
        mean = means[label]
        if weight > 0 and mean is None:
            return None
        total += weight * (mean or 0.0)
    return total / sum(weights.values()) if sum(weights.values()) > 0 else None


def as_written(values: ArrayLike) -> NDArray[np.float64]:
    """The numbers that a reader of per_image.csv finds: six significant digits of each.

    What is derived from these, and not from the full ones, can be derived from the file as well, and does not
    depend on the last bits of a processor's exponential function.
    """
    numbers = np.asarray(values, dtype=np.float64)
    return np.array([float(FLOAT_FORMAT % value) for value in numbers.flat], dtype=np.float64).reshape(
        numbers.shape
    )
