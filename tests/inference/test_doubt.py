"""The doubt score speaks for images that the training images' components cannot draw, at the rate it says."""

from pathlib import Path

import numpy as np
import pytest

from brisc.inference import doubt


def heads(seed: int, count: int) -> np.ndarray:
    """Bright ellipses of many shapes on black."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    axes = rng.uniform(0.5, 0.9, (count, 2, 1, 1))
    return (
        ((y / axes[:, 0]) ** 2 + (x / axes[:, 1]) ** 2 < 1) * rng.integers(120, 250, (count, 1, 1))
    ).astype(np.uint8)


def test_it_speaks_for_inverted_images_and_seldom_for_those_of_the_kind() -> None:
    found = doubt.fit(heads(1, 200), heads(2, 300))
    same = found.scores(heads(3, 300)) > found.threshold
    assert same.mean() <= 0.05
    # The threshold is the 99th percentile of validation: three of 300 lie above.
    assert (found.scores(heads(2, 300)) > found.threshold).sum() == 3
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64), np.uint8)
    assert (found.scores(noise) > found.threshold).all()


def test_brightness_does_not_count() -> None:
    found = doubt.fit(heads(1, 100), heads(2, 100))
    image = heads(3, 1)
    assert found.scores(image // 2) == pytest.approx(found.scores(image // 2 * 2), abs=1e-3)


def test_it_is_read_as_it_was_saved(tmp_path: Path) -> None:
    found = doubt.fit(heads(1, 100), heads(2, 100))
    found.save(tmp_path / "doubt.npz")
    read = doubt.load(tmp_path / "doubt.npz")
    assert read.threshold == found.threshold
    assert (read.scores(heads(3, 5)) == found.scores(heads(3, 5))).all()
