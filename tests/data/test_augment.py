"""The augmentation: each transform by hand, and how often each happens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brisc.config import Augment, resolve
from brisc.data.augment import Draw, augmented, draw, placement

STILL = Draw(horizontal_flip=False, vertical_flip=False, matrix=None, contrast=1.0, brightness=0.0, noise=0.0)


@pytest.fixture
def augment(repository: Path) -> Augment:
    train = resolve("laptop", "unet-study_augmentation").run
    return train.augment


def drawn(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, **what: object) -> np.ndarray:
    """The image after exactly this."""
    monkeypatch.setattr("brisc.data.augment.draw", lambda *_: replace(STILL, **what))
    generator = np.random.default_rng(1)
    found, _ = augmented(image, np.zeros_like(image), None, generator)  # type: ignore[arg-type]
    return found


def test_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.array([[1, 2], [3, 4]], np.uint8)
    assert drawn(monkeypatch, image).tolist() == [[1, 2], [3, 4]]
    assert drawn(monkeypatch, image, horizontal_flip=True).tolist() == [[2, 1], [4, 3]]
    assert drawn(monkeypatch, image, vertical_flip=True).tolist() == [[3, 4], [1, 2]]


def test_a_quarter_turn_is_about_the_centre_and_a_shift_brings_in_black(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint8)
    turned = placement(90.0, [1.0, 1.0], [0.0, 0.0], 3)
    assert drawn(monkeypatch, image, matrix=turned).tolist() == np.rot90(image).tolist()
    shifted = placement(0.0, [1.0, 1.0], [1.0, -1.0], 3)  # right, and up
    assert drawn(monkeypatch, image, matrix=shifted).tolist() == [[0, 4, 5], [0, 7, 8], [0, 0, 0]]


def test_a_zoom_keeps_the_centre_and_is_apart_for_x_and_y() -> None:
    matrix = placement(0.0, [2.0, 0.5], [0.0, 0.0], 5)
    assert (matrix @ [2, 2, 1]).tolist() == [2, 2]
    assert (matrix @ [3, 4, 1]).tolist() == [4, 3]  # 2 + 2 * 1, 2 + 0.5 * 2


def test_contrast_multiplies_and_brightness_adds_within_black_and_white(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = np.array([[0, 100], [200, 255]], np.uint8)
    # 1.2 g + 0.1 * 255
    assert drawn(monkeypatch, image, contrast=1.2, brightness=0.1).tolist() == [[26, 146], [255, 255]]
    assert drawn(monkeypatch, image, brightness=-0.2).tolist() == [[0, 49], [149, 204]]


def test_noise_has_its_standard_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.full((200, 200), 128, np.uint8)
    noise = drawn(monkeypatch, image, noise=0.1).astype(float) - 128
    assert abs(noise.mean()) < 0.5
    assert noise.std() == pytest.approx(25.5, rel=0.02)


def test_each_transform_happens_as_often_as_it_should_and_without_the_others(augment: Augment) -> None:
    """Of 4,000 images, standard deviation 0.8 %."""
    draws = [draw(augment, 64, np.random.default_rng([1, i])) for i in range(4000)]
    happened = np.array(
        [
            [one.horizontal_flip, one.vertical_flip, one.matrix is not None, one.contrast != 1, one.noise > 0]
            for one in draws
        ]
    )
    # A matrix where rotation or affine is drawn: 1 - 0.5 * 0.5
    assert happened.mean(axis=0) == pytest.approx([0.5, 0.5, 0.75, 0.5, 0.3], abs=0.03)
    correlations = np.corrcoef(happened.T) - np.eye(5)
    assert np.abs(correlations).max() < 0.06


def test_ranges_are_kept_and_used(augment: Augment) -> None:
    only = replace(augment, affine_probability=1.0, rotate_probability=1.0, noise_probability=1.0)
    draws = [draw(only, 100, np.random.default_rng([2, i])) for i in range(500)]
    matrices = np.array([one.matrix for one in draws])
    linear = matrices[:, :, :2]
    zooms = np.linalg.norm(linear, axis=2)  # of x and of y
    angles = np.degrees(np.arctan2(linear[:, 0, 1], linear[:, 0, 0]))
    shifts = matrices[:, :, 2] + linear @ [49.5, 49.5] - 49.5
    for values, least, most in (
        (zooms, 0.9, 1.1),
        (angles, -15, 15),
        (shifts, -10, 10),
        (np.array([one.noise for one in draws]), 0.2, 0.44),
    ):
        span = most - least
        assert least - 1e-9 <= values.min() < least + 0.05 * span
        assert most - 0.05 * span < values.max() <= most + 1e-9
    contrasts = [one.contrast for one in draws if one.contrast != 1]
    assert 0.8 <= min(contrasts) < 0.85
    assert 1.15 < max(contrasts) <= 1.2
