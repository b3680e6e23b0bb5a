"""Contact sheets of the copies: each test image beside the train image that shows the same slice."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from brisc.page.cases import Slices, short

CELL, GAP, CAPTION = 160, 6, 30  # pixels
COLUMNS = 3  # pairs side by side
MOST = 60  # pairs of a relation


def write_sheets(copies: pd.DataFrame, slices: Slices, folder: Path) -> list[dict[str, Any]]:
    """Write folder/<relation>.png and give back, for each relation, its name, how many pairs are shown and of
    how many.

    copies: test_id, train_id, relation, mirrored, aligned. A relation of many pairs shows some of them, at
    even steps from the most to the least similar.
    """
    relations = []
    for relation, pairs in copies.groupby("relation", sort=True):
        ordered = pairs.sort_values(["aligned", "test_id", "train_id"], ascending=[False, True, True])
        shown = ordered.iloc[even_steps(len(pairs), MOST)]
        cv2.imwrite(str(folder / f"{relation}.png"), _sheet(shown, slices))
        relations.append({"name": relation, "shown": len(shown), "pairs": len(pairs)})
    return relations


def even_steps(count: int, most: int) -> list[int]:
    """At most `most` of the positions 0 to count - 1, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]


def _sheet(pairs: pd.DataFrame, slices: Slices) -> np.ndarray:
    tiles = [pair_tile(pair, slices) for pair in pairs.to_dict("records")]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


def pair_tile(pair: dict[str, Any], slices: Slices) -> np.ndarray:
    """(CAPTION + CELL + GAP, 3 * CELL + GAP) uint8: test image, train image, turned back if it is the mirror
    image, and their absolute difference, below a caption."""
    test, train = (
        cv2.resize(slices.images[slices.row[pair[key]]], (CELL, CELL), interpolation=cv2.INTER_AREA)
        for key in ("test_id", "train_id")
    )
    if pair["mirrored"] == 1:
        train = np.ascontiguousarray(train[:, ::-1])
    tile = np.zeros((CAPTION + CELL + GAP, 3 * CELL + GAP), np.uint8)
    tile[CAPTION : CAPTION + CELL, : 3 * CELL] = np.hstack([test, train, cv2.absdiff(test, train)])
    names = f"{short(pair['test_id'])}  {short(pair['train_id'])}"
    for line, text in enumerate((names, f"similarity {pair['aligned']:.3f}")):
        cv2.putText(tile, text, (2, 12 + 14 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255,), 1, cv2.LINE_AA)
    return tile
