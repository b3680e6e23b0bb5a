"""index_archive: one row per image of a good archive, every broken rule told with its file."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from archive import (
    NAMES,
    image_path,
    jpeg,
    make_files,
    manifest_of,
    mask_path,
    png,
    square_mask,
    twin_path,
    write_archive,
)
from brisc.config import Data, Expected, Splits
from brisc.data.index import index_archive
from brisc.data.source import fetch
from brisc.errors import InputError, InputErrors
from brisc.progress import silent

Files = dict[str, bytes]
TWELVE = Expected(images=Splits(train=8, test=4), pairs=Splits(train=6, test=3))
GLIOMA, HEALTHY = "brisc2025_train_00001_gl_ax_t1", "brisc2025_train_00007_no_co_t1"
MORE = "brisc2025_train_00099"
NOT_READ: Any = None  # the phantom's settings, where the data do not come from it


def raw_of(folder: Path, files: Files, manifest: bytes | None = None) -> Path:
    root = write_archive(folder / "data", files=files, manifest=manifest)
    data = Data(source="brisc2025", kaggle="briscdataset/brisc2025", manifest_sha256=None, expected=TWELVE)
    fetch(folder / "raw.zip", data=data, phantom=NOT_READ, archive=root, track=silent)
    return folder / "raw.zip"


def index_of(folder: Path, files: Files) -> tuple[pd.DataFrame, dict[str, Any]]:
    index, summary = index_archive(raw_of(folder, files), expected=TWELVE, track=silent)
    return index, summary


def refusal(raw: Path, expected: Expected = TWELVE) -> list[str]:
    with pytest.raises((InputError, InputErrors)) as caught:
        index_archive(raw, expected=expected, track=silent)
    return str(caught.value).splitlines()


def grey(height: int, width: int, value: int = 90) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


# --- good archives


def test_index_has_a_row_per_image_sorted_by_id(tmp_path: Path) -> None:
    index, _ = index_of(tmp_path, make_files())
    assert index.columns.tolist() == [
        "id",
        "split",
        "label",
        "plane",
        "image",
        "mask",
        "width",
        "height",
        "mode",
        "orientation",
        "image_bytes",
        "image_sha256",
        "mask_sha256",
    ]
    assert index["id"].tolist() == sorted(NAMES)
    assert index["split"].tolist() == ["test"] * 4 + ["train"] * 8
    assert index["label"].tolist() == ["glioma", "meningioma", "no_tumor", "pituitary"] + [
        label for label in ("glioma", "meningioma", "pituitary", "no_tumor") for _ in range(2)
    ]
    assert index["plane"].tolist() == [
        "sagittal",
        "axial",
        "coronal",
        "sagittal",
        "axial",
        "coronal",
        "sagittal",
        "axial",
        "axial",
        "coronal",
        "coronal",
        "sagittal",
    ]


def test_rows_tell_members_sizes_and_hashes(tmp_path: Path) -> None:
    files = make_files()
    rows = index_of(tmp_path, files)[0].set_index("id")
    image, mask = files[image_path(GLIOMA)], files[mask_path(GLIOMA)]
    assert rows.loc[GLIOMA].to_dict() == {
        "split": "train",
        "label": "glioma",
        "plane": "axial",
        "image": "brisc2025/classification_task/train/glioma/brisc2025_train_00001_gl_ax_t1.jpg",
        "mask": "brisc2025/segmentation_task/train/masks/brisc2025_train_00001_gl_ax_t1.png",
        "width": 24,
        "height": 32,
        "mode": "L",
        "orientation": 1,
        "image_bytes": len(image),
        "image_sha256": hashlib.sha256(image).hexdigest(),
        "mask_sha256": hashlib.sha256(mask).hexdigest(),
    }
    healthy = rows.loc[HEALTHY]
    assert (healthy["mode"], healthy["orientation"], healthy["mask"], healthy["mask_sha256"]) == (
        "RGB",
        8,
        "",
        "",
    )


def test_summary_counts_the_archive(tmp_path: Path) -> None:
    _, summary = index_of(tmp_path, make_files())
    planes = {
        f"{label} {plane}": 0
        for label in ("glioma", "meningioma", "no_tumor", "pituitary")
        for plane in ("axial", "coronal", "sagittal")
    }
    train = (
        "glioma axial",
        "glioma coronal",
        "meningioma sagittal",
        "meningioma axial",
        "no_tumor coronal",
        "no_tumor sagittal",
        "pituitary axial",
        "pituitary coronal",
    )
    test = ("glioma sagittal", "meningioma axial", "no_tumor coronal", "pituitary sagittal")
    assert summary == {
        "images": {"train": 8, "test": 4},
        "pairs": {"train": 6, "test": 3},
        "by_class_plane": {
            "train": planes | dict.fromkeys(train, 1),
            "test": planes | dict.fromkeys(test, 1),
        },
        "sizes": {"distinct": 2, "most_common": {"32x32": 11, "24x32": 1}},
        "modes": {"L": 11, "RGB": 1},
        "orientations": {
            "glioma": {"1": 3},
            "meningioma": {"1": 3},
            "no_tumor": {"1": 2, "8": 1},
            "pituitary": {"1": 3},
        },
        "mask_values": {"low": {"min": 0, "max": 3}, "high": {"min": 250, "max": 255}},
        "problems": [],
    }
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize("meant", [(20, 32), (32, 20)], ids=["as stored", "as shown"])
def test_width_and_height_are_those_shown(meant: tuple[int, int], tmp_path: Path) -> None:
    files = make_files()
    files[image_path(HEALTHY)] = jpeg(
        grey(32, 20), orientation=6
    )  # stored upright, to be shown lying on its side
    size = len(files[image_path(HEALTHY)])
    manifest = manifest_of(files)
    assert manifest.count(f",20,32,{size},".encode()) == 1
    manifest = manifest.replace(f",20,32,{size},".encode(), f",{meant[0]},{meant[1]},{size},".encode())
    rows = index_archive(raw_of(tmp_path, files, manifest), expected=TWELVE, track=silent)[0].set_index("id")
    assert tuple(rows.loc[HEALTHY, ["width", "height", "orientation"]]) == (32, 20, 6)


def test_ringing_up_to_10_and_down_to_245_is_no_problem(tmp_path: Path) -> None:
    files = make_files()
    mask = square_mask(32, 24)
    mask[mask == 3], mask[mask == 250] = 10, 245
    files[mask_path(GLIOMA)] = png(mask)
    _, summary = index_of(tmp_path, files)
    assert summary["mask_values"] == {"low": {"min": 0, "max": 10}, "high": {"min": 245, "max": 255}}


# --- broken rules, one at a time


def set_image(files: Files, name: str, content: bytes) -> None:
    files[image_path(name)] = content
    if twin_path(name) in files:
        files[twin_path(name)] = content


def mask_value(value: int) -> Callable[[Files], None]:
    def edit(files: Files) -> None:
        mask = square_mask(32, 24)
        mask[0, 0] = value
        files[mask_path(GLIOMA)] = png(mask)

    return edit


def mask_of_another_size(files: Files) -> None:
    files[mask_path(GLIOMA)] = png(square_mask(32, 32))


def mask_empty(files: Files) -> None:
    files[mask_path(GLIOMA)] = png(grey(32, 24, 3))


def mask_inverted(files: Files) -> None:
    files[mask_path(GLIOMA)] = png(255 - square_mask(32, 24))


def mask_all_white(files: Files) -> None:
    files[mask_path(GLIOMA)] = png(grey(32, 24, 255))


def mask_of_sixteen_bits(files: Files) -> None:
    files[mask_path(GLIOMA)] = png(square_mask(32, 24).astype(np.uint16))


def mask_truncated(files: Files) -> None:
    files[mask_path(GLIOMA)] = files[mask_path(GLIOMA)][:-30]


def mask_in_jpeg(files: Files) -> None:
    files[mask_path(GLIOMA)] = jpeg(square_mask(32, 24))


def mask_is_text(files: Files) -> None:
    files[mask_path(NAMES[1])] = b"<html>Too many requests</html>"


def image_truncated(files: Files) -> None:
    set_image(files, GLIOMA, files[image_path(GLIOMA)][:-60])


def image_is_text(files: Files) -> None:
    set_image(files, NAMES[1], b"version https://git-lfs.github.com/spec/v1\n")


def image_in_cmyk(files: Files) -> None:
    buffer = io.BytesIO()
    Image.new("CMYK", (32, 32)).save(buffer, "JPEG")
    set_image(files, HEALTHY, buffer.getvalue())


def image_with_bad_orientation(files: Files) -> None:
    set_image(files, HEALTHY, jpeg(grey(32, 32), orientation=9))


def twin_of_other_bytes(files: Files) -> None:
    files[twin_path(GLIOMA)] = jpeg(grey(32, 24))


def image_missing(files: Files) -> None:
    del files[image_path(GLIOMA)]


def twin_missing(files: Files) -> None:
    del files[twin_path(GLIOMA)]


def mask_missing(files: Files) -> None:
    del files[mask_path(GLIOMA)]


def healthy_with_mask(files: Files) -> None:
    files[mask_path(HEALTHY)] = png(square_mask(32, 32))
    files[twin_path(HEALTHY)] = files[image_path(HEALTHY)]


def healthy_with_twin(files: Files) -> None:
    files[twin_path(HEALTHY)] = files[image_path(HEALTHY)]


def class_folder(files: Files) -> None:
    path = image_path(HEALTHY)
    files[path.replace("no_tumor", "glioma")] = files.pop(path)


def split_folder(files: Files) -> None:
    path = image_path(HEALTHY)
    files[path.replace("_task/train/", "_task/test/")] = files.pop(path)


def mask_in_other_split(files: Files) -> None:
    path = mask_path(GLIOMA)
    files[path.replace("_task/train/", "_task/test/")] = files.pop(path)


def in_two_folders(files: Files) -> None:
    files[image_path(HEALTHY).replace("no_tumor", "pituitary")] = files[image_path(HEALTHY)]


def code_nt(files: Files) -> None:
    files["classification_task/train/no_tumor/brisc2025_train_00099_nt_ax_t1.jpg"] = jpeg(grey(32, 32))


def four_digits(files: Files) -> None:
    files["segmentation_task/train/masks/brisc2025_train_0009_gl_ax_t1.png"] = png(square_mask(32, 32))


def unknown_place(files: Files) -> None:
    files[f"classification_task/valid/{MORE}_gl_ax_t1.bmp"] = b"x"


@pytest.mark.parametrize(
    ("edit", "path", "words"),
    [
        (
            mask_value(11),
            mask_path(GLIOMA),
            "mask not binary: got 1 values from 11 to 11, expected only 0 to 10 and 245 to 255",
        ),
        (mask_value(244), mask_path(GLIOMA), "mask not binary: got 1 values from 244 to 244"),
        (mask_of_another_size, mask_path(GLIOMA), "mask of another size: got 32x32, expected 24x32"),
        (mask_empty, mask_path(GLIOMA), "mask empty: got no value above 3"),
        # 8 by 8 of 32 by 24 pixels are tumour: 704 of 768 are not.
        (
            mask_inverted,
            mask_path(GLIOMA),
            "mask inverted or all white: got 92% tumour, expected at most 50%",
        ),
        (mask_all_white, mask_path(GLIOMA), "mask inverted or all white: got 100% tumour"),
        (mask_of_sixteen_bits, mask_path(GLIOMA), "not an 8-bit image: got mode I;16"),
        (mask_truncated, mask_path(GLIOMA), "mask not readable"),
        (mask_in_jpeg, mask_path(GLIOMA), "mask not readable: got another format, expected PNG"),
        (mask_is_text, mask_path(NAMES[1]), "mask not readable: got another format, expected PNG"),
        (image_truncated, image_path(GLIOMA), "image not readable: got image file is truncated"),
        (image_is_text, image_path(NAMES[1]), "image not readable: got another format, expected JPEG"),
        (image_in_cmyk, image_path(HEALTHY), "not an 8-bit image: got mode CMYK"),
        (image_with_bad_orientation, image_path(HEALTHY), "EXIF orientation: got 9, expected 1 to 8"),
        (twin_of_other_bytes, twin_path(GLIOMA), "segmentation image differs from classification image"),
        (image_missing, twin_path(GLIOMA), "segmentation image without classification image"),
        (image_missing, mask_path(GLIOMA), "mask without image"),
        (twin_missing, mask_path(GLIOMA), "mask without image"),
        (mask_missing, image_path(GLIOMA), "tumour image without mask"),
        (mask_missing, twin_path(GLIOMA), "segmentation image without mask"),
        (healthy_with_mask, mask_path(HEALTHY), "healthy image with mask"),
        (healthy_with_twin, twin_path(HEALTHY), "segmentation image without mask"),
        (
            class_folder,
            image_path(HEALTHY).replace("no_tumor", "glioma"),
            "class of the folder contradicts the file name: got glioma, expected no_tumor",
        ),
        (
            split_folder,
            image_path(HEALTHY).replace("_task/train", "_task/test"),
            "split of the folder contradicts the file name: got test, expected train",
        ),
        (
            mask_in_other_split,
            mask_path(GLIOMA).replace("_task/train", "_task/test"),
            "split of the folder contradicts the file name: got test, expected train",
        ),
        (
            in_two_folders,
            image_path(HEALTHY).replace("no_tumor", "pituitary"),
            "id given twice: got also classification_task",
        ),
        (code_nt, "classification_task/train/no_tumor/brisc2025_train_00099_nt_ax_t1.jpg", "file name"),
        (four_digits, "segmentation_task/train/masks/brisc2025_train_0009_gl_ax_t1.png", "file name"),
        (unknown_place, f"classification_task/valid/{MORE}_gl_ax_t1.bmp", "file of no known kind"),
    ],
)
def test_a_broken_rule_is_told_with_its_file(
    edit: Callable[[Files], None], path: str, words: str, tmp_path: Path
) -> None:
    files = make_files()
    edit(files)
    raw = raw_of(tmp_path, files)
    assert any(line.startswith(f"{raw}, member brisc2025/{path}: {words}") for line in refusal(raw))


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        (",train,", ",test,", "split in the manifest contradicts the file name: got test, expected train"),
        (
            ",glioma,",
            ",pituitary,",
            "class in the manifest contradicts the file name: got pituitary, expected glioma",
        ),
        (
            ",axial,",
            ",coronal,",
            "plane in the manifest contradicts the file name: got coronal, expected axial",
        ),
        (",24,32,", ",24,33,", "size contradicts the manifest: got 24x32, expected 24x33"),
        (",24,32,", ",32,24,", "size contradicts the manifest: got 24x32, expected 32x24"),
    ],
)
def test_a_manifest_row_that_contradicts_its_file_is_told(
    was: str, becomes: str, words: str, tmp_path: Path
) -> None:
    files = make_files()
    lines = manifest_of(files).decode().split("\r\n")
    row = next(
        number for number, line in enumerate(lines) if line.startswith(image_path(GLIOMA).replace("/", "\\"))
    )
    assert was in lines[row]
    lines[row] = lines[row].replace(was, becomes)
    raw = raw_of(tmp_path, files, "\r\n".join(lines).encode())
    (line,) = refusal(raw)
    assert line.startswith(f"{raw}, member brisc2025/{image_path(GLIOMA)}: {words}")


# --- counts and floods


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (
            Expected(images=Splits(train=9, test=4), pairs=Splits(train=6, test=3)),
            "images in train: got 8, expected 9",
        ),
        (
            Expected(images=Splits(train=8, test=0), pairs=Splits(train=6, test=3)),
            "images in test: got 4, expected 0",
        ),
        (
            Expected(images=Splits(train=8, test=4), pairs=Splits(train=5, test=3)),
            "pairs in train: got 6, expected 5",
        ),
        (
            Expected(images=Splits(train=8, test=4), pairs=Splits(train=6, test=4)),
            "pairs in test: got 3, expected 4",
        ),
    ],
)
def test_other_counts_than_expected_are_told(expected: Expected, words: str, tmp_path: Path) -> None:
    raw = raw_of(tmp_path, make_files())
    (line,) = refusal(raw, expected)
    assert line.startswith(f"{raw}: number of ")
    assert words in line


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    files = make_files()
    mask_empty(files)
    mask_is_text(files)
    class_folder(files)
    lines = refusal(raw_of(tmp_path, files))
    assert len(lines) == 3
    for words in ("mask empty", "mask not readable", "class of the folder contradicts the file name"):
        assert sum(words in line for line in lines) == 1


def test_a_flood_of_problems_is_cut_to_fifty_lines_and_a_number(tmp_path: Path) -> None:
    files = make_files() | {f"segmentation_task/train/images/{number}.jpg": b"x" for number in range(63)}
    lines = refusal(raw_of(tmp_path, files))
    assert len(lines) == 51
    assert "and 13 more: got 63 problems in all" in lines[-1]


# --- broken archives


def rewritten(raw: Path, edit: Callable[[Files], None]) -> Path:
    """The archive with other members than fetch would let in."""
    with zipfile.ZipFile(raw) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(raw, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return raw


def without(member: str) -> Callable[[Files], None]:
    def edit(members: Files) -> None:
        del members[member]

    return edit


def test_a_missing_archive_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "raw.zip")[0].startswith(f"{tmp_path / 'raw.zip'}: ")


def test_a_truncated_archive_is_told(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, make_files())
    raw.write_bytes(raw.read_bytes()[:-500])
    (line,) = refusal(raw)
    assert line.startswith(f"{raw}: not readable as a zip")


def test_an_archive_without_manifest_is_told(tmp_path: Path) -> None:
    raw = rewritten(raw_of(tmp_path, make_files()), without("brisc2025/manifest.csv"))
    (line,) = refusal(raw)
    assert line.startswith(f"{raw}, member brisc2025/manifest.csv: file missing")


def test_a_member_missing_from_the_archive_is_told(tmp_path: Path) -> None:
    member = f"brisc2025/{image_path(HEALTHY)}"
    raw = rewritten(raw_of(tmp_path, make_files()), without(member))
    (line,) = refusal(raw)
    assert line.startswith(f"{raw}, member {member}: file missing")


def test_a_member_that_changed_since_it_was_packed_is_told(tmp_path: Path) -> None:
    member = f"brisc2025/{mask_path(GLIOMA)}"
    raw = raw_of(tmp_path, make_files())
    good = make_files()[mask_path(GLIOMA)]
    rewritten(raw, lambda members: members.update({member: good[:-1] + b"?"}))
    (line,) = refusal(raw)
    assert line.startswith(f"{raw}, member {member}: file differs from the manifest")


def test_a_member_with_a_bad_checksum_is_told(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, make_files())
    good = make_files()[mask_path(GLIOMA)]
    raw.write_bytes(raw.read_bytes().replace(good, good[:-1] + b"?"))
    (line,) = refusal(raw)
    assert line.startswith(f"{raw}, member brisc2025/{mask_path(GLIOMA)}: member damaged: got Bad CRC-32")


# --- the published data


@pytest.mark.skipif(
    "BRISC_ARCHIVE" not in os.environ, reason="needs the published data set: set BRISC_ARCHIVE"
)
def test_the_published_data_set_keeps_all_rules(tmp_path: Path) -> None:
    raw = tmp_path / "raw.zip"
    expected = Expected(images=Splits(train=5000, test=1000), pairs=Splits(train=3933, test=860))
    data = Data(source="brisc2025", kaggle="briscdataset/brisc2025", manifest_sha256=None, expected=expected)
    fetch(raw, data=data, phantom=NOT_READ, archive=Path(os.environ["BRISC_ARCHIVE"]), track=silent)
    index, summary = index_archive(raw, expected=expected, track=silent)
    assert index.shape == (6000, 13)
    assert summary["mask_values"] == {"low": {"min": 0, "max": 10}, "high": {"min": 246, "max": 255}}
    assert summary["modes"] == {"L": 2866, "RGB": 3134}
    assert summary["orientations"]["no_tumor"] == {"1": 535, "3": 309, "8": 363}
