"""The outline of a mask over its picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

RED = (255, 60, 60)


def overlay(grey: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 3): no words in it, so no name of a patient either."""
    drawn = np.repeat(grey[:, :, None], 3, axis=2)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # As thick as it needs to be to be seen on a large image.
    cv2.drawContours(drawn, outlines, -1, RED, max(1, round(min(grey.shape) / 256)))
    return drawn
