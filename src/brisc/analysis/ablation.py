"""Recipes of training held against the first of them, on the validation images alone.

ablation.json (scores and differences are fractions from 0 to 1, null where undefined; intervals at 95 %):

    model, epochs   what a recipe trains, and for how many epochs at most
    measure         what the score is: dice, accuracy, or score, their mean, for a net with both heads
    images          how many validation images it is the mean of
    rows            recipe, flips: whether the prediction is the mean over the image and its mirror images;
                    changes: the knobs of
                    `train` that the recipe sets, by dotted name; score, low, high; difference,
                    difference_low, difference_high, p, p_holm: against the first row; verdict (better | worse
                    | cannot be told), null in the first row and where a training diverged; epoch, epochs,
                    diverged_at, seconds: of the training
    method          sentences: what the verdicts say and what they do not
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brisc.analysis.records import Records, check_same_images, interval, measure_name, read_records, rounded
from brisc.config import Ablated, Ablation, Evaluate
from brisc.evaluation.statistics import LEVEL, MIN_GROUPS, holm, paired_bootstrap

METHOD = (
    "Each recipe is one training with the same seed, judged by its best epoch on the validation images, which also chose it.",
    "Verdicts come from a paired bootstrap over groups of similar slices, corrected (Holm) over all rows; they say what other "
    "images would change and not what another seed would.",
    "No test image was looked at.",
)

COLUMNS = {False: "score", True: "score_flips"}  # of a recipe's validation.csv, without and with flips


@dataclass(frozen=True)
class Recipe:
    """One training by a recipe, and what it left; the images of its records have score and score_flips."""

    name: str
    records: Records


def read_recipes(folder: Path, names: Sequence[str]) -> list[Recipe]:
    """The recipes in their order from folder/<name>/.

    Raises InputError for the first that is missing, and when recipes were measured on different images.
    """
    recipes = [
        Recipe(name, read_records(folder / name, what=f"the recipe {name}", mend="Run dvc repro."))
        for name in names
    ]
    check_same_images(folder, [(recipe.name, recipe.records) for recipe in recipes], what="recipes")
    return recipes


def summarise_ablation(
    recipes: Sequence[Recipe], *, ablated: Ablated, ablation: Ablation, settings: Evaluate
) -> dict[str, Any]:
    """The content of ablation.json, see the head of this file."""
    rows = [_row(recipe, flips, ablation, settings) for recipe in recipes for flips in COLUMNS]
    if rows and rows[0]["score"] is not None:
        _compare(rows, recipes, settings)
    records = [recipe.records for recipe in recipes]
    return {
        "model": ablated.model,
        "epochs": ablation.epochs,
        "measure": measure_name(records),
        "images": next((len(each.images) for each in records if each.images is not None), 0),
        "rows": rows,
        "method": list(METHOD),
    }


def _row(recipe: Recipe, flips: bool, ablation: Ablation, settings: Evaluate) -> dict[str, Any]:
    score = low = high = None
    summary, images = recipe.records.summary, recipe.records.images
    if images is not None:
        score = float(images[COLUMNS[flips]].mean())
        low, high = interval(images[COLUMNS[flips]], images["group"], settings)
    return {
        "recipe": recipe.name,
        "flips": flips,
        "changes": dict(_leaves(ablation.recipes[recipe.name])),
        "score": rounded(score),
        "low": rounded(low),
        "high": rounded(high),
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_holm", "verdict")),
        "epoch": summary["best_epoch"],
        "epochs": summary["epochs"],
        "diverged_at": summary["diverged_at"],
        "seconds": recipe.records.seconds,
    }


def _compare(rows: list[dict[str, Any]], recipes: Sequence[Recipe], settings: Evaluate) -> None:
    """Fill in what every row differs by from the first one, which has a score."""
    images = {recipe.name: recipe.records.images for recipe in recipes}
    first = images[rows[0]["recipe"]]
    assert first is not None
    tested = []
    for row in rows[1:]:
        if (own := images[row["recipe"]]) is None:
            continue
        found = paired_bootstrap(
            own[COLUMNS[row["flips"]]],
            first[COLUMNS[False]],
            groups=first["group"],
            resamples=settings.bootstrap_resamples,
            seed=settings.bootstrap_seed,
        )
        row["difference"] = rounded(found.difference)
        if first["group"].nunique() >= MIN_GROUPS and found.p is not None:
            row |= {
                "difference_low": rounded(found.low),
                "difference_high": rounded(found.high),
                "p": rounded(found.p),
            }
            tested.append((row, found.p))
        else:
            row["verdict"] = "cannot be told"
    for (row, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        row["p_holm"] = rounded(p)
        row["verdict"] = (
            "cannot be told" if p >= 1 - LEVEL else "better" if row["difference"] > 0 else "worse"
        )


def _leaves(changes: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    return [
        leaf
        for key, value in changes.items()
        for leaf in (
            _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
        )
    ]
