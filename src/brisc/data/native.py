"""The original masks at their images' own sizes, by which predictions of any size are scored alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from brisc.atomic import atomic
from brisc.data.picture import Fit


@dataclass(frozen=True)
class PackedMask:
    """A mask (H, W) without loss in about a kilobyte.

    No compressor, since what zlib makes of the same bytes depends on its version, and the file's hash should
    not.
    """

    shape: tuple[int, ...]
    box: tuple[int, int, int, int]  # top, left, height, width of the part that holds the mask; zeros if empty
    bits: NDArray[np.uint8]  # that part row by row, eight pixels to a byte


def pack(mask: NDArray[np.bool_]) -> PackedMask:
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    part = mask[top : top + height, left : left + width]
    return PackedMask(mask.shape, (top, left, height, width), np.packbits(part))


@dataclass(frozen=True)
class NativeMasks:
    """Masks in the row order of samples.csv, and how the prepare stage made squares of their images."""

    fit: Fit
    shapes: NDArray[np.int32]  # (N, 2)
    boxes: NDArray[np.int32]  # (N, 4), as in PackedMask
    starts: NDArray[np.int64]  # (N,): where in `bits` each mask begins
    bits: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.shapes)

    def shape(self, row: int) -> tuple[int, int]:
        """Height and width of the image, also of a healthy one."""
        height, width = self.shapes[row].tolist()
        return height, width

    def mask(self, row: int) -> NDArray[np.bool_]:
        """(H, W), without a pixel for a healthy slice."""
        mask = np.zeros(self.shape(row), np.bool_)
        top, left, height, width = self.boxes[row].tolist()
        bits = np.unpackbits(self.bits[self.starts[row] :][: -(-height * width // 8)], count=height * width)
        mask[top : top + height, left : left + width] = bits.reshape(height, width)
        return mask


def write_native(path: Path, masks: Sequence[PackedMask], *, fit: Fit) -> None:
    """Write what `load_native` reads; the same bytes each time, as NumPy dates nothing within an .npz."""
    ends = np.cumsum([len(mask.bits) for mask in masks], dtype=np.int64)
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            fit=np.array(fit),
            shapes=np.array([mask.shape for mask in masks], np.int32),
            boxes=np.array([mask.box for mask in masks], np.int32),
            starts=np.concatenate([[0], ends[:-1]]).astype(np.int64),
            bits=np.concatenate([mask.bits for mask in masks]),
        )


def load_native(path: Path) -> NativeMasks:
    """Open what the prepare stage wrote beside the cache."""
    with np.load(path) as arrays:
        fit: Fit = "pad" if arrays["fit"] == "pad" else "squeeze"
        return NativeMasks(fit, arrays["shapes"], arrays["boxes"], arrays["starts"], arrays["bits"])
