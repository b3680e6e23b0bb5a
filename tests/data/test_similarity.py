"""Are all copies found, and nothing else; and where does the search end?"""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from brisc.config import Audit, Planes
from brisc.data.picture import read_grey
from brisc.data.similarity import (
    Views,
    best_orientation,
    components,
    detail,
    head_box,
    in_threads,
    read_views,
    register,
    relate,
    screen,
)
from brisc.progress import silent
from phantoms import AUDIT, PhantomArchive

STRANGERS = 7


@pytest.fixture(scope="module")
def views(phantoms: PhantomArchive) -> Views:
    return read_views(phantoms.raw, phantoms.index, track=silent)


def search(views: Views, sides: np.ndarray, audit: Audit) -> pd.DataFrame:
    pairs = screen(views, sides, audit=audit, track=silent)
    return best_orientation(pairs.assign(aligned=register(views, pairs, track=silent)))


def ellipse(axes: tuple[int, int]) -> np.ndarray:
    return cv2.ellipse(np.zeros((256, 256), np.uint8), (120, 130), axes, 0, 0, 360, (1,), -1) > 0


def test_threads_keep_the_order_and_do_not_read_ahead_of_what_is_asked_for() -> None:
    read = []

    def source() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    results = in_threads(lambda number: 2 * number, source())
    assert next(results) == 0
    assert len(read) <= 300
    assert list(results) == list(range(2, 2000, 2))


def test_the_heads_box_holds_brain_and_scalp_but_no_caption() -> None:
    image = np.zeros((256, 256), np.uint8)
    for axes, grey in (((80, 100), 200), ((72, 92), 0), ((60, 80), 120)):  # scalp, bone, brain
        image[ellipse(axes)] = grey
    image[250:253, 10:60] = 255  # the caption
    assert np.abs(np.subtract(head_box(image), (40, 30, 161, 201))).max() <= 5


def test_an_empty_image_is_all_head() -> None:
    assert head_box(np.zeros((64, 64), np.uint8)) == (0, 0, 64, 64)


def test_detail_does_not_see_contrast() -> None:
    image = np.random.default_rng(0).integers(0, 120, (64, 64)).astype(np.uint8)
    assert detail(2 * image) == pytest.approx(detail(image), abs=1e-4)


def test_planted_copies_are_found_and_nothing_else(phantoms: PhantomArchive, views: Views) -> None:
    pairs = search(views, phantoms.index["split"].to_numpy(), AUDIT)
    related = relate(phantoms.index, views, pairs, audit=AUDIT)
    ids = phantoms.index["id"].to_numpy()
    found = {frozenset((ids[row.a], ids[row.b])): row.relation for row in related.itertuples()}
    planted = {frozenset((pair.original, pair.copy)): pair.relation for pair in phantoms.planted}
    assert found == {
        pair: "reencoded" if relation == "rescaled" else relation for pair, relation in planted.items()
    }


# ------------------------------------------------------------------------------------------------- where
# detection ends


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """About the middle, in a frame half as large again."""
    side = len(image) * 3 // 2
    turn = cv2.getRotationMatrix2D(((len(image) - 1) / 2, (len(image) - 1) / 2), degrees, 1)
    turn[:, 2] += len(image) / 4
    return cv2.warpAffine(image, turn, (side, side), flags=cv2.INTER_CUBIC)


CHANGES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "noise, standard deviation in grey values": lambda image, sd: (
        image + np.random.default_rng(1).normal(0, sd, image.shape)
    ),
    "rotation, degrees": turned,
    "brighter, times (255 is the end)": lambda image, factor: image * factor,
    "darker, times (whole grey values)": lambda image, factor: np.round(image * factor),
    "blur, standard deviation in pixels": lambda image, sd: cv2.GaussianBlur(image, (0, 0), sd),
    "stretched to one side, times": lambda image, factor: cv2.resize(image, None, fx=factor, fy=1),
    "cut off below, share of the image": lambda image, share: image[: round(len(image) * (1 - share))],
}


def moved_down(image: np.ndarray, share: float) -> np.ndarray:
    """In its frame, which cuts off what leaves it."""
    down = round(len(image) * share)
    return np.vstack([np.zeros_like(image[:down]), image[: len(image) - down]])


CHANGES["moved down and cut off, share of the image"] = moved_down


def found_again(phantoms: PhantomArchive, change: str, strength: float, audit: Audit = AUDIT) -> bool:
    """Is a changed copy of a phantom of 128 px known as a copy, among strangers that are not?"""
    copies = {pair.copy for pair in phantoms.planted}
    rows = phantoms.index[
        ~phantoms.index["id"].isin(copies)
        & (phantoms.index["width"] == 128)
        & (phantoms.index["height"] == 128)
    ]
    with zipfile.ZipFile(phantoms.raw) as archive:
        images = [read_grey(archive.read(member)) for member in rows["image"][: STRANGERS + 1]]
    changed = np.clip(CHANGES[change](images[0].astype(np.float32), strength), 0, 255).astype(np.uint8)
    pairs = search(Views.of([*images, changed]), np.array(["train"] * len(images) + ["test"]), audit)
    found = pairs[pairs["aligned"] >= audit.copy_similarity][["a", "b"]].to_numpy().tolist()
    assert found in ([], [[0, len(images)]]), "a stranger was taken for a copy"
    return found != []


