"""Decoding, squaring, splitting: each against pictures made by hand."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brisc.config import Prepare
from brisc.data.cache import assign_samples, prepare, read_grey, reserved, to_square
from brisc.errors import InputError
from brisc.progress import silent

SETTINGS = Prepare(size=32, fit="squeeze", split="grouped", prune="none", validation_fraction=0.25, seed=3)
LABELS = ("glioma", "meningioma", "no_tumor", "pituitary")


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def test_exif_rotation_is_applied() -> None:
    stored = np.zeros((4, 6), np.uint8)
    stored[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise: the first row becomes the last column
    shown = read_grey(encode(stored, exif=exif))
    assert shown.shape == (6, 4)
    assert shown[0, 3] == 255


def test_an_array_s_place_is_taken_before_it_is_filled(tmp_path: Path) -> None:
    array = reserved(tmp_path / "images.npy", (64, 256, 256))
    taken = (tmp_path / "images.npy").stat()
    assert taken.st_blocks * 512 >= taken.st_size > array.size == 64 * 256 * 256
    assert not array.any()


def test_colour_becomes_luminance() -> None:
    assert read_grey(encode(np.full((2, 2, 3), 90, np.uint8))).tolist() == [[90, 90], [90, 90]]


def test_shrinking_averages_areas() -> None:
    quarters = np.array([[0, 100, 8, 8], [100, 200, 8, 8]], np.uint8)
    assert to_square(np.vstack([quarters, quarters]), size=2, fit="squeeze").tolist() == [[100, 8], [100, 8]]


def test_squeezing_fills_and_padding_keeps_the_aspect_ratio() -> None:
    tall = np.full((8, 4), 50, np.uint8)
    assert (to_square(tall, size=4, fit="squeeze") == 50).all()
    assert to_square(tall, size=4, fit="pad").tolist() == [[0, 50, 50, 0]] * 4


def table(train: int, test: int) -> pd.DataFrame:
    """`train` and `test` images of each class."""
    rows = [
        (f"{split}_{label}_{k:02}", split, label, "axial")
        for split, count in (("train", train), ("test", test))
        for label in LABELS
        for k in range(count)
    ]
    return pd.DataFrame(rows, columns=["id", "split", "label", "plane"]).sort_values("id", ignore_index=True)


def groups(
    index: pd.DataFrame, *, copies: tuple[str, ...] = (), neighbours: tuple[str, ...] = ()
) -> pd.DataFrame:
    flags = {
        "copy_across": index["id"].isin(copies),
        "neighbour_across": index["id"].isin((*copies, *neighbours)),
    }
    return index[["id", "split"]].assign(group=index["id"], **flags)


def test_subsets_leave_out_copies_then_neighbours() -> None:
    index = table(8, 2)
    related = groups(
        index, copies=("test_glioma_00", "train_glioma_00"), neighbours=("test_glioma_01", "train_glioma_01")
    )
    samples = assign_samples(index, related, SETTINGS).set_index("id")
    assert samples.loc["test_glioma_00", ["official", "clean", "strict"]].tolist() == [1, 0, 0]
    assert samples.loc["test_glioma_01", ["official", "clean", "strict"]].tolist() == [1, 1, 0]
    assert samples[["official", "clean", "strict"]].sum().tolist() == [8, 7, 6]
    assert not samples.loc[samples["split"] != "test", ["official", "clean", "strict"]].any(axis=None)
    assert samples["split"].value_counts().to_dict() == {"train": 24, "validation": 8, "test": 8}


@pytest.mark.parametrize(("prune", "pruned"), [("none", 0), ("copies", 1), ("neighbours", 2)])
def test_pruning_takes_from_train_what_touches_test(prune: str, pruned: int) -> None:
    index = table(8, 2)
    related = groups(
        index, copies=("test_glioma_00", "train_glioma_00"), neighbours=("test_glioma_01", "train_glioma_01")
    )
    samples = assign_samples(index, related, replace(SETTINGS, prune=prune))  # type: ignore[arg-type]
    assert (
        samples.loc[samples["split"] == "pruned", "id"].tolist()
        == ["train_glioma_00", "train_glioma_01"][:pruned]
    )
    assert (samples["split"] == "test").sum() == 8


def test_a_class_missing_from_a_split_is_told() -> None:
    with pytest.raises(InputError, match="a class is missing from validation"):
        assign_samples(table(4, 1), groups(table(4, 1)), replace(SETTINGS, validation_fraction=0.07))


def test_groups_that_miss_an_image_are_told() -> None:
    index = table(8, 1)
    with pytest.raises(InputError, match="groups do not cover the index: got 35 of the ids, expected 36"):
        assign_samples(index, groups(index).iloc[1:], SETTINGS)


def test_arrays_follow_the_table(tmp_path: Path) -> None:
    index = table(8, 1)
    index["image"] = index["id"] + ".png"
    index["mask"] = (index["id"] + "_mask.png").where(index["label"] != "no_tumor", "")
    mask = np.zeros((64, 64), np.uint8)
    mask[16:32, :32] = 250  # ringing: near 255, not 255
    mask[40:, 40:] = 9  # and near 0, not 0
    mask[48, 48] = 0
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for level, row in enumerate(index.itertuples()):
            archive.writestr(row.image, encode(np.full((64, 64), level, np.uint8)))
            if row.mask:
                archive.writestr(row.mask, encode(mask))
    index.to_csv(tmp_path / "index.csv", index=False)
    read = pd.read_csv(tmp_path / "index.csv")
    prepare(tmp_path / "raw.zip", read, groups(index), tmp_path / "cache", prepare=SETTINGS, track=silent)
    images, masks = (
        np.load(tmp_path / "cache" / f"{name}.npy", mmap_mode="r") for name in ("images", "masks")
    )
    samples = pd.read_csv(tmp_path / "cache" / "samples.csv")
    assert images.shape == masks.shape == (36, 32, 32)
    assert [image.max() for image in images] == [image.min() for image in images] == list(range(36))
    assert samples["id"].tolist() == index["id"].tolist()
    assert samples["mask_pixels"].tolist() == [
        0 if label == "no_tumor" else 8 * 16 for label in samples["label"]
    ]
    assert set(np.unique(masks)) == {0, 1}
    assert masks[0, 8:16, :16].all()


def test_two_caches_are_the_same_bytes(tmp_path: Path) -> None:
    index = table(8, 1)
    index["image"], index["mask"] = index["id"] + ".png", ""
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for name in index["image"]:
            archive.writestr(name, encode(np.full((40, 50), len(name), np.uint8)))
    digests = []
    for name in ("a", "b"):
        prepare(tmp_path / "raw.zip", index, groups(index), tmp_path / name, prepare=SETTINGS, track=silent)
        digests.append((tmp_path / name / "fingerprint.json").read_text())
    assert digests[0] == digests[1]
    prepare(
        tmp_path / "raw.zip",
        index,
        groups(index),
        tmp_path / "c",
        prepare=replace(SETTINGS, fit="pad"),
        track=silent,
    )
    assert (tmp_path / "c" / "fingerprint.json").read_text() != digests[0]
