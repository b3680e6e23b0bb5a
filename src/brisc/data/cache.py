"""Decode once: every image and mask of the archive as one uint8 array that training maps into memory."""

import hashlib
import os
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brisc.atomic import atomic, write_json
from brisc.config import Prepare
from brisc.data.native import PackedMask, pack, write_native
from brisc.data.picture import MASK_LEVEL, read_grey, to_square
from brisc.data.split import assign_folds, assign_stand_ins, assign_validating, assign_validation
from brisc.errors import InputError
from brisc.progress import Track
from brisc.vocabulary import FOLDS, HEALTHY, TEST_SUBSETS

# copy_across: its slice is in the other half of the publisher's split too; stand_in: left out where as many
# images as the copies are; fold: 0 to 4 of a tumour slice, else -1; validating: validates the runs with a
# fold that does not hold it.
SELECTION = ("copy_across", "stand_in", "fold", "validating")


def prepare(
    raw: Path,
    index: pd.DataFrame,
    groups: pd.DataFrame,
    out: Path,
    *,
    native: Path,
    prepare: Prepare,
    track: Track,
) -> None:
    """Write out/{images,masks}.npy, out/samples.csv and out/fingerprint.json, and the original masks to the
    file `native`, which lies outside `out` so that no training depends on it.

    images.npy and masks.npy are (N, size, size) uint8 in the row order of samples.csv (0..255, and 0 or 1; a
    healthy slice has an empty mask). samples.csv has the columns id, split (train, validation, test, pruned),
    label, plane, group, official, clean, strict (0 or 1: the subsets of test), those of SELECTION, and
    mask_pixels. `native` is in that row order too.
    """
    samples = assign_samples(index, groups, prepare)
    originals: list[PackedMask] = []
    with atomic(out) as folder:
        folder.mkdir()
        shape = (len(index), prepare.size, prepare.size)
        images, masks = (reserved(folder / name, shape) for name in ("images.npy", "masks.npy"))
        with zipfile.ZipFile(raw) as archive:
            files: Iterable[tuple[str, str]] = zip(index["image"], index["mask"].fillna(""), strict=True)
            # Reading a zip is not thread-safe, decoding is: Pillow and OpenCV let go of the interpreter
            # meanwhile.
            data = ((archive.read(image), archive.read(mask) if mask else b"") for image, mask in files)
            with ThreadPoolExecutor(2) as pool:
                decoded = pool.map(lambda pair: _decode(pair[0], pair[1], prepare), data)
                for row, _ in enumerate(track(range(len(index)), "prepare")):
                    images[row], masks[row], original = next(decoded)
                    originals.append(original)
        samples["mask_pixels"] = masks.sum(axis=(1, 2), dtype=np.int64)
        images.flush()
        masks.flush()
        samples.to_csv(folder / "samples.csv", index=False, lineterminator="\n")
        write_json(folder / "fingerprint.json", fingerprint(raw, folder, prepare.size))
        write_native(native, originals, fit=prepare.fit)


