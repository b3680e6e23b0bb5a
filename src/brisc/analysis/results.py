"""The result files of one profile, read and checked; what is wrong with them is told by file and key."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.analysis.costs import COSTS
from brisc.errors import InputError
from brisc.vocabulary import HEADS, TEST_SUBSETS, Head

HISTORY = ["run", "epoch", "learning_rate", "train_loss", "validation_loss", "best"]
IMAGES = ["id", "split", "label", "plane", *TEST_SUBSETS]
OF_HEAD = {
    "mask": ["true_pixels", "predicted_pixels", "pixels", "intersection", "dice"],
    "label": ["predicted"],
}


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
                f"no key {key!r}",
                where=self.where,
                got=", ".join(self.content) or "no keys",
                expected=repr(key),
                mend="Run the stage that writes this file again.",
            )
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

    def listed(self, key: str) -> "list[Record]":
        """The objects of a list."""
        value = self[key]
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self._not(key, value, "a list of objects")
        return [Record(entry, f"{self.where}, {key} {i}") for i, entry in enumerate(value)]

    def number(self, key: str) -> float | None:
        """The value, or None where it is null or NaN: both mean that it is not defined or was not
        measured."""
        value = self[key]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
            raise self._not(key, value, "a finite number or null")
        return value

    def optional(self, key: str) -> float | None:
        """As `number`, also None where there is no such key."""
        return self.number(key) if key in self else None

    def count(self, key: str) -> int:
        value = self[key]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._not(key, value, "a whole number")
        return value

    def _not(self, key: str, value: Any, expected: str) -> InputError:
        return InputError(
            f"bad value of {key!r}",
            where=self.where,
            got=repr(value),
            expected=expected,
            mend="Run the stage that writes this file again.",
        )


@dataclass(frozen=True)
class GridResult:
    """The grid of optimisers and rates: a summary with its cells, and a row for each cell and epoch."""

    summary: Record
    history: pd.DataFrame


@dataclass(frozen=True)
class Results:
    """Everything the report is made of; files of the folder are told of in brisc.analysis.collect.

    per_image: one table for each model, a row for each validation and test image. costs: a row for each run
    and each cell of the grid. grid: None where params.yaml leaves it out. recipes: the studies that compare
    recipes, if there are any. out_of_fold: see brisc.analysis.folds. beyond: see brisc.analysis.beyond.
    estimate: memory and work at the size of the full study, counted and not measured.
    """

    profile: str
    metrics: Record
    runs: Record
    provenance: Record
    history: pd.DataFrame
    costs: pd.DataFrame
    per_image: Mapping[str, pd.DataFrame]
    validation: Record
    audit: Record
    comparisons: Record
    grid: GridResult | None
    recipes: tuple[Record, ...]
    out_of_fold: Record
    beyond: Record
    estimate: Record
    published: Record

    @property
    def models(self) -> tuple[str, ...]:
        """In the order of params.yaml."""
        return _models(self.metrics, self.runs)

    @property
    def phantom(self) -> bool:
        return bool(self.provenance["source"] == "phantom")

    def subsets(self, model: str) -> dict[str, Record]:
        """The model's scores on each subset of the test images, the official set first."""
        scores = self.metrics.record(model)
        return {subset: scores.record(subset) for subset in TEST_SUBSETS}

    def heads(self, model: str) -> tuple[Head, ...]:
        """The outputs of the model that were measured, in the order of HEADS."""
        official = self.metrics.record(model).record("official")
        found = tuple(head for head in HEADS.values() if head.published in official)
        if not found:
            raise InputError(
                "no known metric",
                where=official.where,
                got=", ".join(official.keys) or "no keys",
                expected=" or ".join(head.published for head in HEADS.values()),
                mend="Run the evaluate stage again.",
            )
        return found

    def with_head(self, head: Head) -> tuple[str, ...]:
        return tuple(model for model in self.models if head in self.heads(model))

    def masks(self) -> tuple[str, ...]:
        """The models that segment."""
        return self.with_head(HEADS["mask"])

    def labels(self) -> tuple[str, ...]:
        """The models that classify."""
        return self.with_head(HEADS["label"])

    def tumours(self, model: str) -> pd.DataFrame:
        """The rows of per_image/<model>.csv behind the official Dice of a model that segments."""
        rows = self.per_image[model]
        labels = self.subsets(model)["official"].record("by_class").keys
        return rows[(rows["official"] == 1) & rows["label"].isin(labels)]

    def cost(self, model: str) -> Record:
        return self.metrics.record(model).record("cost")

    def cost_of(self, model: str, key: str) -> float | None:
        """One of the costs, None where it was not measured."""
        return self.cost(model).number(key)

    def not_of_study(self) -> list[str]:
        """The runs of an architecture that the study has not."""
        return [name for name, run in self.runs.records().items() if not run["of_study"]]

    def shown(self, run: str) -> str:
        """The run as a chart names it: with a star where the study has not its architecture."""
        return run if self.runs.record(run)["of_study"] else f"{run}*"

    def published_model(self, model: str) -> Record:
        """What the study says of `model`; empty where it says nothing."""
        models = self.published.record("models")
        return models.record(model) if model in models else Record({}, models.where)

    def published_scores(self, model: str, split: str) -> Record:
        """Published fractions of `model` by metric; empty where nothing was published."""
        known = self.published_model(model)
        values = known.record(split) if split in known else Record({}, known.where)
        return Record({key: _over_hundred(values.number(key)) for key in values.keys}, values.where)


