"""What test images cost whose copy in train has a mask that contradicts theirs."""

from collections.abc import Collection
from typing import Any

import pandas as pd

from brisc.analysis.compare import COMPARED
from brisc.analysis.scores import rounded
from brisc.evaluation.rows import subset_of

SUBSETS = ("official", "clean")


def without_conflicts(table: pd.DataFrame, conflicts: Collection[str]) -> dict[str, dict[str, Any]]:
    """By subset the primary metric of masks from a per_image.csv, with and without the ids `conflicts`.

    images (with a tumour), score, left_out (how many of them are in conflict), score_of_these,
    score_without, cost (score_without minus score); null for a mean over no image.

    On clean nothing is left out where the list is right, since its images have no copy in train.
    """
    by = COMPARED["mask"]
    found = {}
    for name in SUBSETS:
        images = by.images(subset_of(table, name))
        score, contradicted = pd.Series(by.score(images)), images["id"].isin(conflicts).to_numpy()
        whole, without = _mean(score), _mean(score[~contradicted])
        found[name] = {
            "images": len(images),
            "score": rounded(whole),
            "left_out": int(contradicted.sum()),
            "score_of_these": rounded(_mean(score[contradicted])),
            "score_without": rounded(without),
            "cost": None if whole is None or without is None else rounded(without - whole),
        }
    return found


def _mean(score: pd.Series) -> float | None:
    return float(score.mean()) if len(score) > 0 else None
