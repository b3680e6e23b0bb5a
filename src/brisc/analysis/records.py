"""What a training left of itself, read back to be set beside others: summary, seconds, the score of each
validation image."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.config import Evaluate
from brisc.errors import InputError
from brisc.evaluation.statistics import MIN_GROUPS, bootstrap_mean

# Enough for any table, and the same on every machine whatever the order of summation.
DIGITS = 6


@dataclass(frozen=True)
class Records:
    """summary: summary.json. seconds: of the training, None where not measured. images: a row for each
    validation image with id, group and its scores at the best epoch; None without a best epoch."""

    summary: dict[str, Any]
    seconds: float | None
    images: pd.DataFrame | None


def read_records(place: Path, *, what: str, mend: str) -> Records:
    """The records in the folder `place`. Raises InputError, which says `what` is missing and how to `mend`
    it."""
    if not (place / "summary.json").is_file():
        raise InputError(
            f"no result of {what}",
            where=place,
            got="no summary.json",
            expected="a finished training",
            mend=mend,
        )
    summary = json.loads((place / "summary.json").read_text(encoding="utf-8"))
    seconds = json.loads((place / "cost.json").read_text(encoding="utf-8"))["seconds"]
    return Records(
        summary, seconds, pd.read_csv(place / "validation.csv") if summary["best_epoch"] is not None else None
    )


def check_same_images(folder: Path, records: Sequence[tuple[str, Records]], *, what: str) -> None:
    """Raises InputError for the first of `records`, each from folder/<name>/, that measured other images than
    the first."""
    tables = [(name, record.images[["id", "group"]]) for name, record in records if record.images is not None]
    for name, table in tables[1:]:
        if not table.equals(tables[0][1]):
            raise InputError(
                f"{what} measured on different images",
                where=folder / name / "validation.csv",
                got=f"{len(table)} images",
                expected=f"those of {tables[0][0]}",
                mend="Run dvc repro.",
            )


def measure_name(records: Sequence[Records]) -> str:
    """What the score is: that of the only head, dice or accuracy, or `score`, the mean over heads."""
    images = next((record.images for record in records if record.images is not None), None)
    names = [name for name in ("dice", "accuracy") if images is not None and name in images]
    return names[0] if len(names) == 1 else "score"


def interval(values: pd.Series, groups: pd.Series, settings: Evaluate) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean of `values` from a bootstrap over `groups`; of too few groups there is
    none."""
    if groups.nunique() < MIN_GROUPS:
        return None, None
    return bootstrap_mean(
        values, groups=groups, resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed
    )


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
