import csv
import gzip
import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from brisc.config import Phantom, Splits
from brisc.data import head, phantom
from brisc.data.phantom import MANIFEST_COLUMNS, PlantedCopy, generate
from brisc.data.picture import read_grey
from brisc.errors import InputError
from brisc.progress import silent

SMALL = Phantom(
    seed=7,
    size=64,
    slices=Splits(train=36, test=13),
    deformation_mm=5.0,
    bias=0.1,
    noise=0.02,
    lesion_contrast=1.0,
    other_sizes=0.3,
    colour=0.5,
    rotated=0.7,
    mask_quality=97,
    copies_same_bytes=1,
    copies_same_pixels=1,
    copies_reencoded=2,
    copies_rescaled=1,
    copies_mirrored=2,
    copies_within_train=2,
    neighbours=2,
    neighbours_within_train=1,
    neighbour_gap_mm=4.0,
)
PLAIN = replace(
    SMALL,
    slices=Splits(train=12, test=12),
    other_sizes=0.0,
    rotated=0.0,
    copies_same_bytes=0,
    copies_same_pixels=0,
    copies_reencoded=0,
    copies_rescaled=0,
    copies_mirrored=0,
    copies_within_train=0,
    neighbours=0,
    neighbours_within_train=0,
)
LABELS = {"gl": "glioma", "me": "meningioma", "no": "no_tumor", "pi": "pituitary"}


class Archive:
    """The files of a generated archive by path under brisc2025, and what generate returned."""

    def __init__(self, folder: Path, planted: list[PlantedCopy]) -> None:
        self.planted = planted
        root = folder / "brisc2025"
        self.files = {
            path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
        }
        self.images = {
            Path(name).stem: data
            for name, data in self.files.items()
            if name.startswith("classification_task/")
        }
        self.masks = {Path(name).stem: data for name, data in self.files.items() if "/masks/" in name}

    def grey(self, name: str) -> np.ndarray:
        image: np.ndarray = read_grey(self.images[name])
        return image

    def mask(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.masks[name])))

    def stored(self, name: str) -> Image.Image:
        return Image.open(io.BytesIO(self.images[name]))

    def pairs(self, relation: str) -> list[PlantedCopy]:
        return [pair for pair in self.planted if pair.relation == relation]


Make = Callable[[Phantom], Archive]


@pytest.fixture(scope="module")
def template() -> head.Template:
    return head.load_template()


@pytest.fixture(scope="module")
def make(template: head.Template, tmp_path_factory: pytest.TempPathFactory) -> Make:
    @cache
    def made(settings: Phantom) -> Archive:
        folder = tmp_path_factory.mktemp("phantom")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(phantom, "load_template", lambda: template)
            return Archive(folder, generate(folder, phantom=settings, track=silent))

    return made


@pytest.fixture(scope="module")
def small(make: Make) -> Archive:
    return make(SMALL)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    small: Archive, tmp_path: Path, make: Make
) -> None:
    again = Archive(tmp_path, generate(tmp_path, phantom=SMALL, track=silent))
    assert again.files == small.files
    assert again.planted == small.planted
    other = make(replace(SMALL, seed=8))
    assert not set(other.images.values()) & set(small.images.values())


def test_classes_and_planes_are_filled_in_the_published_mix(small: Archive) -> None:
    cells = Counter(tuple(name.split("_")[n] for n in (1, 3, 4)) for name in small.images)
    # One each; the thirteenth test slice goes to the largest published cell, the 137 axial meningiomas.
    test = {key: count for key, count in cells.items() if key[0] == "test"}
    assert test.pop(("test", "me", "ax")) == 2
    assert len(test) == 11
    assert set(test.values()) == {1}
    assert sum(count for key, count in cells.items() if key[0] == "train") == 36
    assert min(cells.values()) == 1


def test_slices_are_numbered_through_classes_and_planes(small: Archive) -> None:
    for split, total in (("train", 36), ("test", 13)):
        names = sorted(name for name in small.images if f"_{split}_" in name)
        assert [int(name.split("_")[2]) for name in names] == list(range(1, total + 1))
        cells = [tuple(name.split("_")[3:5]) for name in names]
        assert cells == sorted(cells)
        assert all(name.endswith("_t1") and len(name.split("_")[2]) == 5 for name in names)


def test_files_lie_as_the_publisher_lays_them(small: Archive) -> None:
    expected = {"manifest.csv", "README.md", "phantom_copies.csv"}
    for name in small.images:
        _, split, _, code, _, _ = name.split("_")
        expected.add(f"classification_task/{split}/{LABELS[code]}/{name}.jpg")
        if code != "no":
            image = f"segmentation_task/{split}/images/{name}.jpg"
            expected |= {image, f"segmentation_task/{split}/masks/{name}.png"}
            assert small.files[image] == small.images[name]
    assert set(small.files) == expected


