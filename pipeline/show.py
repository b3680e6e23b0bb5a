"""make show: every run of the profile, every cell of its grid and every experiment in one table.

    python -m pipeline.show

Runs and cells are those of the commit that is checked out; then come, by name, those of its experiments
(DVC's refs) and of the work tree whose results are others, with the settings that differ. Sorted by metric,
then by its value on validation.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from brisc.config import load_params
from brisc.errors import InputError
from brisc.report.cells import flat
from brisc.vocabulary import HEADS, SUBSETS
from pipeline import command
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


def rows_of(read: Read, base: dict[str, Any]) -> Iterator[Row]:
    """The runs in metrics.json, by the primary metric of each head, the cells in grid.json, and the folds.

    base: runs.json of the commit. Of a run with other settings than there these are told, of another run what
    it changes.
    """
    metrics, runs = (json.loads(read(name) or "{}") for name in ("metrics.json", "runs.json"))
    for name, subsets in metrics.items():
        about = runs[name]
        changes = _changes(about, base.get(name))
        for head in HEADS.values():
            if head.name in about["heads"]:
                values = {
                    subset: scores.get(head.primary)
                    for subset, scores in subsets.items()
                    if subset in SUBSETS
                }
                yield Row(
                    NAMES[head.primary],
                    values.get("validation"),
                    name,
                    changes,
                    values.get("official"),
                    values.get("clean"),
                    about["epochs"],
                    _minutes(subsets["cost"]["seconds"]),
                )
    yield from _cells(json.loads(read("grid.json") or '{"cells": []}'))
    yield from _folds(json.loads(read("out_of_fold.json") or '{"models": {}}'))


def _changes(about: dict[str, Any], base: dict[str, Any] | None) -> str:
    if base is not None and base["settings"] != about["settings"]:
        ours, theirs = (dict(flat(each["settings"], "", ".")) for each in (about, base))
        return _told({key: value for key, value in ours.items() if theirs.get(key) != value})
    # Of a model its name tells the net.
    own = {key: value for key, value in about["changes"].items() if not key.startswith("model.")}
    return "; ".join(part for part in (about["like"] and f"like {about['like']}", _told(own)) if part)


def _told(settings: dict[str, Any]) -> str:
    """augment.horizontal_flip is told as horizontal_flip: the block is known from the setting."""
    return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in settings.items())


def _cells(grid: dict[str, Any]) -> Iterator[Row]:
    for cell in grid["cells"]:
        name = f"grid/{cell['optimizer']}-{cell['learning_rate']}"
        changes = f"like {grid['model']}; {cell['optimizer']} at {cell['learning_rate']:g}"
        metric = NAMES.get(grid["measure"], grid["measure"])
        yield Row(metric, cell["score"], name, changes, None, None, cell["epochs"], _minutes(cell["seconds"]))


def _folds(out_of_fold: dict[str, Any]) -> Iterator[Row]:
    """Those of a model together, which have no test images but their own."""
    for model, found in out_of_fold["models"].items():
        names, dice = ", ".join(map(str, found["folds"])), _percent(found["dice_per_image"])
        changes = f"like {model}; {dice} on the {found['n_pairs']:,} slices of folds {names}"
        yield Row("Dice", found["validation"], f"{model}, out of fold", changes, None, None, None, None)


def collect(root: Path, profile: str) -> list[Row]:
    def of_revision(revision: str) -> Read:
        def read(name: str) -> str:
            try:
                return git(root, "show", f"{revision}:reports/{profile}/{name}")
            except subprocess.CalledProcessError:
                return ""

        return read

    def of_work_tree(name: str) -> str:
        path = root / "reports" / profile / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    head = of_revision("HEAD")
    base = json.loads(head("runs.json") or "{}")
    rows = list(rows_of(head, {}))
    known = set(rows)
    experiments = sorted(experiment_refs(root, git(root, "rev-parse", "HEAD")).items())
    for name, read in [*((name, of_revision(ref)) for name, ref in experiments), ("work tree", of_work_tree)]:
        new = [row for row in rows_of(read, base) if row not in known]
        known |= set(new)
        rows += [row._replace(name=f"{name}: {row.name}") for row in new]
    return sorted(rows, key=lambda row: (row.metric, -(row.validation or 0.0), row.name))


def table(rows: list[Row], title: str) -> Table:
    made = Table(title=title, title_justify="left", expand=False)
    for header in ("metric", "run", "changes"):
        made.add_column(header, overflow="fold")
    for header in ("validation", "official", "clean", "epochs", "min"):
        made.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        shown = [_percent(value) for value in (row.validation, row.official, row.clean)]
        epochs = "" if row.epochs is None else str(row.epochs)
        minutes = "" if row.minutes is None else f"{row.minutes:.1f}"
        made.add_row(row.metric, row.name, row.changes, *shown, epochs, minutes)
    return made


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 60


def main() -> int:
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
    console = Console(width=WIDTH)
    console.print(
        table(rows, f"{profile}: {len(rows)} results, %; validation chooses, test is looked at last")
    )
    return 0


if __name__ == "__main__":
    command.run(main)
