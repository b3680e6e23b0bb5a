"""Does an image look like those that the model was trained on? Distance from the space of their thumbnails.

An image unlike all training images has parts that their principal components cannot draw. The score finds
inverted and mirrored-in-grey images well, other contrasts of MRI hardly; docs/predict.md has measured rates.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 16  # of a thumbnail in pixels
COMPONENTS = 40
QUANTILE = 0.99  # of the validation images lies below the threshold

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Doubt:
    """mean (D,), components (C, D) with orthonormal rows, of thumbnails of D pixels."""

    mean: Array
    components: Array
    threshold: float

    def scores(self, squares: NDArray[np.uint8]) -> Array:
        """(N,): how much of each image (N, H, W) the components leave over; in doubt above `threshold`."""
        centred = thumbnails(squares, math.isqrt(self.mean.size)) - self.mean
        rest = centred - centred @ self.components.T @ self.components
        scores: Array = np.sqrt((rest**2).mean(axis=1))
        return scores

    def save(self, path: Path) -> None:
        np.savez(path, mean=self.mean, components=self.components, threshold=self.threshold)


def load(path: Path) -> Doubt:
    with np.load(path) as stored:
        content: dict[str, Any] = dict(stored)
    return Doubt(content["mean"], content["components"], float(content["threshold"]))


def fit(train: NDArray[np.uint8], validation: NDArray[np.uint8]) -> Doubt:
    """Components of the train images and of their mirror images; the threshold from validation alone."""
    drawn = thumbnails(np.concatenate([train, train[:, :, ::-1]]), SIDE)
    mean = drawn.mean(axis=0)
    # Of the covariance, since its size does not grow with the images; the largest eigenvalues come last.
    _, vectors = np.linalg.eigh((drawn - mean).T @ (drawn - mean))
    count = min(COMPONENTS, len(train) // 4)
    found = Doubt(mean, vectors[:, ::-1][:, :count].T.copy(), 0.0)
    return Doubt(found.mean, found.components, float(np.quantile(found.scores(validation), QUANTILE)))


def thumbnails(squares: NDArray[np.uint8], side: int) -> Array:
    """(N, D): each image (N, H, W) small, and of one mean and spread, so that brightness does not count."""
    small = [cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) for square in squares]
    flat = np.stack(small).reshape(len(small), -1).astype(np.float64) / 255
    spread = flat.std(axis=1, keepdims=True)
    normed: Array = (flat - flat.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)
    return normed
