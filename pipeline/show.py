"""make show: every run of the profile, every cell of its grid and every experiment in one table.

    python -m pipeline.show

Runs are read from reports/P/ of the work tree, experiments from DVC's refs on the commit that is checked
out: of an experiment the runs and cells whose results are not those of the work tree. Sorted by metric, then
by its value on validation.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from brisc.config import load_params
from brisc.errors import InputError, InputErrors
from brisc.vocabulary import HEADS
from pipeline.git import experiment_refs, git

WIDTH = 120
NAMES = {"dice_per_image": "Dice", "accuracy": "accuracy", "dice": "Dice"}

Read = Callable[[str], str]  # the content of a file of reports/P/, "" where there is none


class Row(NamedTuple):
    """A training and its results in percent. name: of the run or cell, with its experiment before a colon."""

    metric: str
    validation: float | None
    name: str
    changes: str
    official: float | None
    clean: float | None
    epochs: int | None
    minutes: float | None


def rows_of(read: Read) -> Iterator[Row]:
    """The runs in metrics.json, by the primary metric of each head, and the cells in grid.json."""
    metrics, runs = (json.loads(read(name) or "{}") for name in ("metrics.json", "runs.json"))
    for name, subsets in metrics.items():
        about = runs[name]
        changes = {key: value for key, value in about["changes"].items() if not key.startswith("model.")}
        told = ", ".join(f"{_short(key)} {value}" for key, value in changes.items())
        like = f"{about['like']}" if about["like"] else ""
        for head in HEADS.values():
            values = [
                subsets.get(subset, {}).get(head.primary) for subset in ("validation", "official", "clean")
            ]
            if head.name in about["heads"]:
                validation, official, clean = values
                yield Row(
                    NAMES[head.primary],
                    validation,
                    name,
                    "; ".join(part for part in (like and f"like {like}", told) if part),
                    official,
                    clean,
                    about["epochs"],
                    _minutes(subsets["cost"]["seconds"]),
                )
    yield from _cells(json.loads(read("grid.json") or '{"cells": []}'))


def _cells(grid: dict[str, Any]) -> Iterator[Row]:
    for cell in grid["cells"]:
        name = f"grid/{cell['optimizer']}-{cell['learning_rate']}"
        changes = f"like {grid['model']}; {cell['optimizer']} at {cell['learning_rate']:g}"
        metric = NAMES.get(grid["measure"], grid["measure"])
        yield Row(metric, cell["score"], name, changes, None, None, cell["epochs"], _minutes(cell["seconds"]))


def experiments(root: Path, profile: str) -> Iterator[tuple[str, Read]]:
    """The name of each experiment on the commit that is checked out, and how its files are read."""
    for name, ref in sorted(experiment_refs(root, git(root, "rev-parse", "HEAD")).items()):

        def read(file: str, ref: str = ref) -> str:
            try:
                return git(root, "show", f"{ref}:reports/{profile}/{file}")
            except subprocess.CalledProcessError:
                return ""

        yield name, read


def collect(root: Path, profile: str) -> list[Row]:
    reports = root / "reports" / profile

    def here(name: str) -> str:
        return (reports / name).read_text(encoding="utf-8") if (reports / name).is_file() else ""

    rows = list(rows_of(here))
    known = set(rows)
    for name, read in experiments(root, profile):
        rows += [row._replace(name=f"{name}: {row.name}") for row in rows_of(read) if row not in known]
    return sorted(rows, key=lambda row: (row.metric, -(row.validation or 0.0), row.name))


def table(rows: list[Row], title: str) -> Table:
    made = Table(title=title, title_justify="left", expand=False)
    for header, words in (("metric", True), ("run", True), ("changes", True)):
        made.add_column(header, justify="left" if words else "right", overflow="fold")
    for header in ("validation", "official", "clean", "epochs", "min"):
        made.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        shown = [_percent(value) for value in (row.validation, row.official, row.clean)]
        epochs = "" if row.epochs is None else str(row.epochs)
        minutes = "" if row.minutes is None else f"{row.minutes:.1f}"
        made.add_row(row.metric, row.name, row.changes, *shown, epochs, minutes)
    return made


def _short(setting: str) -> str:
    """augment.horizontal_flip -> horizontal_flip: the block is known from the setting."""
    return setting.rpartition(".")[2]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 60


def main() -> int:
    try:
        profile, root = load_params().profile, Path.cwd()
        rows = collect(root, profile)
        if not rows:
            raise InputError(
                f"no result of {profile}",
                where=f"reports/{profile}",
                got="no metrics.json",
                expected="a finished profile",
                mend="Run make repro.",
            )
    except (InputError, InputErrors) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console = Console(width=WIDTH)
    console.print(
        table(rows, f"{profile}: {len(rows)} results, %; validation chooses, test is looked at last")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
