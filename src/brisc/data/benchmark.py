"""What benchmark/brisc2025 lists for those who use the data set without this pipeline, from what the stages
audit and prepare found. Its README says what each list is."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brisc.data.native import NativeMasks
from brisc.data.picture import MASK_LEVEL, to_square
from brisc.data.similarity import FRAME

CONFLICT = 0.5  # two masks of one slice contradict each other below this Dice


def make_lists(
    copies: pd.DataFrame, samples: pd.DataFrame, masks: NativeMasks, *, copy_similarity: float
) -> dict[str, pd.DataFrame]:
    """By name the lists, from copies.csv of the audit stage, samples.csv of the prepare stage and the masks
    in the same row order."""
    true_copies = copies[copies["relation"] != "neighbour"].sort_values(["test_id", "train_id"])
    ordered, columns = samples.sort_values("id"), ["test_id", "train_id", "relation", "mirrored"]
    return {
        "copies": true_copies[columns].assign(similarity=true_copies["aligned"]),
        "clean": ordered.loc[ordered["clean"] == 1, ["id"]],
        "strict": ordered.loc[ordered["strict"] == 1, ["id"]],
        "folds": ordered.loc[ordered["fold"] >= 0, ["id", "fold"]],
        # Numbered in the order of their first image.
        "groups": ordered[["id"]].assign(group=pd.factorize(ordered["group"])[0]),
        # Those alone that fill their frame alike: of another crop or tilt the masks lie elsewhere.
        "mask_conflicts": mask_conflicts(
            true_copies[true_copies["frame"] >= copy_similarity], samples["id"], masks
        ),
    }


def mask_conflicts(copies: pd.DataFrame, ids: pd.Series, masks: NativeMasks) -> pd.DataFrame:
    """Those of `copies` whose masks have a Dice below CONFLICT, once a mirrored one is flipped back:
    test_id, train_id, mirrored, dice. Pairs of which one has no mask are left out."""
    rows = {image: row for row, image in enumerate(ids)}
    found = []
    for pair in copies.itertuples():
        ours, twin = (_square(masks, rows[image]) for image in (pair.test_id, pair.train_id))
        if pair.mirrored:
            twin = twin[:, ::-1]
        if ours.any() and twin.any():
            dice = 2 * int((ours & twin).sum()) / int(ours.sum() + twin.sum())
            found.append((pair.test_id, pair.train_id, pair.mirrored, round(dice, 4)))
    table = pd.DataFrame(found, columns=["test_id", "train_id", "mirrored", "dice"])
    return table[table["dice"] < CONFLICT]


def _square(masks: NativeMasks, row: int) -> NDArray[np.bool_]:
    square = to_square(masks.mask(row).astype(np.uint8) * 255, size=FRAME, fit="squeeze")
    inside: NDArray[np.bool_] = square > MASK_LEVEL
    return inside