def reserved(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new .npy file of uint8 zeros, mapped into memory, its place on the disk taken.

    Without that a full disk is found out when a page of the map has nowhere to go, which ends the process by
    a signal and in no words; so it is an OSError.
    """
    array: np.memmap = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def assign_samples(index: pd.DataFrame, groups: pd.DataFrame, prepare: Prepare) -> pd.DataFrame:
    """One row per image of `index`: where it is used and in which subsets of test it counts."""
    merged = index[["id", "split", "label", "plane"]].merge(
        groups.drop(columns="split"), on="id", validate="1:1"
    )
    if len(merged) != len(index):
        raise InputError(
            "groups do not cover the index",
            where="groups.csv",
            got=f"{len(merged)} of the ids",
            expected=f"{len(index)}",
            mend="Run the audit stage again.",
        )
    test = merged["split"] == "test"
    usable = ~test
    if prepare.prune != "none":
        touching = merged["copy_across" if prepare.prune == "copies" else "neighbour_across"].astype(bool)
        merged.loc[usable & touching, "split"] = "pruned"
        usable &= ~touching
    merged.loc[usable, "split"] = assign_validation(
        merged[usable],
        split=prepare.split,
        validation_fraction=prepare.validation_fraction,
        seed=prepare.seed,
    )
    merged["official"] = test.astype(int)
    merged["clean"] = (test & ~merged["copy_across"].astype(bool)).astype(int)
    merged["strict"] = (test & ~merged["neighbour_across"].astype(bool)).astype(int)
    _check_split(merged, prepare)
    merged = _assign_selection(merged, prepare)
    return merged[["id", "split", "label", "plane", "group", *TEST_SUBSETS, *SELECTION]]


def _assign_selection(samples: pd.DataFrame, prepare: Prepare) -> pd.DataFrame:
    """With the columns of SELECTION, from which brisc.data.selection makes the split of a run."""
    tumours, train = samples[samples["label"] != HEALTHY], samples[samples["split"] == "train"]
    fold = assign_folds(tumours, folds=FOLDS, seed=prepare.seed)
    validating = assign_validating(
        tumours, validation_fraction=prepare.validation_fraction, seed=prepare.seed
    )
    stand_in = assign_stand_ins(train, seed=prepare.seed)
    return samples.assign(
        copy_across=samples["copy_across"].astype(int),
        stand_in=stand_in.reindex(samples.index, fill_value=False).astype(int),
        fold=fold.reindex(samples.index, fill_value=-1),
        validating=validating.reindex(samples.index, fill_value=False).astype(int),
    )


def fingerprint(raw: Path, folder: Path, size: int) -> dict[str, Any]:
    """What a run's provenance says of its data: the SHA-256 over the arrays and the sample table."""
    digest = hashlib.sha256()
    for name in ("images.npy", "masks.npy", "samples.csv"):
        digest.update(_sha256(folder / name).digest())
    samples = pd.read_csv(folder / "samples.csv")
    return {
        "raw_sha256": _sha256(raw).hexdigest(),
        "fingerprint": digest.hexdigest(),
        "size": size,
        "images": {
            split: int(count) for split, count in samples["split"].value_counts().sort_index().items()
        },
        "vanished_masks": int(((samples["label"] != HEALTHY) & (samples["mask_pixels"] == 0)).sum()),
    }


def _sha256(path: Path) -> "hashlib._Hash":
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _decode(image: bytes, mask: bytes, prepare: Prepare) -> tuple[np.ndarray, np.ndarray, PackedMask]:
    """Picture and mask as squares, and the mask as it is; a healthy slice has an empty one."""
    grey = read_grey(image)
    drawn = read_grey(mask) if mask else np.zeros_like(grey)
    picture, square = (to_square(pixels, size=prepare.size, fit=prepare.fit) for pixels in (grey, drawn))
    # Averaged while still grey, thresholded after: the outline falls where half of a pixel's area is tumour.
    return picture, (square > MASK_LEVEL).astype(np.uint8), pack(drawn > MASK_LEVEL)


def _check_split(samples: pd.DataFrame, prepare: Prepare) -> None:
    labels = sorted(samples["label"].unique())
    for split in ("train", "validation", "test"):
        missing = [
            label for label in labels if not ((samples["split"] == split) & (samples["label"] == label)).any()
        ]
        if missing:
            raise InputError(
                f"a class is missing from {split}",
                where="samples.csv",
                got=f"no {', '.join(missing)}",
                expected="every class in every split",
                mend="Raise prepare.validation_fraction, or prune less.",
            )
    if prepare.split == "grouped":
        sides = samples[samples["split"].isin(["train", "validation"])].groupby("group")["split"].nunique()
        if (sides > 1).any():
            raise InputError(
                "a group lies on both sides of train/validation",
                where="samples.csv",
                got=sides.idxmax(),
                expected="each group on one side",
                mend="Report this as a defect of brisc.data.split.",
            )
