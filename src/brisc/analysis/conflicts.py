"""What test images cost whose copy in train has a mask that contradicts theirs."""

from collections.abc import Collection
from typing import Any

import pandas as pd

from brisc.analysis.compare import COMPARED
from brisc.analysis.scores import mean_of, rounded
from brisc.evaluation.rows import subset_of


def without_conflicts(table: pd.DataFrame, conflicts: Collection[str]) -> dict[str, Any]:
    """The primary metric of masks on official from a per_image.csv, with and without the ids `conflicts`.

    images (with a tumour), score, left_out (how many of them are in conflict), score_of_these,
    score_without, cost (score_without minus score); null for a mean over no image.
    """
    by = COMPARED["mask"]
    images = by.images(subset_of(table, "official"))
    score, contradicted = pd.Series(by.score(images)), images["id"].isin(conflicts).to_numpy()
    whole, without = mean_of(score), mean_of(score[~contradicted])
    return {
        "images": len(images),
        "score": rounded(whole),
        "left_out": int(contradicted.sum()),
        "score_of_these": rounded(mean_of(score[contradicted])),
        "score_without": rounded(without),
        "cost": None if whole is None or without is None else rounded(without - whole),
    }
