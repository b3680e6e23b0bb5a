"""Contact sheets of the copies: each test image beside the train image that shows the same slice.

They hold images of patients, so they go to site/, which DVC keeps and git does not.
"""

import html
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from brisc.atomic import atomic

CELL, GAP, CAPTION = 160, 6, 30  # pixels
COLUMNS = 3  # pairs side by side
STREAM = 41


def contact_sheets(
    copies: pd.DataFrame,
    out: Path,
    *,
    read_image: Callable[[str], np.ndarray],
    per_relation: int,
    seed: int,
    source: str,
) -> None:
    """Write out/<relation>.png with a seeded sample of pairs of each relation, and out/index.html that shows
    them all.

    copies: test_id, train_id, relation, mirrored, aligned. read_image: id -> (H, W) uint8. Each pair is drawn
    as test image, train image (turned back if it is the mirror image), absolute difference.
    """
    label = (
        "phantom data: says nothing about patients"
        if source == "phantom"
        else "BRISC 2025, Fateh et al., CC BY 4.0"
    )
    sections = []
    with atomic(out) as folder:
        folder.mkdir()
        for relation, pairs in copies.groupby("relation", sort=True):
            chosen = np.random.default_rng([seed, STREAM]).permutation(len(pairs))[:per_relation]
            sample = pairs.sort_values(["test_id", "train_id"]).iloc[sorted(chosen)]
            cv2.imwrite(str(folder / f"{relation}.png"), _sheet(sample, read_image))
            title = f"{str(relation).replace('_', ' ')}: {len(sample)} of {len(pairs)} pairs"
            text = f"{title}. Each: test image, train image (turned back if mirrored), difference."
            image = f'<img loading="lazy" src="{relation}.png" alt="{html.escape(text)}">'
            sections.append(f"<section><h2>{html.escape(title)}</h2>{image}</section>")
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:; "
            "style-src 'unsafe-inline'\">"
            "<title>Copies across the split</title><style>body{font:16px/1.5 sans-serif;margin:1rem;background:#111;color:#eee}"
            "img{max-width:100%}</style>"
            f"<h1>Copies across the split</h1><p>{html.escape(label)}. Each pair: test image, train image (turned back if it is "
            f"mirrored), absolute difference.</p>{''.join(sections)}</html>\n"
        )
        (folder / "index.html").write_text(page, encoding="utf-8")


def _sheet(pairs: pd.DataFrame, read_image: Callable[[str], np.ndarray]) -> np.ndarray:
    columns = (pairs[name] for name in ("test_id", "train_id", "mirrored", "aligned"))
    tiles = [_pair(*row, read_image=read_image) for row in zip(*columns, strict=True)]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def _pair(
    test_id: str, train_id: str, mirrored: int, aligned: float, *, read_image: Callable[[str], np.ndarray]
) -> np.ndarray:
    """(CAPTION + CELL + GAP, 3 * CELL + GAP) uint8 of one pair."""
    test, train = (
        cv2.resize(read_image(name), (CELL, CELL), interpolation=cv2.INTER_AREA)
        for name in (test_id, train_id)
    )
    if mirrored == 1:
        train = np.ascontiguousarray(train[:, ::-1])
    tile = np.zeros((CAPTION + CELL + GAP, 3 * CELL + GAP), np.uint8)
    tile[CAPTION : CAPTION + CELL, : 3 * CELL] = np.hstack([test, train, cv2.absdiff(test, train)])
    short = [name.removeprefix("brisc2025_").removesuffix("_t1") for name in (test_id, train_id)]
    for line, text in enumerate((f"{short[0]}  {short[1]}", f"similarity {aligned:.3f}")):
        cv2.putText(tile, text, (2, 12 + 14 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255,), 1, cv2.LINE_AA)
    return tile
