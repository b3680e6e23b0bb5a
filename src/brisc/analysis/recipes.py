"""Recipes of training compared with the run that they are like, on the validation images alone.

recipes.json (scores and differences are fractions from 0 to 1, null where undefined; intervals at 95 %):

    studies         one for each run that recipes are like and that is judged on validation itself
        baseline    that run; model: the run that it is like; epochs: for how many at most a recipe trains
        measure     what the score is: dice, accuracy, or score, their mean, for a net with both heads
        images      how many validation images it is the mean of
        rows        run, flips: whether the prediction is the mean over the image and its mirror images;
                    changes: settings that the recipe changes, by dotted name; score, low, high; difference,
                    difference_low, difference_high, p, p_holm: from the first row; verdict (better | worse |
                    inconclusive), null in the first row and where a training diverged; epoch, epochs,
                    diverged_at, seconds: of the training

Each recipe is one training, judged by its best epoch on the validation images, which also chose it. Verdicts
come from a paired bootstrap over groups of similar slices, corrected (Holm) over the rows of a study: they
say what other images would change and not what another seed would. No test image is looked at.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from brisc.analysis.beyond import augments
from brisc.analysis.runs import Evaluated, of_kind
from brisc.analysis.scores import check_same_images, interval, measure_name, paired, rounded
from brisc.config import Evaluate
from brisc.evaluation.statistics import LEVEL, holm

COLUMNS = {False: "score", True: "score_flips"}  # of a recipe's validation.csv, without and with flips

Images = dict[str, pd.DataFrame]  # by run, without those that diverged before they had a best epoch


def summarise_recipes(runs: Sequence[Evaluated], settings: Evaluate) -> dict[str, Any]:
    """The content of recipes.json, see the head of this file. runs: all of the profile, in their order."""
    by_name = {run.name: run for run in runs}
    # Those of a model's augmentation, over seeds, are compared in brisc.analysis.beyond.
    recipes = [run for run in of_kind(runs, "recipe") if not augments(run, by_name)]
    names, likes = {recipe.name for recipe in recipes}, {recipe.about["like"] for recipe in recipes}
    # What other recipes are like, and what is like none of them, and so would be in no study otherwise.
    baselines = [each for each in recipes if each.name in likes or each.about["like"] not in names]
    return {"studies": [_study(baseline, recipes, settings) for baseline in baselines]}


def _study(baseline: Evaluated, recipes: Sequence[Evaluated], settings: Evaluate) -> dict[str, Any]:
    compared = [baseline, *(recipe for recipe in recipes if recipe.about["like"] == baseline.name)]
    images = {run.name: run.images() for run in compared if run.summary["best_epoch"] is not None}
    check_same_images(baseline.folder.parent, images, what="recipes")
    rows = [
        _row(run, flips, images, settings)
        for run in compared
        for flips in COLUMNS
        if not flips or _flips(run)
    ]
    if baseline.name in images:
        _compare(rows, images, images[baseline.name], settings)
    return {
        "baseline": baseline.name,
        "model": baseline.about["like"],
        "epochs": baseline.summary["settings"]["epochs"],
        "measure": measure_name(list(images.values())),
        "images": max((len(table) for table in images.values()), default=0),
        "rows": rows,
    }


def _flips(run: Evaluated) -> bool:
    """Whether training drew mirror images: a prediction takes no others, so without them nothing changes."""
    augment = run.summary["settings"]["augment"]
    return any(augment[name] > 0 for name in ("horizontal_flip", "vertical_flip"))


def _row(run: Evaluated, flips: bool, images: Images, settings: Evaluate) -> dict[str, Any]:
    score = low = high = None
    if run.name in images:
        table = images[run.name]
        score = float(table[COLUMNS[flips]].mean())
        low, high = interval(table[COLUMNS[flips]], table["group"], settings)
    return {
        "run": run.name,
        "flips": flips,
        "changes": run.about["changes"],
        "score": rounded(score),
        "low": rounded(low),
        "high": rounded(high),
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_holm", "verdict")),
        "epoch": run.summary["best_epoch"],
        "epochs": run.summary["epochs"],
        "diverged_at": run.summary["diverged_at"],
        "seconds": run.cost["seconds"],
    }


def _compare(rows: list[dict[str, Any]], images: Images, first: pd.DataFrame, settings: Evaluate) -> None:
    """Fill in what every row differs by from the first one, whose images are `first`."""
    tested = []
    for row in rows[1:]:
        if row["run"] not in images:
            continue
        scores = images[row["run"]][COLUMNS[row["flips"]]]
        found = paired(scores, first[COLUMNS[False]], first["group"], settings)
        row["difference"], row["verdict"] = rounded(found.difference), "inconclusive"
        if found.p is not None:
            row["difference_low"], row["difference_high"] = rounded(found.low), rounded(found.high)
            row["p"] = rounded(found.p)
            tested.append((row, found.p))
    for (row, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        row["p_holm"] = rounded(p)
        if p < 1 - LEVEL:
            row["verdict"] = "better" if row["difference"] > 0 else "worse"