@pytest.mark.parametrize(
    ("change", "holds", "ends"),
    [
        ("noise, standard deviation in grey values", 6, 24),
        ("rotation, degrees", 35, 75),
        ("brighter, times (255 is the end)", 1.5, 2.5),
        ("darker, times (whole grey values)", 0.1, 0.02),
        ("blur, standard deviation in pixels", 0.8, 1.5),
        ("stretched to one side, times", 4, None),
        ("cut off below, share of the image", 0.2, 0.6),
        ("moved down and cut off, share of the image", 0.2, 0.7),
    ],
)
def test_where_detection_ends(
    phantoms: PhantomArchive, change: str, holds: float, ends: float | None
) -> None:
    assert found_again(phantoms, change, holds)
    assert ends is None or not found_again(phantoms, change, ends)


def test_without_tilts_a_turned_copy_is_missed(phantoms: PhantomArchive) -> None:
    assert found_again(phantoms, "rotation, degrees", 25)
    assert not found_again(phantoms, "rotation, degrees", 25, replace(AUDIT, tilts_degrees=[]))


# ------------------------------------------------------------------------------------------------------
# counted by hand


def test_the_screen_lets_through_what_is_similar_or_near(phantoms: PhantomArchive, views: Views) -> None:
    sides = phantoms.index["split"].to_numpy()
    few = replace(AUDIT, tilts_degrees=[], nearest=1, screen_similarity=0.999)
    nearest = screen(views, sides, audit=few, track=silent)
    wider = screen(views, sides, audit=replace(few, nearest=2), track=silent)
    similar = screen(views, sides, audit=replace(few, screen_similarity=0.2), track=silent)
    assert len(nearest) < len(wider)
    assert len(nearest) < len(similar)
    assert (nearest["a"] < nearest["b"]).all()
    for image in range(len(sides)):  # each image has a nearest one in either half
        own = nearest[(nearest["a"] == image) | (nearest["b"] == image)]
        others = np.where(own["a"] == image, own["b"], own["a"])
        assert set(sides[others]) == {"train", "test"}


def test_the_better_orientation_is_kept_and_direct_where_they_tie() -> None:
    pairs = pd.DataFrame(
        {
            "a": [0, 0, 1, 1],
            "b": [1, 1, 2, 2],
            "mirrored": [False, True, True, False],
            "aligned": [0.5, 0.9, 0.7, 0.7],
        }
    )
    best = best_orientation(pairs)
    assert best[["a", "b", "mirrored", "aligned"]].to_numpy().tolist() == [
        [0, 1, True, 0.9],
        [1, 2, False, 0.7],
    ]


def test_relations_by_hand() -> None:
    images = [np.full((8, 8), grey, np.uint8) for grey in (10, 10, 10, 20, 30, 40)]
    index = pd.DataFrame(
        {
            "image_sha256": ["x", "x", "y", "z", "u", "v"],
            "plane": ["axial", "axial", "axial", "axial", "coronal", "coronal"],
        }
    )
    audit = replace(
        AUDIT, copy_similarity=0.9, neighbour_similarity=Planes(axial=0.7, coronal=0.5, sagittal=0.5)
    )
    rows = [
        (0, 1, False, 0.1, "same_bytes"),
        (0, 2, False, 0.95, "same_pixels"),
        (0, 3, True, 0.9, "mirrored"),
        (1, 3, False, 0.9, "reencoded"),
        (2, 3, False, 0.89, "neighbour"),
        (0, 4, False, 0.69, None),  # the stricter plane of the two counts
        (3, 4, False, 0.7, "neighbour"),
        (4, 5, True, 0.5, "neighbour"),
        (3, 5, False, 0.3, None),
    ]
    pairs = pd.DataFrame([row[:4] for row in rows], columns=["a", "b", "mirrored", "aligned"])
    related = relate(index, Views.of(images), pairs, audit=audit)
    expected = [(a, b, relation) for a, b, _, _, relation in rows if relation is not None]
    assert list(related[["a", "b", "relation"]].itertuples(index=False, name=None)) == expected


def test_components_are_named_by_their_smallest_row() -> None:
    related = pd.DataFrame({"a": [1, 3, 2], "b": [4, 5, 3]})
    assert components(7, related).tolist() == [0, 1, 2, 2, 1, 2, 6]
    assert components(3, related[:0]).tolist() == [0, 1, 2]
