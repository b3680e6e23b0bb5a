"""The results of all runs of a profile in a few small files, which git keeps and the report reads.

metrics.json    {run: {subset: {metric: value}, "cost": of training and inference}}; a run judged on
                validation alone has that subset alone, and one with a fold is not there: out_of_fold.json
scores.json     {run: the primary metric on validation, of the mask where there is one}, for `dvc exp show`
runs.json       {run: kind (model | seed | recipe | pruned | fold), like, changes, of_study: whether the study
                has its architecture, and what its training says of itself}
provenance.json what all have in common: profile and how many runs it has, data, prepare, settings that all
                models share, versions
history.csv     a row for each run and epoch
per_image/      a table for each run that is judged on the publisher's test, and vote.csv, if there is one
"""

import shutil
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brisc.analysis.runs import Evaluated, of_kind, read_result
from brisc.atomic import atomic, write_json
from brisc.config import VOTE, Evaluate
from brisc.evaluation.classification import codes, confusion_matrix, f1, weighted
from brisc.evaluation.rows import subset_of
from brisc.evaluation.statistics import bootstrap_statistic
from brisc.vocabulary import HEADS, SUBSETS, VALIDATION


def collect(
    runs: Sequence[Evaluated],
    reports: Path,
    *,
    vote: Path,
    provenance: dict[str, Any],
    study: Container[str],
    settings: Evaluate,
) -> None:
    """Write the files above into the folder `reports`. vote: the vote's folder. provenance: what is known of
    the profile. study: the architectures that the study has."""
    models, judged = of_kind(runs, "model"), [run for run in runs if run.kind != "fold"]
    write_json(
        reports / "metrics.json",
        {run.name: {**_metrics(run, settings), "cost": _cost(run)} for run in judged},
    )
    write_json(reports / "scores.json", {run.name: score(run) for run in judged if run.kind != "seed"})
    write_json(reports / "runs.json", {run.name: _described(run, study) for run in runs})
    write_json(reports / "provenance.json", {**provenance, **_in_common(models)})
    history = pd.concat([run.history.assign(run=run.name) for run in runs], ignore_index=True)
    columns = ["run", *(name for name in history.columns if name not in ("run", "best")), "best"]
    with atomic(reports / "history.csv") as temporary:
        history[columns].to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    with atomic(reports / "per_image") as folder:
        folder.mkdir()
        for run in judged:
            if run.kind != "recipe":
                shutil.copyfile(run.folder / "per_image.csv", folder / f"{run.name}.csv")
        if read_result(vote / "vote.json")["members"]:
            shutil.copyfile(vote / "per_image.csv", folder / f"{VOTE}.csv")


def score(run: Evaluated) -> float | None:
    """The primary metric of the run's first head on validation; None where its training diverged."""
    known = run.metrics.get(VALIDATION, {})
    return next((known[head.primary] for head in HEADS.values() if head.primary in known), None)


def _metrics(run: Evaluated, settings: Evaluate) -> dict[str, Any]:
    """Those of the run; where it names labels, also the interval of `f1_weighted`, which is published."""
    named = [subset for subset in SUBSETS if "f1_weighted" in run.metrics.get(subset, {})]
    if not named:
        return run.metrics
    table = run.images()
    intervals = {subset: f1_weighted_interval(subset_of(table, subset), settings) for subset in named}
    return {**run.metrics, **{subset: {**run.metrics[subset], **intervals[subset]} for subset in named}}


def f1_weighted_interval(table: pd.DataFrame, settings: Evaluate) -> dict[str, float | None]:
    """95 %, from the bootstrap over groups. table: group, label and predicted of each image."""
    true, predicted = codes(table["label"]), codes(table["predicted"])

    def statistic(rows: NDArray[np.intp]) -> float:
        confusion = confusion_matrix(true[rows], predicted[rows])
        value = weighted(f1(confusion), confusion)
        assert value is not None  # a resample has images
        return value

    low, high = bootstrap_statistic(
        statistic,
        groups=table["group"],
        resamples=settings.bootstrap_resamples,
        seed=settings.bootstrap_seed,
    )
    return {"f1_weighted_low": low, "f1_weighted_high": high}


def _cost(run: Evaluated) -> dict[str, Any]:
    size = {key: run.summary[key] for key in ("parameters", "epochs", "images_seen")}
    return {**size, **run.inference, **run.cost}


def _described(run: Evaluated, study: Container[str]) -> dict[str, Any]:
    about = {key: run.about[key] for key in ("kind", "like", "changes")}
    return {**about, "of_study": run.summary["settings"]["model"]["arch"] in study, **run.summary}


def _in_common(models: Sequence[Evaluated]) -> dict[str, Any]:
    first = models[0].summary["settings"]
    shared = {
        key: value
        for key, value in first.items()
        if all(model.summary["settings"][key] == value for model in models)
    }
    # Trainings that took days may have been done on more than one machine.
    devices = dict.fromkeys(model.cost["device"] for model in models if model.cost["device"])
    return {
        "data": read_result(models[0].folder / "data.json"),
        "train": shared,
        "versions": models[0].summary["versions"],
        "device": "; ".join(devices) or None,
    }
