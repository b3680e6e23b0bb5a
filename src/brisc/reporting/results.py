"""The result files of one profile, read and checked; what is wrong with them is told by file and key."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.errors import InputError

HISTORY = ["model", "epoch", "learning_rate", "train_loss", "validation_loss", "best"]
PER_IMAGE = [
    "model", "id", "split", "label", "plane", "official", "clean", "strict", "true_pixels", "predicted_pixels", "pixels",
    "intersection", "dice",
]  # fmt: skip
SUBSETS = ("official", "clean", "strict")


@dataclass(frozen=True)
class Record:
    """A JSON object that knows where it came from, so that a missing key is told by file and path."""

    content: dict[str, Any]
    where: str

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def __getitem__(self, key: str) -> Any:
        if key not in self.content:
            raise InputError(
                f"no key {key!r}", where=self.where, got=", ".join(self.content) or "no keys", expected=repr(key),
                mend="Run the stage that writes this file again.",
            )  # fmt: skip
        return self.content[key]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.content)

    def record(self, key: str) -> "Record":
        value = self[key]
        if not isinstance(value, dict):
            raise self._not(key, value, "an object")
        return Record(value, f"{self.where}, {key}")

    def records(self) -> dict[str, "Record"]:
        return {key: self.record(key) for key in self.content}

    def number(self, key: str) -> float | None:
        """The value, or None where it is null or NaN: both mean that it is not defined or was not measured."""
        value = self[key]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
            raise self._not(key, value, "a finite number or null")
        return value

    def count(self, key: str) -> int:
        value = self[key]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._not(key, value, "a whole number")
        return value

    def _not(self, key: str, value: Any, expected: str) -> InputError:
        return InputError(
            f"bad value of {key!r}", where=self.where, got=repr(value), expected=expected,
            mend="Run the stage that writes this file again.",
        )  # fmt: skip


@dataclass(frozen=True)
class Results:
    """Everything the report is made of. `audit` is None where no audit was run."""

    profile: str
    metrics: Record
    runs: Record
    provenance: Record
    history: pd.DataFrame
    per_image: pd.DataFrame
    validation: Record
    audit: Record | None
    published: Record

    @property
    def models(self) -> tuple[str, ...]:
        return self.metrics.keys

    @property
    def phantom(self) -> bool:
        return bool(self.provenance["source"] == "phantom")

    def subsets(self, model: str) -> dict[str, Record]:
        """The subsets of the test images on which the model was evaluated, the official set first."""
        scores = self.metrics.record(model)
        return {subset: scores.record(subset) for subset in SUBSETS if subset == "official" or subset in scores}

    def published_scores(self, model: str, split: str) -> Record:
        """Published fractions of `model` by metric; empty where nothing was published."""
        models = self.published.record("models")
        scores = models.record(model) if model in models else Record({}, models.where)
        values = scores.record(split) if split in scores else Record({}, scores.where)
        return Record({key: _over_hundred(values.number(key)) for key in values.keys}, values.where)

    def masks(self) -> tuple[str, ...]:
        """The models that draw tumours."""
        return tuple(model for model in self.models if "dice_study" in self.metrics.record(model).record("official"))


def read_results(reports: Path, *, profile: str, published: Path) -> Results:
    """Read reports/{metrics,runs,provenance,validation}.json, history.csv, per_image.csv and, where there is one, audit.json.

    Raises InputError for a file that is missing or unreadable, a missing column, or files of another profile.
    """
    audit = reports / "audit.json"
    results = Results(
        profile=profile,
        metrics=_read_json(reports / "metrics.json"),
        runs=_read_json(reports / "runs.json"),
        provenance=_read_json(reports / "provenance.json"),
        history=_read_csv(reports / "history.csv", HISTORY),
        per_image=_read_csv(reports / "per_image.csv", PER_IMAGE),
        validation=_read_json(reports / "validation.json"),
        audit=_read_json(audit) if audit.exists() else None,
        published=_read_json(published),
    )
    if results.provenance["profile"] != profile:
        raise InputError(
            "results of another profile", where=reports / "provenance.json", got=results.provenance["profile"],
            expected=profile, mend="Give the folder of the profile that is to be reported.",
        )  # fmt: skip
    if not results.models:
        raise InputError(
            "no models", where=reports / "metrics.json", got="an empty object", expected="one entry for each model",
            mend="Name at least one model in params.yaml.",
        )  # fmt: skip
    return results


def _over_hundred(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _read_json(path: Path) -> Record:
    try:
        content = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise _unreadable(path, "JSON", error) from None
    if not isinstance(content, dict):
        raise _unreadable(path, "a JSON object", type(content).__name__)
    return Record(content, str(path))


def _read_csv(path: Path, columns: list[str]) -> pd.DataFrame:
    _read_text(path)
    try:
        frame = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _unreadable(path, "a CSV table", error) from None
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InputError(
            f"missing column {', '.join(missing)}", where=path, got=", ".join(frame.columns), expected=", ".join(columns),
            mend="Run the stage that writes this file again.",
        )  # fmt: skip
    return frame


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise InputError(
            "no such result file", where=path, got="no file", expected="what an earlier stage writes",
            mend="Run the earlier stages (dvc repro).",
        )  # fmt: skip
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path, "UTF-8", error) from None


def _unreadable(path: Path, kind: str, problem: object) -> InputError:
    return InputError(
        f"not readable as {kind}", where=path, got=" ".join(str(problem).split()), expected=kind,
        mend="Run the stage that writes this file again.",
    )  # fmt: skip
