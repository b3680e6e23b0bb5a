"""The study's augmentation of an image and its mask, in numpy and OpenCV.

It draws from one generator that the caller seeds for each image, so that an image looks the same whoever
prepares it. A library's pipeline that was seeded as a whole gave every transform a generator of the same
seed: both flips then always fell together. It also took two seconds to import.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from brisc.config import Augment

cv2.setNumThreads(0)  # images are many and small: they are shared out among processes, not within one

WHITE = 255


@dataclass(frozen=True)
class Draw:
    """What happens to one image. matrix: (2, 3) float64, where a pixel goes by rotation, zoom and shift, None
    where it stays; contrast and brightness: what grey is multiplied by, and what is then added, in parts of
    white; noise: its standard deviation in parts of white, 0 without."""

    horizontal_flip: bool
    vertical_flip: bool
    matrix: np.ndarray | None
    contrast: float
    brightness: float
    noise: float


def draw(augment: Augment, side: int, generator: np.random.Generator) -> Draw:
    """The same draws in the same order whatever happens, so that a setting changes nothing beyond itself."""
    chance, spread = generator.random(6).tolist(), generator.uniform(-1, 1, 7).tolist()
    rotated, moved = chance[2] < augment.rotate_probability, chance[3] < augment.affine_probability
    angle = augment.rotate_degrees * spread[0] if rotated else 0.0
    zoom = [1 + augment.zoom_fraction * each for each in spread[1:3]] if moved else [1.0, 1.0]
    shift = [augment.shift_fraction * side * each for each in spread[3:5]] if moved else [0.0, 0.0]
    shaded = chance[4] < augment.brightness_contrast_probability
    low, high = augment.noise_std
    noisy = chance[5] < augment.noise_probability
    return Draw(
        horizontal_flip=chance[0] < augment.horizontal_flip,
        vertical_flip=chance[1] < augment.vertical_flip,
        matrix=placement(angle, zoom, shift, side) if rotated or moved else None,
        contrast=1 + augment.contrast * spread[5] if shaded else 1.0,
        brightness=augment.brightness * spread[6] if shaded else 0.0,
        noise=generator.uniform(low, high) if noisy else 0.0,
    )


def placement(angle: float, zoom: Sequence[float], shift: Sequence[float], side: int) -> np.ndarray:
    """(2, 3): a turn by `angle` degrees about the centre, then a zoom of x and of y about it, then a shift in
    pixels. As one matrix the image is interpolated once.

    In plain floats: numpy's sines and matrix products round differently from processor to processor.
    """
    centre, cosine, sine = (side - 1) / 2, math.cos(math.radians(angle)), math.sin(math.radians(angle))
    rows = []
    for scale, move, x, y in ((zoom[0], shift[0], cosine, sine), (zoom[1], shift[1], -sine, cosine)):
        x, y = scale * x, scale * y
        rows.append([x, y, centre + move - x * centre - y * centre])
    return np.array(rows)


def augmented(
    image: np.ndarray, mask: np.ndarray, augment: Augment, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask (H, H) uint8, new ones, moved together; what comes in from outside is black."""
    drawn = draw(augment, len(image), generator)
    image, mask = moved(image, drawn, cv2.INTER_LINEAR), moved(mask, drawn, cv2.INTER_NEAREST)
    if (drawn.contrast, drawn.brightness) != (1.0, 0.0):
        greys = drawn.contrast * np.arange(WHITE + 1) + drawn.brightness * WHITE
        image = cv2.LUT(image, np.clip(np.rint(greys), 0, WHITE).astype(np.uint8))
    if drawn.noise > 0:
        noise = generator.standard_normal(image.shape, np.float32)
        noise *= np.float32(drawn.noise * WHITE)
        image = cv2.add(image, noise, dtype=cv2.CV_8U)  # rounds, and stops at black and white
    return image, mask


def moved(pixels: np.ndarray, drawn: Draw, interpolation: int) -> np.ndarray:
    """Flipped, then placed."""
    pixels = pixels[:: -1 if drawn.vertical_flip else 1, :: -1 if drawn.horizontal_flip else 1]
    if drawn.matrix is None:
        return pixels
    return cv2.warpAffine(np.ascontiguousarray(pixels), drawn.matrix, pixels.shape[::-1], flags=interpolation)
