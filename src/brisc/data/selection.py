"""Which images a run trains on, validates with and is judged on: the sample table with its own split."""

from dataclasses import replace

import numpy as np
import pandas as pd

from brisc.config import Run
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.vocabulary import TEST_SUBSETS, VALIDATION


def select(samples: Samples, run: Run) -> Samples:
    """The same images, with the column `split` as the run sees it; what it does not see is "unused"."""
    table = samples.table
    if run.fold is not None:
        table = _without_fold(table, run.fold)
    elif run.prune != "none":
        table = _pruned(table, "copy_across" if run.prune == "copies" else "stand_in")
    return replace(samples, table=table)


def _pruned(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Train without the images marked in `column`; validation and test stay as they are."""
    train = table[table["split"] == "train"]
    counts = [train[train[mark] == 1].value_counts(["label", "plane"]) for mark in ("copy_across", column)]
    if not counts[0].sort_index().equals(counts[1].sort_index()):
        raise InputError(
            "too few other images to leave out in place of the copies",
            where="samples.csv",
            got=f"{counts[1].sum()}",
            expected=f"{counts[0].sum()}, as many in each class and plane",
            mend="Set prune of this run to none or copies.",
        )
    left_out = (table["split"] == "train") & (table[column] == 1)
    return table.assign(split=table["split"].mask(left_out, "unused"))


def _without_fold(table: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The fold is the test; the subsets of the publisher's test mean nothing here and are empty."""
    split = np.select(
        [table["fold"] == fold, table["fold"] < 0, table["validating"] == 1],
        ["test", "unused", VALIDATION],
        "train",
    )
    return table.assign(split=split, **dict.fromkeys(TEST_SUBSETS, 0))