def test_the_manifest_tells_the_truth(small: Archive) -> None:
    text = small.files["manifest.csv"].decode()
    assert text.count("\n") == text.count("\r\n") == 1 + len(small.files) - 3
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == MANIFEST_COLUMNS
    paths = [row["relative_path"].replace("\\", "/") for row in rows]
    assert paths == sorted(set(small.files) - {"manifest.csv", "README.md", "phantom_copies.csv"})
    for path, row in zip(paths, rows, strict=True):
        data = small.files[path]
        assert (row["sha256"], int(row["file_size_bytes"])) == (hashlib.sha256(data).hexdigest(), len(data))
        assert (int(row["width"]), int(row["height"])) == Image.open(io.BytesIO(data)).size
        stem, suffix = Path(path).stem, Path(path).suffix
        assert row["filename"] == stem + suffix
        named = (row["split"], row["index"], row["tumor_code"], row["plane_code"], row["sequence"].lower())
        assert "_".join(("brisc2025", *named)) == stem
        assert row["tumor_label"] == LABELS[row["tumor_code"]]
        assert row["plane_label"][:2] == row["plane_code"]
        assert row["task"] == path.split("_")[0]
        is_mask = "/masks/" in path
        assert row["is_mask"] == str(is_mask)
        linked = path.replace("/masks/", "/images/").replace(".png", ".jpg").replace("/", "\\")
        assert row["linked_image"] == (linked if is_mask else "")


def test_the_manifest_has_the_published_form(small: Archive) -> None:
    archive = Path(os.environ.get("BRISC_ARCHIVE", "unset"))
    published = next(
        (path for path in (archive / "manifest.csv", archive / "brisc2025/manifest.csv") if path.is_file()),
        None,
    )
    if published is None:
        pytest.skip("BRISC_ARCHIVE names no folder with the published data")
    with published.open(newline="", encoding="utf-8") as file:
        header, first = next(file), next(file)
    ours = small.files["manifest.csv"].decode().splitlines(keepends=True)
    assert ours[0] == header
    # Up to the image's size: all but width, height, bytes and hash.
    assert ours[1].split(",")[:12] == first.split(",")[:12]


def test_masks_are_grey_at_the_edge_only_within_ten_of_black_and_white(small: Archive) -> None:
    greys = 0
    for name in small.masks:
        mask = small.mask(name)
        assert Image.open(io.BytesIO(small.masks[name])).mode == "L"
        assert mask.shape == small.grey(name).shape
        assert not ((mask > 10) & (mask < 245)).any()
        assert (mask > 127).mean() >= 0.0015  # a rescaled one may lose a pixel or two
        assert (mask > 127).mean() < 0.25
        ringing = ((mask > 0) & (mask < 255)).sum()
        greys += ringing > 0
        near = ndimage.binary_dilation(mask > 127, np.ones((3, 3)), iterations=8)
        assert not mask[~near].any()  # ringing stays within a JPEG block of the lesion
    assert greys > len(small.masks) / 2


def test_what_was_planted_is_written_down(small: Archive) -> None:
    rows = list(csv.DictReader(io.StringIO(small.files["phantom_copies.csv"].decode())))
    assert rows == [{"original": p.original, "copy": p.copy, "relation": p.relation} for p in small.planted]
    # Two copies within train: the first kinds in turn, same bytes and same pixels.
    across = Counter(pair.relation for pair in small.planted if "_test_" in pair.original)
    within = Counter(pair.relation for pair in small.planted if "_train_" in pair.original)
    assert across == {
        "same_bytes": 1,
        "same_pixels": 1,
        "reencoded": 2,
        "rescaled": 1,
        "mirrored": 2,
        "neighbour": 2,
    }
    assert within == {"same_bytes": 1, "same_pixels": 1, "neighbour": 1}
    assert all("_train_" in pair.copy for pair in small.planted)
    names = [name for pair in small.planted for name in (pair.original, pair.copy)]
    assert len(set(names)) == len(names)


