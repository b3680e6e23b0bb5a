"""Are all copies found, and nothing else; and where does the search end?"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from brisc.config import Audit, Planes
from brisc.data.cache import read_grey, to_square
from brisc.data.similarity import (
    FRAME,
    HEAD,
    Views,
    best_orientation,
    components,
    detail,
    head_box,
    read_views,
    register,
    relate,
    screen,
)
from brisc.progress import silent

from .conftest import PhantomArchive


def views_of(images: list[np.ndarray]) -> Views:
    frames = np.stack([to_square(image, size=FRAME, fit="squeeze") for image in images])
    boxes = np.array([head_box(frame) for frame in frames])
    heads = np.stack([
        cv2.resize(frame[top : top + height, left : left + width], (HEAD, HEAD), interpolation=cv2.INTER_AREA)
        for frame, (left, top, width, height) in zip(frames, boxes, strict=True)
    ])  # fmt: skip
    return Views(frames=frames, boxes=boxes, heads=heads, pixels=[image.tobytes().hex()[:64] + str(i) for i, image in enumerate(images)])


def search(views: Views, sides: np.ndarray, audit: Audit) -> pd.DataFrame:
    pairs = screen(views, sides, audit=audit, track=silent)
    return best_orientation(pairs.assign(aligned=register(views, pairs, track=silent)))


def ellipse(size: int, centre: tuple[int, int], axes: tuple[int, int], value: int) -> np.ndarray:
    image = np.zeros((size, size), np.uint8)
    return cv2.ellipse(image, centre, axes, 0, 0, 360, value, -1)


def test_the_heads_box_holds_brain_and_scalp_but_no_caption() -> None:
    image = ellipse(256, (120, 130), (80, 100), 200)
    image[ellipse(256, (120, 130), (72, 92), 1) > 0] = 0  # dark bone between scalp and brain
    image[ellipse(256, (120, 130), (60, 80), 1) > 0] = 120
    image[250:253, 10:60] = 255  # a caption
    assert np.abs(np.subtract(head_box(image), (40, 30, 161, 201))).max() <= 3


def test_an_empty_image_is_all_head() -> None:
    assert head_box(np.zeros((64, 64), np.uint8)) == (0, 0, 64, 64)


def test_detail_does_not_see_contrast() -> None:
    image = np.random.default_rng(0).integers(0, 200, (64, 64)).astype(np.uint8)
    assert detail(image // 2 * 2) == pytest.approx(detail(image // 2), abs=1e-4)


def test_planted_copies_are_found_and_nothing_else(phantoms: PhantomArchive, audit: Audit) -> None:
    views = read_views(phantoms.raw, phantoms.index, track=silent)
    pairs = search(views, phantoms.index["split"].to_numpy(), audit)
    related = relate(phantoms.index, views, pairs, audit=audit)
    ids = phantoms.index["id"].to_numpy()
    found = {frozenset((ids[row.a], ids[row.b])): row.relation for row in related.itertuples()}
    called = {"rescaled": "reencoded"}
    assert found == {
        frozenset((pair.original, pair.copy)): called.get(pair.relation, pair.relation) for pair in phantoms.planted
    }


# Where detection ends for a phantom of 96 px, measured with `detected` below: every step up to `holds` is found as a copy,
# `ends` is not. Grey values of 255, degrees, factors, sigma in pixels of the frame, share of the head that is cut off.
LIMITS = [
    ("noise", 6.0, 24.0),
    ("rotation", 30.0, 60.0),
    ("brightness", 1.3, 2.5),
    ("darkness", 0.3, 0.03),
    ("blur", 1.0, 4.0),
    ("stretch", 1.2, 2.0),
    ("cropped", 0.1, 0.5),
]


def turned(image: np.ndarray, degrees: float, stretch: float = 1.0) -> np.ndarray:
    """About the middle, in a frame large enough to lose nothing."""
    side = 2 * len(image)
    turn = cv2.getRotationMatrix2D(((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2), degrees, 1)
    turn[0] *= stretch
    turn[:, 2] += side / 4
    return cv2.warpAffine(image, turn, (side, side), flags=cv2.INTER_CUBIC)


CHANGES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "noise": lambda image, sd: image + np.random.default_rng(1).normal(0, sd, image.shape),
    "rotation": lambda image, degrees: turned(image, degrees),
    "brightness": lambda image, factor: image * factor,
    "darkness": lambda image, factor: np.round(image * factor),
    "blur": lambda image, sigma: cv2.GaussianBlur(image, (0, 0), sigma),
    "stretch": lambda image, factor: turned(image, 0, factor),
    "cropped": lambda image, share: image[: round(len(image) * (1 - share))],
}


def detected(phantoms: PhantomArchive, audit: Audit, change: str, strength: float) -> bool:
    """Is a changed copy of one slice told from 15 other heads, and known as a copy?"""
    import zipfile

    copies = {pair.copy for pair in phantoms.planted}
    rows = phantoms.index[~phantoms.index["id"].isin(copies) & (phantoms.index["width"] == 96)].iloc[:16]
    with zipfile.ZipFile(phantoms.raw) as archive:
        images = [read_grey(archive.read(member)) for member in rows["image"]]
    changed = np.clip(CHANGES[change](images[0].astype(np.float32), strength), 0, 255).astype(np.uint8)
    pairs = search(views_of([*images, changed]), np.array(["train"] * 16 + ["test"]), audit)
    copies_found = pairs[pairs["aligned"] >= audit.copy_similarity][["a", "b"]].to_numpy().tolist()
    assert copies_found in ([], [[0, 16]])
    return copies_found == [[0, 16]]