def read_results(reports: Path, *, profile: str, published: Path, estimate: Path) -> Results:
    """Read what the earlier stages left in the folder `reports`.

    estimate: reports/paper/estimate.json. Raises InputError for a file that is missing or unreadable, a
    missing column, or files of another profile.
    """
    metrics, runs = _read_json(reports / "metrics.json"), _read_json(reports / "runs.json")
    models = _models(metrics, runs)
    results = Results(
        profile=profile,
        metrics=metrics,
        runs=runs,
        provenance=_read_json(reports / "provenance.json"),
        history=_read_csv(reports / "history.csv", HISTORY),
        costs=_read_csv(reports / "costs.csv", COSTS),
        per_image={model: _read_csv(reports / "per_image" / f"{model}.csv", IMAGES) for model in models},
        validation=_read_json(reports / "validation.json"),
        audit=_read_json(reports / "audit.json"),
        comparisons=_read_json(reports / "comparisons.json"),
        grid=_read_grid(reports),
        recipes=_read_recipes(reports),
        out_of_fold=_read_json(reports / "out_of_fold.json"),
        beyond=_read_json(reports / "beyond.json"),
        estimate=_read_json(estimate),
        published=_read_json(published),
    )
    if results.provenance["profile"] != profile:
        raise InputError(
            "results of another profile",
            where=reports / "provenance.json",
            got=results.provenance["profile"],
            expected=profile,
            mend="Give the folder of the profile that is to be reported.",
        )
    if not models:
        raise InputError(
            "no models",
            where=reports / "runs.json",
            got=", ".join(runs.keys) or "an empty object",
            expected="a run of the kind model",
            mend="Name at least one model in params.yaml.",
        )
    for model in models:
        columns = [column for head in results.heads(model) for column in OF_HEAD[head.name]]
        _check_columns(results.per_image[model], columns, reports / "per_image" / f"{model}.csv")
    return results


def _models(metrics: Record, runs: Record) -> tuple[str, ...]:
    return tuple(run for run in metrics.keys if runs.record(run)["kind"] == "model")


def _read_grid(reports: Path) -> GridResult | None:
    summary = _read_json(reports / "grid.json")
    if not summary.listed("cells"):  # params.yaml may leave the grid out
        return None
    return GridResult(summary, _read_csv(reports / "grid_history.csv", []))


def _read_recipes(reports: Path) -> tuple[Record, ...]:
    studies = _read_json(reports / "recipes.json").listed("studies")
    return tuple(study for study in studies if study.listed("rows"))


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
    _check_columns(frame, columns, path)
    return frame


def _check_columns(frame: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InputError(
            f"missing column {', '.join(missing)}",
            where=path,
            got=", ".join(frame.columns),
            expected=", ".join(columns),
            mend="Run the stage that writes this file again.",
        )


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise InputError(
            "no such result file",
            where=path,
            got="no file",
            expected="what an earlier stage writes",
            mend="Run the earlier stages (dvc repro).",
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path, "UTF-8", error) from None


def _unreadable(path: Path, kind: str, problem: object) -> InputError:
    return InputError(
        f"not readable as {kind}",
        where=path,
        got=" ".join(str(problem).split()),
        expected=kind,
        mend="Run the stage that writes this file again.",
    )
