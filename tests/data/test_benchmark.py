"""The lists to cite: how they are made, on images by hand, and that those committed agree with what the
study committed."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brisc.data.benchmark import make_lists
from brisc.data.lists import LISTS, read_list, write_lists
from brisc.data.native import NativeMasks, load_native, pack, write_native
from brisc.errors import InputError

ROOT = Path(__file__).parents[2]
NAMES = ["clean", "copies", "folds", "groups", "mask_conflicts", "strict"]


def square(left: int, width: int, *, side: int = 64) -> np.ndarray:
    """(side, side) bool, a bar of full height."""
    mask = np.zeros((side, side), bool)
    mask[:, left : left + width] = True
    return mask


# d is a's copy, mirrored: its mask lies where a's does, once flipped back. b's copy e shares a quarter of it:
# Dice 2 * 4 / 32. c's copy f shares half. g is healthy.
MASKS = {
    "f": square(8, 16),
    "a": square(0, 16),
    "b": square(0, 16),
    "c": square(0, 16),
    "d": square(96, 32, side=128),
    "e": square(12, 16),
    "g": square(0, 0),
}


@pytest.fixture
def lists(tmp_path: Path) -> dict[str, pd.DataFrame]:
    rows = [
        ("a", "e", "neighbour", 0, 0.7, 0.99),
        ("c", "f", "same_pixels", 0, 1.0, 1.0),
        ("b", "e", "reencoded", 0, 0.98, 0.96),
        ("b", "g", "reencoded", 0, 0.98, 0.96),
        ("a", "d", "mirrored", 1, 0.9912, 0.97),
        ("a", "f", "reencoded", 0, 0.97, 0.9),  # of another crop
        ("b", "d", "mirrored", 1, 0.97, 0.96),
    ]
    columns = ["test_id", "train_id", "relation", "mirrored", "aligned", "frame"]
    samples = pd.DataFrame(
        {
            "id": list(MASKS),
            "group": ["c", "a", "b", "c", "a", "b", "g"],
            "fold": [4, 0, 1, 2, 0, 1, -1],
            "clean": [0, 0, 0, 1, 0, 0, 0],
            "strict": [0, 0, 0, 1, 0, 0, 0],
        }
    )
    return make_lists(pd.DataFrame(rows, columns=columns), samples, native(tmp_path), copy_similarity=0.955)


def native(folder: Path) -> NativeMasks:
    write_native(folder / "masks.npz", [pack(mask) for mask in MASKS.values()], fit="squeeze")
    return load_native(folder / "masks.npz")


def test_lists_by_hand(lists: dict[str, pd.DataFrame]) -> None:
    assert sorted(lists) == NAMES
    assert lists["copies"].to_numpy().tolist() == [
        ["a", "d", "mirrored", 1, 0.9912],
        ["a", "f", "reencoded", 0, 0.97],
        ["b", "d", "mirrored", 1, 0.97],
        ["b", "e", "reencoded", 0, 0.98],
        ["b", "g", "reencoded", 0, 0.98],
        ["c", "f", "same_pixels", 0, 1.0],
    ]
    assert lists["clean"]["id"].tolist() == ["c"]
    assert lists["folds"].to_numpy().tolist() == [["a", 0], ["b", 1], ["c", 2], ["d", 0], ["e", 1], ["f", 4]]
    assert lists["groups"].to_numpy().tolist() == [
        ["a", 0],
        ["b", 1],
        ["c", 2],
        ["d", 0],
        ["e", 1],
        ["f", 2],
        ["g", 3],
    ]
    assert lists["mask_conflicts"].to_numpy().tolist() == [["b", "e", 0, 0.25]]


def test_what_is_written_is_read_and_an_edit_is_told(lists: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    write_lists(folder, lists)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True)
    assert read_list("copies.csv", folder).equals(lists["copies"].reset_index(drop=True))
    with (folder / "clean.csv").open("a") as file:
        file.write("b\n")
    with pytest.raises(InputError, match=r"clean\.csv: a list that is not as published"):
        read_list("clean", folder)
    with pytest.raises(InputError, match=r"expected one of clean\.csv, copies\.csv"):
        read_list("dirty", folder)


# ----------------------------------------------------------------------------------------------------------
# those committed


@pytest.fixture(scope="module")
def published() -> dict[str, pd.DataFrame]:
    return {name: read_list(name, ROOT / LISTS) for name in NAMES}


@pytest.fixture(scope="module")
def audit() -> dict:
    found: dict = json.loads((ROOT / "reports/laptop/audit.json").read_text())
    return found


@pytest.fixture(scope="module")
def images() -> pd.DataFrame:
    """Test and validation images of the study, healthy ones too."""
    return pd.read_csv(ROOT / "reports/archive/2026-11-26-laptop/per_image/unet.csv")


def test_copies_are_those_of_the_audit(published: dict[str, pd.DataFrame], audit: dict) -> None:
    copies, counted = published["copies"], audit["pairs"]
    cross = {name: each["cross_split"] for name, each in counted.items() if name != "neighbour"}
    assert copies["relation"].value_counts().to_dict() == cross
    assert copies["test_id"].nunique() == audit["test_with_copy_in_train"]["total"] == 594
    by_class = copies["test_id"].drop_duplicates().str.split("_").str[3].value_counts()
    assert by_class["me"] == audit["test_with_copy_in_train"]["meningioma"]
    assert copies["test_id"].str.contains("_test_").all()
    assert copies["train_id"].str.contains("_train_").all()
    assert set(copies["mirrored"]) == {0, 1}
    inexact = copies[~copies["relation"].isin(["same_bytes", "same_pixels"])]
    assert inexact["similarity"].between(audit["thresholds"]["copy"], 1).all()


def test_subsets_are_those_of_the_study(published: dict[str, pd.DataFrame], images: pd.DataFrame) -> None:
    for name, count in (("clean", 406), ("strict", 251)):
        ids = published[name]["id"].tolist()
        assert ids == sorted(images.loc[images[name] == 1, "id"])
        assert len(ids) == count
    test = set(images.loc[images["official"] == 1, "id"])
    assert set(published["clean"]["id"]) == test - set(published["copies"]["test_id"])
    assert set(published["strict"]["id"]) < set(published["clean"]["id"])


def test_groups_are_those_of_the_audit_and_of_the_intervals(
    published: dict[str, pd.DataFrame], audit: dict, images: pd.DataFrame
) -> None:
    groups, counted = published["groups"].set_index("id")["group"], audit["groups"]
    assert groups.index.nunique() == len(groups) == 6000
    sizes = groups.value_counts()
    assert sorted(sizes.index) == list(range(counted["total"]))
    assert (sizes == 1).sum() == counted["of_one_image"]
    assert sizes.head(10).tolist() == counted["largest"]
    drawn = pd.DataFrame({"theirs": images["group"], "ours": images["id"].map(groups)})
    pairs = drawn.drop_duplicates()
    assert pairs["theirs"].is_unique
    assert pairs["ours"].is_unique
    copies = published["copies"]
    assert (copies["test_id"].map(groups) == copies["train_id"].map(groups)).all()
    # A test image that is alone in its group has nothing in train.
    alone = groups[groups.map(sizes) == 1].index
    assert set(alone[alone.str.contains("_test_")]) <= set(published["strict"]["id"])


def test_folds_hold_every_tumour_once_and_keep_groups_and_copies_together(
    published: dict[str, pd.DataFrame],
) -> None:
    folds = published["folds"].set_index("id")["fold"]
    assert folds.index.nunique() == len(folds) == 4793
    assert not folds.index.str.contains("_no_").any()
    assert sorted(folds.unique()) == [0, 1, 2, 3, 4]
    assert folds.value_counts().max() - folds.value_counts().min() < 50
    assert (folds.groupby(published["groups"].set_index("id")["group"]).nunique() <= 1).all()
    copies = published["copies"]
    assert (copies["test_id"].map(folds).fillna(-1) == copies["train_id"].map(folds).fillna(-1)).all()


def test_conflicts_are_copies(published: dict[str, pd.DataFrame], audit: dict) -> None:
    conflicts, keys = published["mask_conflicts"], ["test_id", "train_id", "mirrored"]
    assert len(conflicts.merge(published["copies"], on=keys, validate="1:1")) == len(conflicts)
    assert conflicts["dice"].between(0, 0.5, inclusive="left").all()
    first = conflicts.set_index(["test_id", "train_id"]).loc[
        ("brisc2025_test_00001_gl_ax_t1", "brisc2025_train_00096_gl_ax_t1")
    ]
    assert first.tolist() == [1, 0.0]
    # The audit counts those within train as well.
    assert len(conflicts) <= sum(each["below_half"] for each in audit["mask_agreement"].values())
