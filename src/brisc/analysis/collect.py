"""The results of all models of a profile, gathered into the few small files that git keeps and the report
reads."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.atomic import atomic, write_json
from brisc.errors import InputError
from brisc.vocabulary import SUBSETS

# What a spread over seeds is told of, where a net has the head.
SEED_SCORES = ("dice_study", "dice_per_image", "accuracy", "f1_macro")


def collect(
    runs: Path,
    reports: Path,
    *,
    profile: str,
    source: str,
    prepare: dict[str, Any],
    models: list[str],
    first_seed: int,
    seeds: dict[str, list[int]],
) -> None:
    """Write reports/{metrics,scores,runs,seeds,provenance}.json, history.csv and per_image/<model>.csv.

    runs: the folder of eval/<model> and seeds/eval/<model>-<seed>. metrics.json is {model: {subset: metrics,
    "cost": ...}}, seeds.json {model: {seed: {subset: scores}}} for the models of `seeds`, which were trained
    again with those seeds.
    """
    metrics: dict[str, Any] = {}
    described: dict[str, Any] = {}
    histories = []
    for model in models:
        evaluated = runs / "eval" / model
        trained = evaluated / "training"
        described[model] = summary = read_result(trained / "summary.json")
        size = {key: summary[key] for key in ("parameters", "epochs", "images_seen")}
        cost = {**size, **read_result(evaluated / "cost.json"), **read_result(trained / "cost.json")}
        metrics[model] = {**read_result(evaluated / "metrics.json"), "cost": cost}
        histories.append(pd.read_csv(trained / "history.csv").assign(model=model))
    first, data = described[models[0]], _same_data(runs, models)
    provenance = {
        "profile": profile,
        "source": source,
        "source_tree": first["source_tree"],
        "data": data,
        "prepare": prepare,
        "train": first["train"],
        "versions": first["versions"],
        # Trainings that took days may have been done on more than one machine.
        "device": "; ".join(
            dict.fromkeys(one["cost"]["device"] for one in metrics.values() if one["cost"]["device"])
        )
        or None,
    }
    again = runs / "seeds" / "eval"
    spread = {
        model: {
            str(first_seed): seed_scores(metrics[model]),
            **{
                str(seed): seed_scores(read_result(again / f"{model}-{seed}" / "metrics.json"))
                for seed in values
            },
        }
        for model, values in seeds.items()
        if model in metrics
    }
    write_json(reports / "metrics.json", metrics)
    write_json(reports / "scores.json", {model: scores(subsets) for model, subsets in metrics.items()})
    write_json(reports / "runs.json", described)
    write_json(reports / "seeds.json", spread)
    write_json(reports / "provenance.json", provenance)
    history = pd.concat(histories, ignore_index=True)
    columns = ["model", *(name for name in history.columns if name not in ("model", "best")), "best"]
    with atomic(reports / "history.csv") as temporary:
        history[columns].to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    with atomic(reports / "per_image") as folder:
        folder.mkdir()
        for model in models:
            shutil.copyfile(runs / "eval" / model / "per_image.csv", folder / f"{model}.csv")


def _same_data(runs: Path, models: list[str]) -> dict[str, Any]:
    """What is known of the data that all models were trained and measured on; raises InputError if they
    differ in it."""
    paths = [runs / "eval" / model / "data.json" for model in models]
    first, *others = [read_result(path) for path in paths]
    for path, other in zip(paths[1:], others, strict=True):
        if other != first:
            raise InputError(
                "results of different data",
                where=path,
                got=str(other["fingerprint"]),
                expected=f"{first['fingerprint']}, as in {paths[0]}",
                mend="Run dvc repro.",
            )
    return first


def scores(subsets: dict[str, Any]) -> dict[str, Any]:
    """The few numbers by which `dvc exp show` and `dvc metrics diff` compare runs: short names, one level."""
    official, clean, strict, validation = (subsets[name] for name in SUBSETS)
    found: dict[str, Any] = {}
    if "dice_per_image" in official:
        found |= {
            "dice_study": official["dice_study"],
            "dice": official["dice_per_image"],
            "dice_clean": clean["dice_per_image"],
            "dice_strict": strict["dice_per_image"],
            "dice_val": validation["dice_per_image"],
            "alarms": official["false_alarms"]["rate"],
        }
    if "accuracy" in official:
        found |= {
            "acc": official["accuracy"],
            "acc_clean": clean["accuracy"],
            "acc_strict": strict["accuracy"],
            "acc_val": validation["accuracy"],
            "f1": official["f1_macro"],
        }
    return found


def seed_scores(subsets: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: subsets[name][key] for key in SEED_SCORES if key in subsets[name]} for name in SUBSETS
    }


def read_result(path: Path) -> dict[str, Any]:
    """The content of one JSON file of a finished run. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(
            "a result is missing",
            where=path,
            got="no file",
            expected="the file of a finished run",
            mend="Run dvc repro.",
        )
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
