"""Validation by groups keeps what belongs together on one side; at random it does not."""

import pandas as pd

from brisc.data.split import assign_folds, assign_stand_ins, assign_validating, assign_validation


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


def test_folds_keep_groups_whole_and_are_even_in_each_class_and_plane() -> None:
    # 40 heads of 3 slices, 10 in each of 4 strata: two heads of each stratum in each of five folds.
    table = heads(40, 3)
    fold = assign_folds(table, folds=5, seed=7)
    assert (fold.groupby(table["group"]).nunique() == 1).all()
    assert set(table.groupby(["label", "plane", fold.rename("fold")]).size()) == {6}
    assert table.groupby(["label", "plane", fold.rename("fold")]).ngroups == 20


def test_a_large_group_takes_a_fold_and_small_ones_even_it_out() -> None:
    # One group of 8 and 16 single slices of one stratum, three folds: 8 slices each.
    table = pd.concat([heads(1, 8), heads(16, 1).assign(label="glioma", plane="axial")], ignore_index=True)
    table["id"], table["group"] = [f"i{i:02}" for i in range(24)], ["big"] * 8 + [f"g{i}" for i in range(16)]
    fold = assign_folds(table, folds=3, seed=1)
    assert fold.value_counts().tolist() == [8, 8, 8]
    assert fold[table["group"] == "big"].nunique() == 1


def test_folds_and_validating_depend_on_the_seed_and_not_on_row_order() -> None:
    table = heads(40, 2)
    shuffled = table.sample(frac=1, random_state=1)
    fold = assign_folds(table, folds=5, seed=7)
    assert assign_folds(shuffled, folds=5, seed=7).sort_index().equals(fold)
    assert not assign_folds(table, folds=5, seed=8).equals(fold)
    validating = assign_validating(table, validation_fraction=0.2, seed=7)
    assert assign_validating(shuffled, validation_fraction=0.2, seed=7).sort_index().equals(validating)
    assert not assign_validating(table, validation_fraction=0.2, seed=8).equals(validating)
    # 10 heads of 2 slices in each of 4 strata: a fifth is two heads of each.
    assert validating.sum() == 16
    assert (validating.groupby(table["group"]).nunique() == 1).all()


def test_stand_ins_are_no_copies_and_as_many_in_each_class_and_plane() -> None:
    # Of ten heads in each of four strata the first of a stratum loses two of three slices to copies. A whole
    # head of three does not fit into a room of two, so single slices fill it.
    table = heads(40, 3)
    copies = table["group"].isin(["h000", "h001", "h002", "h003"]) & ~table["id"].str.endswith("02")
    table["copy_across"] = copies.astype(int)
    chosen = assign_stand_ins(table, seed=7)
    assert not (chosen & copies).any()
    assert table[chosen].groupby(["label", "plane"]).size().tolist() == [2, 2, 2, 2]
    assert not assign_stand_ins(table, seed=8).equals(chosen)


def test_stand_ins_come_as_whole_groups_where_there_is_room() -> None:
    # Nine copies, one head of three slices in three others of the stratum: three heads, whole.
    table = heads(40, 3)
    copies = table["group"].isin(["h000", "h004", "h008"])
    table["copy_across"] = copies.astype(int)
    chosen = table[assign_stand_ins(table, seed=7)]
    assert chosen.groupby("group").size().tolist() == [3, 3, 3]
    assert set(zip(chosen["label"], chosen["plane"], strict=True)) == {("glioma", "axial")}


def test_no_more_stand_ins_than_there_are_others() -> None:
    table = heads(1, 5).assign(copy_across=[1, 1, 1, 0, 0])
    assert assign_stand_ins(table, seed=7).tolist() == [False, False, False, True, True]
