"""A decoded picture, and the square that models see of it."""

import io
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageOps

Fit = Literal["squeeze", "pad"]

MASK_LEVEL = 127  # masks carry grey ringing near 0 and near 255; `> 0` would be a different target


def read_grey(data: bytes) -> np.ndarray:
    """Decoded image file as shown to a person: (H, W) uint8, EXIF rotation applied, colour reduced to
    luminance.

    Part of the no-tumour files carries a rotation tag and no tumour file does: ignoring the tag would hand
    the classifier a shortcut.
    """
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("L"))


def to_square(grey: np.ndarray, *, size: int, fit: Fit) -> np.ndarray:
    """(H, W) uint8 to (size, size) uint8 by area averaging; `from_square` leads back.

    "squeeze" changes the aspect ratio, as the study does; "pad" centres the image on a black square first.
    """
    if fit == "pad":
        side, place = _centred(grey.shape)
        square = np.zeros((side, side), np.uint8)
        square[place] = grey
        grey = square
    return cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)


def from_square(values: np.ndarray, *, shape: tuple[int, ...], fit: Fit) -> np.ndarray:
    """The inverse of `to_square`: (size, size) float64 to `shape`, (H, W), by bilinear interpolation.

    "pad" cuts the image out of its square again. In float64, since the last bit of OpenCV's interpolation
    depends on the processor: in float32 that could move a pixel across a threshold.
    """
    if fit == "pad":
        side, place = _centred(shape)
        return cv2.resize(values, (side, side), interpolation=cv2.INTER_LINEAR)[place]
    height, width = shape
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)


def _centred(shape: tuple[int, ...]) -> tuple[int, tuple[slice, slice]]:
    """The side of the square around an image (H, W), and the place of the image in it."""
    height, width = shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return side, (slice(top, top + height), slice(left, left + width))
