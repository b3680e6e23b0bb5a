"""Does an image look like those that the model was trained on? The larger of two measures of a head counts.

- Its distance from the training heads, by the principal components of their thumbnails: how unusual it is
  within these, and how much of it they cannot draw. It finds inverted grey values.
- The gap in its scalp: the share of directions in which no bright scalp lies outside a dark skull. A head
  without its skull is a simpler picture than a whole one, so the components draw it well; the gap finds it.

docs/predict.md says how the settings were chosen, and what is found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from brisc.errors import InputError

SIDE = 16  # of a thumbnail in pixels
COMPONENTS = 10
QUANTILE = 0.99  # of the validation images lies below the threshold
SMALLEST = 1e-6  # of what is divided by

WORKING_SIDE = 128  # images are looked at in this size, whatever the model's is
DIRECTIONS, RADIUS = 64, 92  # rays from the head's centre, long enough to leave the image
SCALP_FROM, SKULL_FROM = 0.85, 0.55  # of the way to the head's edge
DARK = 0.5  # skull is darker than this share of the scalp outside it

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Doubt:
    """Of thumbnails of D pixels: mean (D,), components (C, D) with orthonormal rows, spread (C,), the
    standard deviation along each, and rest, the mean square that they leave over of a pixel. limits (2,):
    distance and gap above which an image is in doubt."""

    mean: Array
    components: Array
    spread: Array
    rest: float
    limits: Array
    threshold: ClassVar[float] = 1.0  # of scores, which are in limits

    def scores(self, squares: Picture) -> Array:
        """(N,): the larger of distance and gap of each image (N, H, W), in limits."""
        scores: Array = (self.measures(squares) / self.limits).max(axis=1)
        return scores

    def measures(self, squares: Picture) -> Array:
        """(N, 2): distance and gap of each image."""
        pictures, gaps = zip(*(head(square) for square in squares), strict=True)
        return np.stack([self.distance(thumbnails(pictures, math.isqrt(self.mean.size))), gaps], axis=1)

    def distance(self, drawn: Array) -> Array:
        """(N,), of thumbnails (N, D): 1 within the components and 1 outside of them, in squares, is usual."""
        along = (drawn - self.mean) @ self.components.T
        over = drawn - self.mean - along @ self.components
        within, without = (along / self.spread) ** 2, over**2 / self.rest
        found: Array = np.sqrt(within.mean(axis=1) + without.mean(axis=1))
        return found

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))


def load(path: Path) -> Doubt:
    with np.load(path) as stored:
        content: dict[str, Any] = dict(stored)
    expected = {field.name for field in fields(Doubt)}
    if set(content) != expected:
        raise InputError(
            "a doubt score of another version",
            where=path,
            got=", ".join(sorted(content)),
            expected=", ".join(sorted(expected)),
            mend="Export the model again: dvc repro export@<profile>-<run>.",
        )
    mean, components, spread, rest, limits = (content[field.name] for field in fields(Doubt))
    return Doubt(mean, components, spread, float(rest), limits)


def fit(train: Picture, validation: Picture) -> Doubt:
    """Components of the train images and of their mirror images; the limits from validation alone."""
    drawn = thumbnails([head(square)[0] for square in np.concatenate([train, train[:, :, ::-1]])], SIDE)
    mean = drawn.mean(axis=0)
    # Of the covariance, since its size does not grow with the images; the largest eigenvalues come last.
    variances, vectors = np.linalg.eigh((drawn - mean).T @ (drawn - mean) / len(drawn))
    variances, vectors = np.maximum(variances[::-1], SMALLEST), vectors[:, ::-1]
    count = min(COMPONENTS, max(1, len(train) // 4))
    found = Doubt(
        mean=mean,
        components=vectors[:, :count].T.copy(),
        spread=np.sqrt(variances[:count]),
        rest=float(variances[count:].sum() / mean.size),
        limits=np.ones(2),
    )
    measures = found.measures(validation)
    each = np.maximum(np.quantile(measures, QUANTILE, axis=0), SMALLEST)
    # Together they would speak for up to twice as many, so both are raised by the same factor.
    return replace(found, limits=each * np.quantile((measures / each).max(axis=1), QUANTILE))


def head(square: Picture) -> tuple[Picture, float]:
    """The part of an image (H, W) with the head in it, and the gap in its scalp, from 0 to 1."""
    image = np.ascontiguousarray(square)
    if image.shape != (WORKING_SIDE, WORKING_SIDE):
        image = cv2.resize(image, (WORKING_SIDE, WORKING_SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    smooth = cv2.GaussianBlur(image, (0, 0), 1)
    bright, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_OTSU)
    seen = (smooth > bright / 4).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(seen)
    if not width:
        return image, 1.0
    centre = (left + (width - 1) / 2, top + (height - 1) / 2)
    rays, inside = (_rays(each, centre) for each in (image, seen))
    return image[top : top + height, left : left + width], gap(rays, inside > 0)


def _rays(image: Picture, centre: tuple[float, float]) -> Picture:
    """(DIRECTIONS, RADIUS): the pixels of an image (H, W) by direction from the centre and distance to it; 0
    outside of it."""
    flags = cv2.WARP_POLAR_LINEAR | cv2.INTER_NEAREST | cv2.WARP_FILL_OUTLIERS
    return cv2.warpPolar(image, (RADIUS, DIRECTIONS), centre, RADIUS, flags).astype(np.uint8)


def gap(rays: Picture, inside: NDArray[np.bool_]) -> float:
    """The share of rays (D, R) without scalp: on none of its pixels from the brain to the brightest near the
    head's edge, the last one that lies `inside`, is it dark."""
    distance = np.arange(rays.shape[1])
    edge = np.where(inside, distance, 0).max(axis=1, keepdims=True)
    outer = np.where((distance >= SCALP_FROM * edge) & (distance <= edge), rays.astype(float), -1)
    scalp = outer.argmax(axis=1, keepdims=True)
    between = (distance >= SKULL_FROM * edge) & (distance <= scalp)
    skull = np.where(between, rays, 255).min(axis=1)
    return float((skull >= DARK * outer.max(axis=1)).mean())


def thumbnails(pictures: Sequence[Picture], side: int) -> Array:
    """(N, D): each picture small, and of one mean and spread, so that brightness does not count."""
    small = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures]
    flat = np.stack(small).reshape(len(small), -1).astype(np.float64) / 255
    spread = flat.std(axis=1, keepdims=True)
    normed: Array = (flat - flat.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)
    return normed
