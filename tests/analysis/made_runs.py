"""Evaluated runs of scores given by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from brisc.analysis.runs import Evaluated


def images(scores: Sequence[float], *, split: str, first: int = 0, flips: float = 0.0) -> pd.DataFrame:
    """Gliomas, axial, each a group of its own, of 100 pixels with 10 of tumour and the Dice given: so much of
    ten predicted pixels is right. Test images are official, the even ones clean."""
    rows = range(first, first + len(scores))
    test = int(split == "test")
    return pd.DataFrame(
        {
            "id": [f"i{i:03}" for i in rows],
            "split": split,
            "label": "glioma",
            "plane": "axial",
            "group": [f"g{i:03}" for i in rows],
            "official": test,
            "clean": [test * int(i % 2 == 0) for i in rows],
            "strict": [test * int(i % 2 == 0) for i in rows],
            "true_pixels": 10,
            "predicted_pixels": 10,
            "intersection": [round(10 * score) for score in scores],
            "pixels": 100,
            "dice": scores,
            "dice_flips": [score + flips for score in scores],
            "iou": scores,
            "hd95_px": 1.0,
            "boundary_dice": scores,
        }
    )


def evaluated(
    place: Path,
    name: str,
    table: pd.DataFrame,
    *,
    kind: str = "model",
    like: str | None = None,
    changes: Mapping[str, Any] | None = None,
    train_images: int = 100,
    **settings: Any,
) -> Evaluated:
    """A run that segments; a recipe has validation alone."""
    folder = place / name
    folder.mkdir(parents=True)
    if kind == "recipe":
        table = table[table["split"] == "validation"].assign(score=lambda t: t["dice"])
        table.to_csv(folder / "validation.csv", index=False)
    else:
        table.to_csv(folder / "per_image.csv", index=False)
    validation = float(table.loc[table["split"] == "validation", "dice"].mean())
    return Evaluated(
        name=name,
        folder=folder,
        about={"kind": kind, "like": like, "changes": dict(changes or {})},
        summary={
            "heads": ["mask"],
            "best_epoch": 1,
            "train_images": train_images,
            "settings": {"seed": 42, "prune": "none", "fold": None, **settings},
        },
        cost={},
        metrics={"validation": {"dice_per_image": validation}},
        inference={},
        history=pd.DataFrame(),
    )
