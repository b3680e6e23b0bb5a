"""The doubt score speaks for images unlike the training images and for heads without their skull."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from brisc.errors import InputError
from brisc.inference import doubt


def heads(seed: int, count: int, *, skull: bool = True, side: int = 64) -> np.ndarray:
    """Ellipses on black: a grey brain in a dark skull in a bright scalp, or the brain alone."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    axes = rng.uniform(0.6, 0.95, (count, 2, 1, 1))
    radius = np.sqrt((y / axes[:, 0]) ** 2 + (x / axes[:, 1]) ** 2)
    brain = (radius < 0.75) * rng.integers(80, 160, (count, 1, 1))
    scalp = ((radius > 0.88) & (radius < 1)) * rng.integers(180, 250, (count, 1, 1))
    return (brain + skull * scalp).astype(np.uint8)


def test_the_distance_is_as_computed_by_hand() -> None:
    found = doubt.Doubt(
        mean=np.array([1.0, 0, 0, 0]),
        components=np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]]),
        spread=np.array([2.0, 1.0]),
        rest=0.25,
        limits=np.ones(2),
    )
    # Off the mean by 4, 2, 1 and 1. Within: (4 / 2)^2 = 4 and (2 / 1)^2 = 4, on average 4. Left over: 1 and 1
    # of four pixels, 0.5 on average, 0.5 / 0.25 = 2. The square root of 4 + 2.
    assert found.distance(np.array([[5.0, 2, 1, 1], [1, 0, 0, 0]])) == pytest.approx([np.sqrt(6), 0])


def test_the_gap_is_the_share_of_rays_without_scalp() -> None:
    rays = np.zeros((4, 40), np.uint8)
    rays[:, :24] = 100  # a brain
    rays[:3, 32:36] = 200  # a scalp on three rays, behind a skull
    rays[1, 24:32] = 120  # this skull is not dark: more than half of 200
    rays[2, 24:32] = 90
    inside = np.zeros((4, 40), bool)
    inside[:3, :36] = True
    inside[3, :24] = True
    # Scalp: the first and the third ray.
    assert doubt.gap(rays, inside) == 0.5


@pytest.mark.parametrize("side", [64, 128, 256])
def test_a_head_is_cut_out_and_its_gap_measured_in_any_size(side: int) -> None:
    rng = np.random.default_rng(5)
    for whole, bare in zip(heads(4, 5, side=side), heads(4, 5, skull=False, side=side), strict=True):
        assert doubt.head(whole)[1] == 0
        assert doubt.head(bare)[1] == 1
        left, top = rng.integers(1, side // 4, 2)
        moved = np.zeros_like(whole)
        small = cv2.resize(whole, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
        moved[top : top + side // 2, left : left + side // 2] = small
        assert doubt.head(moved)[1] == 0
        height, width = doubt.head(moved)[0].shape
        # Of an image that is looked at in 128 pixels the half, but for the black around the head.
        assert 38 <= height <= 68
        assert 38 <= width <= 68


def test_it_speaks_for_what_is_unlike_and_seldom_for_what_is_alike() -> None:
    found = doubt.fit(heads(1, 200), heads(2, 300))

    def flagged(images: np.ndarray) -> np.ndarray:
        return found.scores(images) > found.threshold

    assert flagged(heads(3, 300)).mean() <= 0.05
    # The limits are such that three of 300 validation images lie above.
    assert flagged(heads(2, 300)).sum() == 3
    assert flagged(255 - heads(3, 100)).all()
    assert flagged(heads(3, 100, skull=False)).all()
    assert flagged(np.random.default_rng(0).integers(0, 256, (20, 64, 64), np.uint8)).all()


def test_an_image_without_a_head_has_no_scalp() -> None:
    picture, gap = doubt.head(np.zeros((64, 64), np.uint8))
    assert gap == 1
    assert picture.shape == (128, 128)


def test_brightness_does_not_count() -> None:
    found = doubt.fit(heads(1, 100), heads(2, 100))
    image = heads(3, 1)
    assert found.scores(image // 2) == pytest.approx(found.scores(image // 2 * 2), abs=0.02)


def test_it_is_read_as_it_was_saved(tmp_path: Path) -> None:
    found = doubt.fit(heads(1, 100), heads(2, 100))
    found.save(tmp_path / "doubt.npz")
    read = doubt.load(tmp_path / "doubt.npz")
    assert (read.scores(heads(3, 5)) == found.scores(heads(3, 5))).all()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "doubt.npz", mean=np.zeros(4), components=np.zeros((1, 4)), threshold=1.0)
    with pytest.raises(InputError, match="components, mean, threshold"):
        doubt.load(tmp_path / "doubt.npz")
