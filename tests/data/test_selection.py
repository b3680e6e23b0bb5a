"""What a run trains on, validates with and is judged on, from a table made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brisc.config import Run, resolve
from brisc.data.dataset import Samples
from brisc.data.selection import select
from brisc.errors import InputError

# id, split, label, copy_across, stand_in, fold, validating
ROWS = [
    ("a", "train", "glioma", 1, 0, 0, 0),
    ("b", "train", "glioma", 0, 1, 1, 1),
    ("c", "train", "glioma", 0, 0, 2, 0),
    ("d", "validation", "glioma", 1, 0, 0, 1),
    ("e", "validation", "glioma", 0, 0, 1, 0),
    ("f", "test", "glioma", 1, 0, 0, 0),
    ("g", "test", "glioma", 0, 0, 2, 1),
    ("h", "train", "no_tumor", 0, 0, -1, 0),
]
COLUMNS = ["id", "split", "label", "copy_across", "stand_in", "fold", "validating"]


@pytest.fixture
def samples() -> Samples:
    table = pd.DataFrame(ROWS, columns=COLUMNS)
    test = (table["split"] == "test").astype(int)
    table = table.assign(plane="axial", official=test, clean=test, strict=test)
    return Samples(np.zeros((8, 2, 2)), np.zeros((8, 2, 2)), table, "f" * 64)


@pytest.fixture
def run(repository: Path) -> Run:
    return resolve("demo", "unet").run


def split(samples: Samples, run: Run) -> dict[str, str]:
    """By split, the ids of its tumour slices."""
    chosen = select(samples, run)
    return {
        name: "".join(chosen.table["id"].iloc[chosen.rows(name, healthy=False)])
        for name in ("train", "validation", "test")
    }


@pytest.mark.parametrize(("prune", "train"), [("none", "abc"), ("copies", "bc"), ("random", "ac")])
def test_pruning_changes_train_alone(samples: Samples, run: Run, prune: str, train: str) -> None:
    changed = replace(run, prune=prune)  # type: ignore[arg-type]
    assert split(samples, changed) == {"train": train, "validation": "de", "test": "fg"}


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (0, {"train": "ce", "validation": "bg", "test": "adf"}),
        (1, {"train": "acf", "validation": "dg", "test": "be"}),
        (2, {"train": "aef", "validation": "bd", "test": "cg"}),
    ],
)
def test_a_fold_is_judged_and_no_other_run_sees_it(
    samples: Samples, run: Run, fold: int, expected: dict[str, str]
) -> None:
    assert split(samples, replace(run, fold=fold)) == expected


def test_a_fold_has_no_subset_of_the_publisher_s_test_and_no_healthy_slice(
    samples: Samples, run: Run
) -> None:
    table = select(samples, replace(run, fold=0)).table
    assert not table[["official", "clean", "strict"]].any(axis=None)
    assert table.set_index("id").loc["h", "split"] == "unused"
    assert samples.table["official"].sum() == 2  # the cache's own table is as it was


def test_as_many_others_as_copies_or_an_error(samples: Samples, run: Run) -> None:
    samples.table.loc[samples.table["id"] == "b", "stand_in"] = 0
    with pytest.raises(InputError, match=r"too few other images to leave out.* got 0, expected 1"):
        select(samples, replace(run, prune="random"))
