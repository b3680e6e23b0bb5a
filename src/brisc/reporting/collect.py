"""The results of all models of a profile, gathered into the few small files that git keeps and the report reads."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.atomic import atomic, write_json
from brisc.errors import InputError


def collect(
    runs: Path, data: Path, reports: Path, *, profile: str, source: str, prepare: dict[str, Any], models: list[str]
) -> None:
    """Write reports/{metrics,scores,runs,provenance}.json and {history,per_image}.csv from runs/{train,eval}/<model>.

    data: the prepared cache's fingerprint.json. metrics.json is {model: {subset: metrics, "cost": ...}}.
    """
    metrics: dict[str, Any] = {}
    described: dict[str, Any] = {}
    histories, images = [], []
    for model in models:
        trained, evaluated = runs / "train" / model, runs / "eval" / model
        summary, cost = _read(trained / "summary.json"), _read(trained / "cost.json")
        weights_mb = round((trained / "weights.pt").stat().st_size / 2**20, 2)
        size = {key: summary[key] for key in ("parameters", "epochs", "images_seen")}
        metrics[model] = {**_read(evaluated / "metrics.json"), "cost": {**size, "weights_mb": weights_mb, **cost}}
        described[model] = summary
        histories.append(pd.read_csv(trained / "history.csv").assign(model=model))
        images.append(pd.read_csv(evaluated / "per_image.csv").assign(model=model))
    first = described[models[0]]
    provenance = {
        "profile": profile,
        "source": source,
        "source_tree": first["source_tree"],
        "data": _read(data),
        "prepare": prepare,
        "train": first["train"],
        "versions": first["versions"],
        "device": metrics[models[0]]["cost"]["device"],
    }
    write_json(reports / "metrics.json", metrics)
    write_json(reports / "scores.json", {model: scores(subsets) for model, subsets in metrics.items()})
    write_json(reports / "runs.json", described)
    write_json(reports / "provenance.json", provenance)
    _write_csv(reports / "history.csv", histories)
    _write_csv(reports / "per_image.csv", images)


def scores(subsets: dict[str, Any]) -> dict[str, Any]:
    """The few numbers by which `dvc exp show` and `dvc metrics diff` compare runs: short names, one level."""
    return {
        "dice_study": subsets["official"]["dice_study"],
        "dice": subsets["official"]["dice_per_image"],
        "clean": subsets["clean"]["dice_per_image"],
        "strict": subsets["strict"]["dice_per_image"],
        "validation": subsets["validation"]["dice_per_image"],
        "false_alarms": subsets["official"]["false_alarms"]["rate"],
    }


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError("a result is missing", where=path, got="no file", expected="the file of a finished run",
                         mend="Run dvc repro.")  # fmt: skip
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _write_csv(path: Path, tables: list[pd.DataFrame]) -> None:
    table = pd.concat(tables, ignore_index=True)
    columns = ["model", *(name for name in table.columns if name != "model")]
    with atomic(path) as temporary:
        table[columns].to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
