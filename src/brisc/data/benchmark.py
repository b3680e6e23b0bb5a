"""The lists in benchmark/brisc2025, for those who use the data set without this pipeline: made here from what
the stages audit and prepare found, and read here. Its README says what each list is."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brisc.atomic import write_text
from brisc.data.native import NativeMasks
from brisc.data.picture import MASK_LEVEL, to_square
from brisc.data.similarity import FRAME
from brisc.errors import InputError

LISTS = Path("benchmark/brisc2025")
SUMS = "SHA256SUMS"  # as `sha256sum` writes and checks it
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


def write_lists(folder: Path, lists: Mapping[str, pd.DataFrame]) -> None:
    """Write each list as <name>.csv, and their SHA-256."""
    sums = []
    for name, table in sorted(lists.items()):
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        write_text(folder / f"{name}.csv", text)
        sums.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}.csv\n")
    write_text(folder / SUMS, "".join(sums))


def read_list(name: str, folder: Path = LISTS) -> pd.DataFrame:
    """The list `name`, with or without .csv, of the repository that is the working folder. Raises InputError
    if there is none of this name or it is not as it was published."""
    file = f"{name.removesuffix('.csv')}.csv"
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    sums = {known: digest for digest, known in (line.split("  ") for line in lines)}
    if file not in sums:
        raise InputError(
            "no such list", where=folder, got=file, expected=f"one of {', '.join(sums)}", mend="Correct it."
        )
    digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    if digest != sums[file]:
        raise InputError(
            "a list that is not as published",
            where=folder / file,
            got=f"SHA-256 {digest}",
            expected=f"{sums[file]}, see {SUMS}",
            mend=f"Run git checkout {folder}.",
        )
    return pd.read_csv(folder / file)
