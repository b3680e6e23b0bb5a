"""The evaluated runs of a profile, read back from runs/P/eval/<run>/."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.errors import InputError


@dataclass(frozen=True)
class Evaluated:
    """A run with its results, see brisc.evaluation.evaluate and brisc.training.result for each.

    about: run.json. cost: of the training. inference: empty for a run that is judged on validation alone.
    """

    name: str
    folder: Path
    about: dict[str, Any]
    summary: dict[str, Any]
    cost: dict[str, Any]
    metrics: dict[str, Any]
    inference: dict[str, Any]
    history: pd.DataFrame

    @property
    def kind(self) -> str:
        return str(self.about["kind"])

    def images(self) -> pd.DataFrame:
        """A row for each image: of per_image.csv or, judged on validation alone, of validation.csv."""
        name = "validation.csv" if self.kind == "recipe" else "per_image.csv"
        return read_table(self.folder / name)


def read_runs(folder: Path, names: Sequence[str]) -> list[Evaluated]:
    """The runs in the order of `names`. Raises InputError for the first that is missing, for a model that
    diverged, and for a run that was trained or measured on other data than the first."""
    runs = [_read(folder / name) for name in names]
    for run in runs:
        data, first = (read_result(each.folder / "data.json") for each in (run, runs[0]))
        if data != first:
            raise InputError(
                "results of different data",
                where=run.folder / "data.json",
                got=data["fingerprint"],
                expected=f"{first['fingerprint']}, as in {runs[0].folder}",
                mend="Run dvc repro.",
            )
    return runs


def of_kind(runs: Sequence[Evaluated], kind: str) -> list[Evaluated]:
    return [run for run in runs if run.kind == kind]


def model_of(run: Evaluated, by_name: Mapping[str, Evaluated]) -> str:
    """The model that a run is like, through runs of its own kind and runs with another seed; the run itself
    where it is like none."""
    name = str(run.about["like"] or run.name)
    while name in by_name and by_name[name].kind in (run.kind, "seed") and by_name[name].about["like"]:
        name = str(by_name[name].about["like"])
    return name


def _read(folder: Path) -> Evaluated:
    training = folder / "training"
    about, summary = read_result(folder / "run.json"), read_result(training / "summary.json")
    if about["kind"] != "recipe" and summary["best_epoch"] is None:
        raise InputError(
            "a training that diverged has no results on test",
            where=folder,
            got=f"a loss that is not finite in epoch {summary['diverged_at']}",
            expected="a best epoch",
            mend="Lower its learning rate, leave it out of `runs`, or judge it on validation.",
        )
    return Evaluated(
        name=folder.name,
        folder=folder,
        about=about,
        summary=summary,
        cost=read_result(training / "cost.json"),
        metrics=read_result(folder / "metrics.json"),
        inference=read_result(folder / "inference.json") if about["kind"] != "recipe" else {},
        history=read_table(training / "history.csv"),
    )


def read_result(path: Path) -> dict[str, Any]:
    """The content of one JSON file of a finished run. Raises InputError where there is none."""
    content: dict[str, Any] = json.loads(_there(path).read_text(encoding="utf-8"))
    return content


def read_table(path: Path) -> pd.DataFrame:
    """One CSV file of a finished run. Raises InputError where there is none."""
    return pd.read_csv(_there(path))


def _there(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            "a result is missing",
            where=path,
            got="no file",
            expected="the file of a finished run",
            mend="Run dvc repro.",
        )
    return path
