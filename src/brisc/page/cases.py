"""What the page shows of single images: slices, masks, Grad-CAM, probabilities, and the train twins of copied
test images."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from brisc.errors import InputError
from brisc.page.encode import maps, run_lengths, write_script
from brisc.vocabulary import HEADS, LABELS, PLANES

CAM_SIDE = 32  # px; a Grad-CAM is a blurred map, and a finer one would only weigh more


class Slices:
    """The prepared cache: `table` is samples.csv, a row per image; images and masks are (N, H, W) uint8 in
    its order."""

    def __init__(self, cache: Path) -> None:
        self.table = pd.read_csv(cache / "samples.csv")
        self.images = np.load(cache / "images.npy", mmap_mode="r")
        self.masks = np.load(cache / "masks.npy", mmap_mode="r")
        self.row = {name: row for row, name in enumerate(self.table["id"])}

    @property
    def test(self) -> pd.DataFrame:
        """The rows of the test images, sorted by id: the cases of the page, in its order."""
        return self.table[self.table["official"] == 1].sort_values("id")

    def mask(self, row: int) -> str:
        return run_lengths(self.masks[row] > 0)


def short(name: str) -> str:
    """brisc2025_test_00012_me_ax_t1 -> test_00012_me_ax, as the page names a case and its file."""
    return name.removeprefix("brisc2025_").removesuffix("_t1")


def case_table(slices: Slices) -> dict[str, Any]:
    """Column by column what is known of each test image, whichever model looks at it."""
    test = slices.test
    return {
        "id": [short(name) for name in test["id"]],
        "label": [LABELS.index(label) for label in test["label"]],
        "plane": [PLANES.index(plane) for plane in test["plane"]],
        "clean": test["clean"].tolist(),
        "strict": test["strict"].tolist(),
        "pixels": test["mask_pixels"].tolist(),
    }


def model_cases(evaluated: Path, slices: Slices) -> dict[str, Any]:
    """Column by column what one model made of each test image; which columns there are tells which heads it
    has.

    Mask head: predicted_pixels, intersection, dice, iou, boundary_dice, hd95_px (null where not defined).
    Label head: predicted (index of the class), probabilities (one for each class).
    """
    table, _ = _evaluated(evaluated, slices)
    columns: dict[str, Any] = {}
    if HEADS["mask"].column in table:
        columns |= {name: table[name].astype(int).tolist() for name in ("predicted_pixels", "intersection")}
        columns |= {name: _numbers(table[name], 4) for name in ("dice", "iou", "boundary_dice")}
        columns["hd95_px"] = _numbers(table["hd95_px"], 1)
    if HEADS["label"].column in table:
        probabilities = table[[f"p_{label}" for label in LABELS]].to_numpy()
        columns["predicted"] = [LABELS.index(label) for label in table["predicted"]]
        columns["probabilities"] = np.round(probabilities, 4).tolist()
    return columns


def write_pictures(slices: Slices, names: list[str], folder: Path) -> None:
    """folder/<short id>.webp without loss: the pixels that the models saw."""
    folder.mkdir(exist_ok=True)
    for name in names:
        picture = Image.fromarray(slices.images[slices.row[name]]).convert("RGB")
        picture.save(folder / f"{short(name)}.webp", lossless=True, quality=80, method=4)


def write_masks(evaluated: Path, slices: Slices, path: Path) -> None:
    """The mask that one model predicted on each test image."""
    _, rows = _evaluated(evaluated, slices)
    width = slices.masks.shape[2]
    packed = np.load(evaluated / "masks.npz")["rows"]
    write_script(
        path, [run_lengths(np.unpackbits(packed[row], axis=1, count=width).astype(bool)) for row in rows]
    )


def write_cam(evaluated: Path, slices: Slices, path: Path) -> None:
    """The Grad-CAM of the class that one model predicted on each test image."""
    _, rows = _evaluated(evaluated, slices)
    cam = np.load(evaluated / "cam.npz")["rows"][rows]
    if cam.shape[1] > CAM_SIDE:
        cam = np.stack([cv2.resize(one, (CAM_SIDE, CAM_SIDE), interpolation=cv2.INTER_AREA) for one in cam])
    write_script(path, maps(cam))


def write_truth(slices: Slices, path: Path) -> None:
    write_script(path, [slices.mask(slices.row[name]) for name in slices.test["id"]])


def read_copies(path: Path, slices: Slices) -> pd.DataFrame:
    """copies.csv: pairs of a test image and a train image that show the same slice or neighbouring ones."""
    copies = pd.read_csv(path)
    unknown = sorted({*copies["test_id"], *copies["train_id"]} - slices.row.keys())
    if unknown:
        raise InputError(
            "copies of images that are not in the cache",
            where=path,
            got=unknown[0],
            expected="an id of samples.csv",
            mend="Run the audit and prepare stages again.",
        )
    return copies


def copied_pairs(copies: pd.DataFrame) -> pd.DataFrame:
    """The pairs that show the same slice, the closest of each test image first."""
    return copies[copies["relation"] != "neighbour"].sort_values(
        ["test_id", "aligned"], ascending=[True, False]
    )


def write_copies(pairs: pd.DataFrame, slices: Slices, path: Path) -> None:
    """The pairs, and mask, class and split of each train image among them."""
    position = {name: case for case, name in enumerate(slices.test["id"])}
    twins = sorted(set(pairs["train_id"]))
    described = slices.table.set_index("id").loc[twins]
    number = {name: index for index, name in enumerate(twins)}
    content = {
        "pairs": {
            "case": [position[name] for name in pairs["test_id"]],
            "twin": [number[name] for name in pairs["train_id"]],
            "relation": pairs["relation"].tolist(),
            "mirrored": pairs["mirrored"].tolist(),
            "similarity": _numbers(pairs["aligned"], 4),
        },
        "twins": {
            "id": [short(name) for name in twins],
            "label": [LABELS.index(label) for label in described["label"]],
            "plane": [PLANES.index(plane) for plane in described["plane"]],
            "split": described["split"].tolist(),
            "mask": [slices.mask(slices.row[name]) for name in twins],
        },
    }
    write_script(path, content)


def _evaluated(evaluated: Path, slices: Slices) -> tuple[pd.DataFrame, np.ndarray]:
    """per_image.csv of the test images in the order of the page, and their rows in the arrays beside it."""
    path = evaluated / "per_image.csv"
    table = pd.read_csv(path)
    rows = pd.Series(np.arange(len(table)), index=table["id"]).reindex(slices.test["id"])
    missing = rows.index[rows.isna()]
    if len(missing):
        raise InputError(
            "a test image without a prediction",
            where=path,
            got=f"{len(missing)} missing, first {missing[0]}",
            expected=f"all {len(rows)} test images",
            mend="Run the evaluate stage of this model again.",
        )
    order = rows.to_numpy().astype(int)
    return table.iloc[order].reset_index(drop=True), order


def _numbers(column: pd.Series, decimals: int) -> list[float | None]:
    return [None if np.isnan(value) else round(value, decimals) for value in column.astype(float).tolist()]
