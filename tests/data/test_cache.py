"""Decoding, squaring, splitting: each against pictures made by hand."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brisc.config import Prepare
from brisc.data.cache import assign_samples, prepare, reserved
from brisc.data.native import load_native, pack, write_native
from brisc.data.picture import from_square, read_grey, to_square
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


@pytest.mark.parametrize("fit", ["squeeze", "pad"])
@pytest.mark.parametrize("shape", [(7, 7), (5, 8), (9, 4)])
def test_back_from_the_square_each_pixel_is_where_it_was(
    fit: Literal["squeeze", "pad"], shape: tuple[int, int]
) -> None:
    # A slope of one level a pixel, the same along a row: no interpolation changes it, away from the borders.
    grey = np.tile(np.arange(shape[1], dtype=np.uint8) * 10 + 50, (shape[0], 1))
    square = to_square(grey, size=max(shape), fit=fit)
    back = from_square(square.astype(np.float64), shape=shape, fit=fit)
    assert back.shape == shape
    if fit == "pad":
        assert (back == grey).all()
    assert back[:, 1:-1] == pytest.approx(grey[:, 1:-1], abs=1)


def test_enlarging_interpolates_between_the_middles_of_pixels() -> None:
    # Of 4 columns from 2 the middles lie at -.25, .25, .75 and 1.25, and nothing is beyond the ends.
    small = np.array([[0.0, 8.0], [0.0, 8.0]])
    assert from_square(small, shape=(2, 4), fit="squeeze").tolist() == [[0, 2, 6, 8]] * 2
    assert from_square(small, shape=(2, 4), fit="pad").tolist() == [[0, 2, 6, 8]] * 2
    assert from_square(small, shape=(4, 2), fit="pad").tolist() == [[2, 6]] * 4


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


def test_a_run_s_images_are_marked_in_every_half() -> None:
    index = table(8, 2)
    related = groups(index, copies=("test_glioma_00", "train_glioma_00"))
    samples = assign_samples(index, related, SETTINGS).set_index("id")
    tumours = samples["label"] != "no_tumor"
    assert set(samples.loc[tumours, "fold"]) == {0, 1, 2, 3, 4}
    assert set(samples.loc[~tumours, "fold"]) == {-1}
    assert not samples.loc[~tumours, "validating"].any()
    assert samples["validating"].sum() == 6  # 10 of each class, a quarter of 10 is 2
    assert samples.index[samples["copy_across"] == 1].tolist() == ["test_glioma_00", "train_glioma_00"]
    stand_in = samples[samples["stand_in"] == 1]
    left_out = int(samples.loc["train_glioma_00", "split"] == "train")
    assert len(stand_in) == left_out
    assert set(stand_in["split"]) <= {"train"}


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
    prepare(
        tmp_path / "raw.zip",
        read,
        groups(index),
        tmp_path / "cache",
        native=tmp_path / "masks.npz",
        prepare=SETTINGS,
        track=silent,
    )
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


def prepared(folder: Path, name: str, settings: Prepare = SETTINGS) -> tuple[Path, Path]:
    """The cache and the original masks of folder/raw.zip and folder/index.csv."""
    index = pd.read_csv(folder / "index.csv")
    cache, native = folder / name, folder / f"{name}.npz"
    prepare(folder / "raw.zip", index, groups(index), cache, native=native, prepare=settings, track=silent)
    return cache, native


@pytest.fixture
def odd(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder with an archive of odd pictures, and what their masks are, by id."""
    index = table(8, 1)
    index["image"], index["mask"] = index["id"] + ".png", ""
    tumours = index.index[index["label"] != "no_tumor"]
    index.loc[tumours, "mask"] = index["id"] + "_mask.png"
    rng, truth = np.random.default_rng(0), {}
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for k, row in enumerate(index.itertuples()):
            height, width = 33 + 2 * k, 47 - k
            grey = rng.integers(0, 255, (height, width), dtype=np.uint8)
            exif = Image.Exif()
            if k % 3 == 0:
                exif[0x0112] = 6  # shown turned by 90 degrees clockwise
            archive.writestr(row.image, encode(grey, exif=exif))
            shown = np.rot90(grey, -1) if k % 3 == 0 else grey
            truth[row.id] = np.zeros(shown.shape, bool)
            if row.mask:
                # Speckles up to all four borders; 127 is background, 128 is tumour.
                drawn = rng.choice(np.array([0, 3, 127, 128, 250, 255], np.uint8), (height, width))
                colour = np.stack([drawn] * 3, axis=-1) if k % 2 else drawn
                archive.writestr(row.mask, encode(colour, exif=exif))
                truth[row.id] = (np.rot90(drawn, -1) if k % 3 == 0 else drawn) >= 128
    index.to_csv(tmp_path / "index.csv", index=False)
    return tmp_path, truth


@pytest.mark.parametrize("fit", ["squeeze", "pad"])
def test_original_masks_are_restored_exactly(
    odd: tuple[Path, dict[str, np.ndarray]], fit: Literal["squeeze", "pad"]
) -> None:
    folder, truth = odd
    cache, path = prepared(folder, "cache", replace(SETTINGS, fit=fit))
    masks, ids = load_native(path), pd.read_csv(cache / "samples.csv")["id"]
    assert (len(masks), masks.fit) == (36, fit)
    for row, id in enumerate(ids):
        assert masks.shape(row) == truth[id].shape
        assert masks.mask(row).dtype == bool
        assert np.array_equal(masks.mask(row), truth[id]), id
    healthy = [row for row, id in enumerate(ids) if "no_tumor" in id]
    assert len(healthy) == 9
    assert not any(masks.mask(row).any() for row in healthy)


def test_a_mask_is_stored_as_its_own_part_of_the_image(tmp_path: Path) -> None:
    # One pixel, a row, a column, two far corners, and all of an image.
    masks = [np.zeros((30, 21), bool) for _ in range(6)]
    masks[0][29, 20] = True
    masks[1][7] = True
    masks[2][:, 3] = True
    masks[3][[0, 29], [20, 0]] = True
    masks[4][:] = True
    write_native(tmp_path / "masks.npz", [pack(mask) for mask in masks], fit="pad")
    stored = load_native(tmp_path / "masks.npz")
    assert all(np.array_equal(stored.mask(row), mask) for row, mask in enumerate(masks))
    # Eight pixels to a byte, each mask on bytes of its own: 1, 21 and 30 pixels, twice 630, and none.
    assert len(stored.bits) == 1 + 3 + 4 + 79 + 79 + 0


def test_two_caches_are_the_same_bytes(odd: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, _ = odd
    (first, masks), (second, again) = (prepared(folder, name) for name in ("a", "b"))
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
    assert masks.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(masks) as archive:  # the two were written within a second: nothing is dated
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    padded, _ = prepared(folder, "c", replace(SETTINGS, fit="pad"))
    assert (padded / "fingerprint.json").read_text() != (first / "fingerprint.json").read_text()


def test_original_masks_lie_beside_the_cache(odd: tuple[Path, dict[str, np.ndarray]]) -> None:
    cache, _ = prepared(odd[0], "cache")
    assert sorted(path.name for path in cache.iterdir()) == [
        "fingerprint.json",
        "images.npy",
        "masks.npy",
        "samples.csv",
    ]
