"""Recipes of training held against the first of them, on the validation images alone.

ablation.json (scores and differences are fractions from 0 to 1, null where undefined; intervals at 95 %):

    model, epochs   what a recipe trains, and for how many epochs at most
    measure         what the score is: dice, accuracy, or score, their mean, for a net with both heads
    images          how many validation images it is the mean of
    rows            recipe, flips: whether the prediction is the mean over the image and its mirror images; changes: the knobs of
                    `train` that the recipe sets, by dotted name; score, low, high; difference, difference_low, difference_high,
                    p, p_holm: against the first row; verdict (better | worse | cannot be told), null in the first row and where
                    a training diverged; epoch, epochs, diverged_at, seconds: of the training
    method          sentences: what the verdicts say and what they do not
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.config import Ablated, Ablation, Evaluate
from brisc.errors import InputError
from brisc.evaluation.statistics import LEVEL, MIN_GROUPS, bootstrap_mean, holm, paired_bootstrap

METHOD = (
    "Each recipe is one training with the same seed, judged by its best epoch on the validation images, which also chose it.",
    "Verdicts come from a paired bootstrap over groups of similar slices, corrected (Holm) over all rows; they say what other "
    "images would change and not what another seed would.",
    "No test image was looked at.",
)

# Enough for any table, and the same on every machine whatever the order of summation.
DIGITS = 6

COLUMNS = {False: "score", True: "score_flips"}  # of a recipe's validation.csv, without and with flips


@dataclass(frozen=True)
class Recipe:
    """One training. images: a row for each validation image with id, group, score, score_flips; None without a best epoch."""

    name: str
    summary: dict[str, Any]
    seconds: float | None
    images: pd.DataFrame | None


def read_recipes(folder: Path, names: Sequence[str]) -> list[Recipe]:
    """The recipes in their order from folder/<name>/.

    Raises InputError for the first that is missing, and when recipes were measured on different images.
    """
    recipes: list[Recipe] = []
    for name in names:
        place = folder / name
        if not (place / "summary.json").is_file():
            raise InputError(
                f"no result of the recipe {name}", where=place, got="no summary.json", expected="a finished training",
                mend="Run dvc repro.",
            )  # fmt: skip
        summary = json.loads((place / "summary.json").read_text(encoding="utf-8"))
        images = pd.read_csv(place / "validation.csv") if summary["best_epoch"] is not None else None
        seconds = json.loads((place / "cost.json").read_text(encoding="utf-8"))["seconds"]
        recipes.append(Recipe(name, summary, seconds, images))
    tables = [(recipe.name, recipe.images[["id", "group"]]) for recipe in recipes if recipe.images is not None]
    for name, table in tables[1:]:
        if not table.equals(tables[0][1]):
            raise InputError(
                "recipes measured on different images", where=folder / name / "validation.csv", got=f"{len(table)} images",
                expected=f"those of {tables[0][0]}", mend="Run dvc repro.",
            )  # fmt: skip
    return recipes


def summarise_ablation(recipes: Sequence[Recipe], *, ablated: Ablated, ablation: Ablation, settings: Evaluate) -> dict[str, Any]:
    """The content of ablation.json, see the head of this file."""
    rows = [_row(recipe, flips, ablation, settings) for recipe in recipes for flips in COLUMNS]
    if rows and rows[0]["score"] is not None:
        _compare(rows, recipes, settings)
    scored = [recipe.images for recipe in recipes if recipe.images is not None]
    names = [name for name in ("dice", "accuracy") if scored and name in scored[0]]
    return {
        "model": ablated.model,
        "epochs": ablation.epochs,
        "measure": names[0] if len(names) == 1 else "score",
        "images": len(scored[0]) if scored else 0,
        "rows": rows,
        "method": list(METHOD),
    }


def _row(recipe: Recipe, flips: bool, ablation: Ablation, settings: Evaluate) -> dict[str, Any]:
    score = low = high = None
    if recipe.images is not None:
        values, groups = recipe.images[COLUMNS[flips]], recipe.images["group"]
        score = float(values.mean())
        if groups.nunique() >= MIN_GROUPS:
            low, high = bootstrap_mean(
                values, groups=groups, resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed
            )  # fmt: skip
    return {
        "recipe": recipe.name,
        "flips": flips,
        "changes": dict(_leaves(ablation.recipes[recipe.name])),
        "score": _rounded(score),
        "low": _rounded(low),
        "high": _rounded(high),
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_holm", "verdict")),
        "epoch": recipe.summary["best_epoch"],
        "epochs": recipe.summary["epochs"],
        "diverged_at": recipe.summary["diverged_at"],
        "seconds": recipe.seconds,
    }


def _compare(rows: list[dict[str, Any]], recipes: Sequence[Recipe], settings: Evaluate) -> None:
    """Fill in what every row differs by from the first one, which has a score."""
    images = {recipe.name: recipe.images for recipe in recipes}
    first = images[rows[0]["recipe"]]
    assert first is not None
    tested = []
    for row in rows[1:]:
        if (own := images[row["recipe"]]) is None:
            continue
        found = paired_bootstrap(
            own[COLUMNS[row["flips"]]], first[COLUMNS[False]], groups=first["group"],
            resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed,
        )  # fmt: skip
        row["difference"] = _rounded(found.difference)
        if first["group"].nunique() >= MIN_GROUPS and found.p is not None:
            row |= {"difference_low": _rounded(found.low), "difference_high": _rounded(found.high), "p": _rounded(found.p)}
            tested.append((row, found.p))
        else:
            row["verdict"] = "cannot be told"
    for (row, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        row["p_holm"] = _rounded(p)
        row["verdict"] = "cannot be told" if p >= 1 - LEVEL else "better" if row["difference"] > 0 else "worse"


def _leaves(changes: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    return [
        leaf
        for key, value in changes.items()
        for leaf in (_leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)])
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
