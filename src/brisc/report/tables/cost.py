"""Tables of how each training ended and what each model costs, measured or estimated."""

from collections.abc import Callable

import pandas as pd

from brisc.analysis.costs import core_seconds
from brisc.analysis.results import Record, Results
from brisc.report.cells import (
    DASH,
    NOT_MEASURED,
    Cell,
    Table,
    macs,
    millions,
    setting,
    shown,
    tenth,
    thousands,
)
from brisc.report.words import hours, number_of

STOPPED = {"finished": "at the last epoch", "early": "early", "diverged": "diverged"}


def training(results: Results) -> Table:
    rows = []
    for model in results.models:
        run = results.runs.record(model)
        counts = [
            f"{run.count(key):,}" for key in ("train_images", "validation_images", "epochs", "best_epoch")
        ]
        settings, computed = run.record("settings"), results.cost(model)["precision"]
        precision = setting(computed or settings["precision"])
        rows.append([f"`{model}`", *counts, STOPPED[run["stopped"]], setting(settings["seed"]), precision])
    header = [
        "model",
        "train images",
        "validation images",
        "epochs",
        "best epoch",
        "stopped",
        "seed",
        "precision",
    ]
    return Table("How each training ended.", header, rows, words=(5, 7))


SIZE: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("parameters, million", millions),
    "macs": ("multiply-adds an image, million", macs),
    "weights_mb": ("weights, MB", tenth),
}
INFERENCE: dict[str, tuple[str, Callable[[float], str]]] = {
    "latency_ms": ("one image, ms", tenth),
    "batch_latency_ms": ("one batch, ms", tenth),
}
TRAINING: dict[str, tuple[str, Callable[[float], str]]] = {
    "epochs": ("epochs", thousands),
    "images_seen": ("images seen", thousands),
    "seconds": ("training, s", thousands),
    "images_per_second": ("images/s", tenth),
    "peak_memory_mb": ("peak memory, MB", thousands),
}


def size(results: Results) -> Table:
    """What a model weighs and how long it takes to answer."""
    columns = SIZE | INFERENCE
    rows = [[f"`{model}`", *_numbers(results.cost(model), columns)] for model in results.models]
    return Table("What each model costs to run.", ["model", *(name for name, _ in columns.values())], rows)


def cost(results: Results) -> Table:
    rows = []
    for model in results.models:
        record = results.cost(model)
        device, threads = record["device"], record.number("threads")
        unknown = device is None or threads is None
        where = (
            Cell(DASH, NOT_MEASURED)
            if unknown
            else f"{device}, {number_of(record.count('threads'), 'thread')}"
        )
        rows.append([f"`{model}`", where, *_numbers(record, TRAINING)])
    return Table(
        "What each training cost.",
        ["model", "device", *(name for name, _ in TRAINING.values())],
        rows,
        left=2,
    )


# The kinds of trainings in costs.csv.
KINDS = {
    "model": "models",
    "seed": "the same with other seeds",
    "pruned": "the same without some images",
    "fold": "the same, out of fold",
    "grid": "cells of the grid",
    "recipe": "recipes of training",
}


def in_all(results: Results) -> Table:
    """What all trainings of the profile cost, by what they were for."""
    costs = results.costs
    parts = [(words, costs[costs["kind"] == kind]) for kind, words in KINDS.items()]
    rows = [_sum(words, part) for words, part in [*parts, ("in all", costs)] if len(part)]
    caption = "What all trainings of the profile cost."
    return Table(caption, ["trainings", "number", "epochs", "images seen", "hours", "core-hours"], rows)


def _sum(words: str, costs: pd.DataFrame) -> list[str | Cell]:
    measured = bool(costs["seconds"].notna().all())
    seconds = (costs["seconds"].sum(), core_seconds(costs)) if measured else (None, None)
    counts = [thousands(value) for value in (len(costs), costs["epochs"].sum(), costs["images_seen"].sum())]
    return [words, *counts, *(shown(value, hours, NOT_MEASURED) for value in seconds)]


def _numbers(record: Record, columns: dict[str, tuple[str, Callable[[float], str]]]) -> list[str | Cell]:
    return [shown(record.number(key), show, NOT_MEASURED) for key, (_, show) in columns.items()]


def estimate(estimate: Record) -> Table:
    """Memory that a training of the full study takes, by counting: an estimate."""
    rows: list[list[str | Cell]] = []
    for model, record in estimate.record("models").records().items():
        as_set = record.record("as_set")
        rows.append(
            [
                f"`{model}`",
                shown(record.number("parameters"), millions, NOT_MEASURED),
                shown(record.number("macs"), macs, NOT_MEASURED),
                f"{as_set['precision']}, {_batches(as_set)}",
                _memory(as_set),
                str(as_set["verdict"]),
                *(
                    f"{_batches(option)}: {_memory(option)}, {option['verdict']}"
                    for option in record.listed("options")
                ),
            ]
        )
    first = next(iter(estimate.record("models").records().values()))
    names = [option["precision"] for option in first.listed("options")]
    header = [
        "model",
        "parameters, million",
        "multiply-adds an image, million",
        "as the profile is set",
        "peak, MiB",
        "verdict",
    ]
    header += [f"largest batch that fits, {name}" for name in names]
    return Table(
        "**Estimated by counting, not measured**: peak memory of training.",
        header,
        rows,
        words=(3, 5, *range(6, len(header))),
    )


def _batches(record: Record) -> str:
    return f"{record.count('batch_size')} x {record.count('accumulate')}"


def _memory(record: Record) -> str | Cell:
    return shown(record.number("peak_mib"), thousands, NOT_MEASURED)