def test_copies_are_of_their_original(small: Archive) -> None:
    for pair in small.planted:
        assert pair.original.split("_")[3:5] == pair.copy.split("_")[3:5]
        same_bytes = small.images[pair.original] == small.images[pair.copy]
        assert same_bytes == (pair.relation == "same_bytes")
        first, second = small.grey(pair.original), small.grey(pair.copy)
        masks = [small.mask(name) > 127 for name in (pair.original, pair.copy) if name in small.masks]
        if pair.relation in ("same_bytes", "same_pixels"):
            assert np.array_equal(first, second)
        if pair.relation == "mirrored":
            assert _correlation(first, second[:, ::-1]) > 0.98 > _correlation(first, second)
            assert not masks or np.array_equal(masks[0], masks[1][:, ::-1])
        if pair.relation == "reencoded":
            assert not np.array_equal(first, second)
            assert _correlation(first, second) > 0.98
            assert not masks or np.array_equal(masks[0], masks[1])
        if pair.relation == "rescaled":
            assert first.shape != second.shape
            assert _correlation(first, second) > 0.9
            assert not masks or abs(masks[0].mean() / masks[1].mean() - 1) < 0.25


def test_copies_stand_out_from_neighbours_and_neighbours_from_strangers(make: Make) -> None:
    archive = make(replace(SMALL, size=128))
    names = sorted(archive.images)
    pictures = {name: _standard(archive.grey(name)) for name in names}
    alike = {
        frozenset((a, b)): max(float(pictures[a] @ other.ravel()) for other in (square, square[:, ::-1]))
        for i, b in enumerate(names)
        for square in [pictures[b].reshape(64, 64)]
        for a in names[:i]
    }
    planted = {frozenset((pair.original, pair.copy)): pair.relation for pair in archive.planted}
    copies = [alike[pair] for pair, relation in planted.items() if relation != "neighbour"]
    neighbours = [alike[pair] for pair, relation in planted.items() if relation == "neighbour"]
    strangers = [value for pair, value in alike.items() if pair not in planted]
    assert min(copies) > 0.95 > max(neighbours)
    assert min(neighbours) > 0.65
    assert max(strangers) < min(neighbours)


def test_turned_files_are_upright_when_read(make: Make) -> None:
    more = replace(PLAIN, slices=Splits(train=24, test=24))
    turned, upright = make(replace(more, rotated=1.0)), make(more)
    names = [name for name in turned.images if "_no_" in name]
    tags = {name: turned.stored(name).getexif().get(274) for name in turned.images}
    assert {tags[name] for name in names} == {3, 6, 8}
    assert {tags[name] for name in tags if name not in names} == {None}
    for name in names:
        assert _correlation(np.asarray(turned.stored(name).convert("L")), upright.grey(name)) < 0.95
        assert _correlation(turned.grey(name), upright.grey(name)) > 0.99


def test_files_that_are_not_square_are_turned_by_half_at_most(make: Make) -> None:
    archive = make(replace(PLAIN, rotated=1.0, other_sizes=1.0))
    long = [name for name in archive.images if "_no_" in name and len(set(archive.grey(name).shape)) == 2]
    assert long
    assert {archive.stored(name).getexif()[274] for name in long} == {3}


def test_lesions_are_as_their_classes_have_them(make: Make) -> None:
    archive = make(PLAIN)
    rings = []
    for name in archive.masks:
        label, plane = name.split("_")[3:5]
        mask, image = archive.mask(name) > 127, archive.grey(name).astype(float)
        outline = ndimage.binary_closing(image > 25, iterations=3)
        brain = ndimage.binary_erosion(outline, iterations=8)
        if label == "pi" and plane != "sa":  # on the midline
            head_columns = np.flatnonzero(outline.any(0))
            assert abs(np.nonzero(mask)[1].mean() - head_columns.mean()) < 8  # of 64 pixels
        if label == "gl":
            core = ndimage.binary_erosion(mask, iterations=2)
            rings.append(image[mask & ~core].mean() - image[core].mean())
        if label == "me":  # brighter than brain, and not only within it
            assert image[mask].mean() > image[brain & ~mask].mean() + 15
            assert mask[~brain].any()
    assert np.mean(rings) > 5


def test_lesion_contrast_bias_and_warp_do_what_they_say(template: head.Template) -> None:
    def cut(settings: Phantom) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(5)
        person = head.draw_head(rng, template, "meningioma", "coronal", settings)
        plane = head.draw_plane(rng, person, "coronal", (64, 64))
        image, mask = head.section(rng, template, person, plane, 0.0)
        return image, mask

    plain = replace(SMALL, bias=0.0, deformation_mm=0.0)
    image, mask = cut(plain)
    louder, same = cut(replace(plain, lesion_contrast=1.5))
    assert np.array_equal(mask, same)
    assert louder[mask].mean() > image[mask].mean() + 10
    assert np.array_equal(louder[:8], image[:8])
    shaded, same = cut(replace(plain, bias=0.2))
    assert np.array_equal(mask, same)
    signal = image > 40
    ratio = shaded[signal].astype(float) / image[signal]
    assert ratio.std() > 0.03
    warped, _ = cut(replace(plain, deformation_mm=6.0))
    assert _correlation(warped, image) < _correlation(shaded, image) < 1


