"""Validation rows out of the publisher's training half: at random as in the study, or by groups of similar
slices."""

from typing import Literal

import numpy as np
import pandas as pd

STREAM = 11  # numbers this module's own generator, so that no other draw shifts the split


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
