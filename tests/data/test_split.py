"""Validation by groups keeps what belongs together on one side; at random it does not."""

import pandas as pd

from brisc.data.split import assign_validation


def heads(count: int, slices: int) -> pd.DataFrame:
    """`count` heads of `slices` slices each, alternating over two classes and two planes."""
    rows = [
        (
            f"s{head:03}{k:02}",
            ("glioma", "pituitary")[head % 2],
            ("axial", "coronal")[head // 2 % 2],
            f"h{head:03}",
        )
        for head in range(count)
        for k in range(slices)
    ]
    return pd.DataFrame(rows, columns=["id", "label", "plane", "group"])


def assign(table: pd.DataFrame, split: str, *, fraction: float = 0.25, seed: int = 7) -> pd.Series:
    # type: ignore[arg-type]
    return assign_validation(table, split=split, validation_fraction=fraction, seed=seed)


def test_no_group_is_on_both_sides() -> None:
    table = heads(40, 3)
    sides = assign(table, "grouped").groupby(table["group"]).nunique()
    assert (sides == 1).all()


def test_each_class_and_plane_meets_its_quota() -> None:
    # 40 heads over 4 strata: 10 heads of 3 slices each, 30 slices; a quarter is 7.5, rounded to 8; whole
    # heads give 6.
    table = heads(40, 3)
    validation = table[assign(table, "grouped") == "validation"]
    assert validation.groupby(["label", "plane"]).size().tolist() == [6, 6, 6, 6]


def test_single_slices_fill_the_quota_exactly() -> None:
    table = heads(40, 1)
    validation = table[assign(table, "grouped", fraction=0.2) == "validation"]
    assert validation.groupby(["label", "plane"]).size().tolist() == [2, 2, 2, 2]


def test_random_takes_the_fraction_and_tears_groups_apart() -> None:
    table = heads(40, 3)
    sides = assign(table, "random")
    assert (sides == "validation").sum() == 30
    assert (sides.groupby(table["group"]).nunique() == 2).any()


def test_row_order_does_not_matter_and_the_seed_does() -> None:
    table = heads(40, 2)
    shuffled = table.sample(frac=1, random_state=1)
    for split in ("random", "grouped"):
        assert assign(shuffled, split).sort_index().equals(assign(table, split))
        assert not assign(table, split, seed=8).equals(assign(table, split))


def test_a_group_larger_than_the_quota_stays_in_train() -> None:
    table = pd.concat(
        [heads(20, 1), heads(1, 19).assign(id=lambda t: "big" + t["id"], group="big")], ignore_index=True
    )
    assert set(assign(table, "grouped")[table["group"] == "big"]) == {"train"}
