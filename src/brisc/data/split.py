"""Rows drawn for a purpose: validation out of the publisher's training half, folds of all slices, and images
to leave out in place of copies."""

from collections import Counter
from typing import Literal

import numpy as np
import pandas as pd

# Number a generator for each purpose, so that no draw shifts another.
STREAM, FOLD_STREAM, VALIDATING_STREAM, STAND_IN_STREAM = 11, 12, 13, 14


def assign_validation(
    table: pd.DataFrame, *, split: Literal["random", "grouped"], validation_fraction: float, seed: int
) -> pd.Series:
    """ "train" or "validation" for each row of `table` (columns id, label, plane, group; the index is kept).

    "random" draws rows one by one, which is what the study does: slices of one head land on both sides.
    "grouped" moves whole groups, so that no validation slice has its copy or neighbour in train, and fills a
    quota of `validation_fraction` in each class and plane. Groups are taken in a random order and skipped
    when they would overfill a quota.
    """
    generator = np.random.default_rng([seed, STREAM])
    ordered = table.sort_values("id")
    if split == "random":
        chosen = generator.permutation(len(ordered))[: round(len(ordered) * validation_fraction)]
        validation = set(ordered["id"].iloc[chosen])
    else:
        validation = _by_group(ordered, validation_fraction, generator)
    return table["id"].isin(validation).map({True: "validation", False: "train"})


def assign_folds(table: pd.DataFrame, *, folds: int, seed: int) -> pd.Series:
    """A number from 0 to `folds` - 1 for each row of `table` (columns as above), the same within a group.

    Large groups first, in a random order among equals; each goes where there are fewest of its classes and
    planes so far.
    """
    generator = np.random.default_rng([seed, FOLD_STREAM])
    ordered = table.sort_values("id")
    strata = pd.MultiIndex.from_frame(ordered[["label", "plane"]]).factorize(sort=True)[0]
    members = {group: rows for group, rows in sorted(ordered.groupby("group").indices.items())}
    names = [list(members)[i] for i in generator.permutation(len(members))]
    filled = np.zeros((folds, strata.max() + 1), np.int64)
    chosen = np.zeros(len(ordered), np.int64)
    for name in sorted(names, key=lambda group: -len(members[group])):
        own = np.bincount(strata[members[name]], minlength=filled.shape[1])
        fold = min(range(folds), key=lambda k: (filled[k] @ own, filled[k].sum(), k))
        filled[fold] += own
        chosen[members[name]] = fold
    return pd.Series(chosen, index=ordered.index).reindex(table.index)


def assign_validating(table: pd.DataFrame, *, validation_fraction: float, seed: int) -> pd.Series:
    """Whether each row of `table` is one to validate with in the folds where it is not judged; by groups."""
    generator = np.random.default_rng([seed, VALIDATING_STREAM])
    return table["id"].isin(_by_group(table.sort_values("id"), validation_fraction, generator))


def assign_stand_ins(table: pd.DataFrame, *, seed: int) -> pd.Series:
    """Whether each row of `table` (column copy_across besides) is one of the images to leave out in place of
    the copies: as many in each class and plane, none of them a copy.

    Groups are taken whole in a random order while there is room, then single images until the counts agree;
    fewer where a class and plane has not as many.
    """
    generator = np.random.default_rng([seed, STAND_IN_STREAM])
    ordered = table.sort_values("id")
    copies = ordered["copy_across"].astype(bool)
    room = ordered[copies].groupby(["label", "plane"]).size().to_dict()
    others = ordered[~copies]
    members = [rows for _, rows in sorted(others.groupby("group").indices.items())]
    groups = [members[i] for i in generator.permutation(len(members))]
    singles = [np.array([i]) for i in generator.permutation(len(others))]
    strata = list(zip(others["label"], others["plane"], strict=True))
    taken: set[int] = set()
    for rows in (*groups, *singles):
        wanted = Counter(strata[i] for i in rows)
        if taken.isdisjoint(rows) and all(room.get(key, 0) >= count for key, count in wanted.items()):
            taken.update(rows)
            room.update({key: room[key] - count for key, count in wanted.items()})
    return table["id"].isin(others["id"].iloc[sorted(taken)])


def _by_group(ordered: pd.DataFrame, validation_fraction: float, generator: np.random.Generator) -> set[str]:
    strata = list(zip(ordered["label"], ordered["plane"], strict=True))
    room = {
        key: round(count * validation_fraction) for key, count in pd.Series(strata).value_counts().items()
    }
    members: dict[str, list[int]] = {}
    for position, group in enumerate(ordered["group"]):
        members.setdefault(group, []).append(position)
    names = sorted(members)
    validation: set[str] = set()
    for name in (names[i] for i in generator.permutation(len(names))):
        taken = pd.Series([strata[i] for i in members[name]]).value_counts()
        if all(room[key] >= count for key, count in taken.items()):
            validation.update(ordered["id"].iloc[members[name]])
            for key, count in taken.items():
                room[key] -= count
    return validation
