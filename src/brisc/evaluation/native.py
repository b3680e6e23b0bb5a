"""Dice of a predicted mask against the original one, at the image's own size, so that nets that see images
of different sizes compare."""

import math

import numpy as np
from numpy.typing import NDArray

from brisc.data.native import NativeMasks
from brisc.data.picture import from_square
from brisc.evaluation.segmentation import dice


def dice_native(
    logits: NDArray[np.float64], masks: NativeMasks, rows: NDArray[np.intp], *, threshold: float
) -> NDArray[np.float64]:
    """Dice (B,) of the logits (B, H, W) of the images `rows`, cut at the probability `threshold` only once
    they have the size of the image.

    Empty against empty is 1, as in brisc.evaluation.segmentation. One image at a time: they are large, and of
    different sizes.
    """
    level = math.log(threshold / (1 - threshold))
    counts = np.zeros((3, len(rows)), np.int64)
    for k, (row, grid) in enumerate(zip(rows, logits, strict=True)):
        prediction = from_square(grid, shape=masks.shape(row), fit=masks.fit) > level
        truth = masks.mask(row)
        counts[:, k] = (prediction & truth).sum(), prediction.sum(), truth.sum()
    return dice(*counts)