def _noise(archive: Archive) -> float:
    return float(np.mean([archive.grey(name)[:3, :3].mean() for name in archive.images]))


def _ringing(archive: Archive) -> float:
    return float(
        np.mean([((mask := archive.mask(name)) > 0).mean() - (mask > 127).mean() for name in archive.masks])
    )


def _similarity_of_neighbours(archive: Archive) -> float:
    return float(
        np.mean(
            [_correlation(archive.grey(p.original), archive.grey(p.copy)) for p in archive.pairs("neighbour")]
        )
    )


def _shares(archive: Archive, mode: str) -> float:
    return float(np.mean([archive.stored(name).mode == mode for name in archive.masks]))


# setting: a lower and a higher setting, and what grows from one to the other
SETTINGS_OF: dict[str, tuple[Any, Any, Callable[[Archive], float]]] = {
    "size": (64, 72, lambda archive: archive.grey(min(archive.images)).shape[0]),
    "slices": (Splits(train=12, test=12), Splits(train=14, test=12), lambda archive: len(archive.images)),
    "noise": (0.0, 0.05, _noise),
    "other_sizes": (0.0, 1.0, lambda archive: len({archive.grey(name).shape for name in archive.images})),
    "colour": (0.0, 1.0, lambda archive: _shares(archive, "RGB")),
    "rotated": (
        0.0,
        1.0,
        lambda archive: sum(274 in archive.stored(name).getexif() for name in archive.images),
    ),
    "mask_quality": (99, 75, _ringing),
    "copies_same_bytes": (0, 2, lambda archive: len(archive.pairs("same_bytes"))),
    "copies_same_pixels": (0, 2, lambda archive: len(archive.pairs("same_pixels"))),
    "copies_reencoded": (0, 2, lambda archive: len(archive.pairs("reencoded"))),
    "copies_rescaled": (0, 2, lambda archive: len(archive.pairs("rescaled"))),
    "copies_mirrored": (0, 2, lambda archive: len(archive.pairs("mirrored"))),
    "neighbours": (0, 2, lambda archive: len(archive.pairs("neighbour"))),
    "neighbour_gap_mm": (7.0, 2.0, _similarity_of_neighbours),
    "copies_within_train": (0, 1, lambda archive: len(archive.planted)),
    "neighbours_within_train": (0, 1, lambda archive: len(archive.pairs("neighbour"))),
}
TESTED_ABOVE = {"seed", "lesion_contrast", "bias", "deformation_mm"}


def test_no_setting_is_left_out() -> None:
    assert {field.name for field in fields(Phantom)} == set(SETTINGS_OF) | TESTED_ABOVE


@pytest.mark.parametrize("setting", SETTINGS_OF)
def test_every_setting_is_alive(setting: str, make: Make) -> None:
    low, high, measured = SETTINGS_OF[setting]
    base = PLAIN
    if setting.endswith("within_train"):
        base = replace(PLAIN, slices=Splits(train=24, test=12))
    if setting == "neighbour_gap_mm":
        base = replace(PLAIN, neighbours=3)
    lower, higher = (make(replace(base, **{setting: value})) for value in (low, high))
    assert measured(lower) < measured(higher)


@pytest.mark.parametrize("slices", [Splits(train=11, test=12), Splits(train=12, test=0)])
def test_too_few_slices_are_refused(slices: Splits, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 12"):
        generate(tmp_path, phantom=replace(PLAIN, slices=slices), track=silent)
    assert not list(tmp_path.iterdir())


def test_more_copies_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no room"):
        generate(tmp_path, phantom=replace(PLAIN, copies_mirrored=13), track=silent)


def test_a_missing_or_changed_template_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no brain template"):
        head._read_map(tmp_path / "none.nii.gz")
    other = tmp_path / "other.nii.gz"
    other.write_bytes(gzip.compress(bytes(400)))
    with pytest.raises(InputError, match="another brain template"):
        head._read_map(other)
    monkeypatch.setattr(head, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="no package nilearn"):
        head.load_template()


def _standard(image: np.ndarray) -> np.ndarray:
    square = np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC), float).ravel()
    square -= square.mean()
    unit: np.ndarray = square / np.linalg.norm(square)
    return unit


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(_standard(first) @ _standard(second))
