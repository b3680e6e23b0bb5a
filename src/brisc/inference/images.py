"""What every reader gives and every writer takes: an image with its geometry, whatever its format."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from brisc.errors import InputError
from brisc.vocabulary import PLANES

# The training images have a 99.9th percentile of 211, in the median; so gets every slice that is not 8 bit.
WHITE, PERCENTILE = 211, 99.9
DARKEST = 1e-30  # where nearly all is 0, what is not becomes white
# A slice whose white is this much darker than the volume's shows air: scaled up, its noise would be a head.
AIR = 0.1
ANISOTROPIC = 1.2  # so much coarser than the others is the axis that slices were acquired along
OBLIQUE_DEGREES = 20.0
# More of the values than this lie so far below 0, in parts of the brightest: not by rounding.
NEGATIVE_SHARE, NEGATIVE_PART = 0.01, 0.02
FINEST_MM, COARSEST_MM = 0.05, 50.0
SMALLEST_SIDE, MOST_PIXELS = 32, 64 * 2**20

Array = NDArray[np.float32]
Plane = Literal["axial", "coronal", "sagittal"]


@dataclass(frozen=True)
class Image:
    """slices: in the file's order, as pictures (H, W) uint8 that lie as radiologists see them, None where
    there is no head to see. restore: from masks, one a slice, to the mask in the geometry of the file. mm:
    where the centre of each slice lies, along the patient's axis. pixel_mm2: the area of a pixel there.
    warnings: names of brisc.inference.warnings."""

    slices: list[NDArray[np.uint8] | None]
    restore: Callable[[list[NDArray[np.bool_]]], NDArray[np.bool_]]
    mm: list[float] | None = None
    pixel_mm2: float | None = None
    warnings: list[str] = field(default_factory=list)


def refuse(path: Path, what: str, *, got: object, expected: object, mend: str) -> InputError:
    """In one line, whatever a file or a library says of it."""
    return InputError(what, where=path, got=" ".join(str(got).split()), expected=expected, mend=mend)


def check_size(path: Path, shape: tuple[int, ...], mend: str = "") -> None:
    if min(shape) < SMALLEST_SIDE or shape[0] * shape[1] > MOST_PIXELS:
        raise _size(path, " x ".join(map(str, shape)), mend)


def too_large(path: Path) -> InputError:
    """Of a picture that is not opened for its size."""
    return _size(path, "far more pixels")


def _size(path: Path, got: str, mend: str = "") -> InputError:
    return refuse(
        path,
        "an image of a size that cannot be judged",
        got=got,
        expected=f"sides from {SMALLEST_SIDE} pixels, and at most {MOST_PIXELS:,} pixels",
        mend=mend or "Give the image as it left the scanner.",
    )


def blank(path: Path) -> InputError:
    got = "one grey value, or none above 0"
    return refuse(path, "a blank image", got=got, expected="a head", mend="Leave this file out.")


def to_grey(values: Array, white: float | None = None) -> NDArray[np.uint8]:
    """Any grey values (H, W) to 8 bit as the training images are: the 99.9th percentile to 211, clipped."""
    top = max(float(np.percentile(values, PERCENTILE)) if white is None else white, DARKEST)
    # Up to half, as one rounds: 211 must not become 210 by the last bit of a division.
    grey: NDArray[np.uint8] = np.floor(np.clip(values * (WHITE / top), 0, 255) + 0.5).astype(np.uint8)
    return grey


def cut(path: Path, values: Array, affine: NDArray[np.float64], axis: str) -> Image:
    """A volume (I, J, K) with its affine, voxel to RAS+ millimetres, cut into slices along `axis`, "auto" or
    a plane."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or spacing.min() < FINEST_MM or spacing.max() > COARSEST_MM:
        raise _impossible(path, " x ".join(f"{mm:.3g}" for mm in spacing))
    order, signs = closest_axes(path, affine)
    along = slicing_axis(values.shape, spacing, order, axis)
    plane = PLANES[2 - order[along]]  # an axis along x cuts sagittal slices, along y coronal, along z axial
    # Rows run to the back in axial slices, else to the feet; columns to the patient's left, or to the back.
    row, column = {"axial": (1, 0), "coronal": (2, 0), "sagittal": (2, 1)}[plane]
    axes = (along, order.index(row), order.index(column))
    # RAS grows to right, front and head: left, back and feet are its other ends.
    turning = (slice(None), *(slice(None, None, -1 if signs[k] > 0 else 1) for k in axes[1:]))
    turned = np.nan_to_num(values, nan=0, posinf=0, neginf=0).transpose(axes)[turning]
    height, width = (float(spacing[k]) for k in axes[1:])
    check_size(
        path, turned.shape[1:], "Cut it along another axis: leave --axis out." if axis != "auto" else ""
    )
    whites = [float(np.percentile(each, PERCENTILE)) for each in turned]
    if max(whites) <= 0 or turned.min() == turned.max():
        raise blank(path)
    negative = float((turned < -NEGATIVE_PART * max(whites)).mean()) > NEGATIVE_SHARE
    isotropic = _isotropic(turned.shape[1:], height, width)
    slices = [
        _resized(to_grey(each, white), isotropic) if white > AIR * max(whites) else None
        for each, white in zip(turned, whites, strict=True)
    ]

    def restore(masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        stack = np.zeros(turned.shape, bool)
        for k, mask in enumerate(masks):
            stack[k] = _resized(mask.astype(np.uint8), turned.shape[1:], cv2.INTER_NEAREST) > 0
        return stack[turning].transpose(np.argsort(axes))

    centres = np.tile((np.array(values.shape) - 1) / 2, (len(slices), 1))
    centres[:, along] = np.arange(len(slices))
    places = centres @ affine[:3, :3].T + affine[:3, 3]
    direction = affine[:3, along] / spacing[along]
    tilted = np.degrees(np.arccos(min(1.0, float(abs(direction[order[along]])))))
    return Image(
        slices,
        restore,
        mm=[round(float(mm), 3) for mm in places[:, order[along]]],
        pixel_mm2=min(height, width) ** 2,
        warnings=[
            *(["negative"] if negative else []),
            *(["oblique"] if tilted > OBLIQUE_DEGREES else []),
        ],
    )


def _impossible(path: Path, spacing: str) -> InputError:
    return refuse(
        path,
        "an impossible geometry",
        got=f"voxels of {spacing} mm",
        expected=f"three axes at angles to each other, of {FINEST_MM} to {COARSEST_MM} mm",
        mend="Convert the DICOM files with dcm2niix.",
    )


def closest_axes(path: Path, affine: NDArray[np.float64]) -> tuple[list[int], list[float]]:
    """For each voxel axis the patient axis (0 x, 1 y, 2 z) that it follows most, each once, and its sign."""
    from nibabel.orientations import io_orientation

    found = io_orientation(affine)  # type: ignore[no-untyped-call]
    if np.isnan(found).any():  # an axis that adds no direction
        raise _impossible(path, "no thickness: 0")
    return [int(axis) for axis in found[:, 0]], [float(sign) for sign in found[:, 1]]


def slicing_axis(shape: tuple[int, ...], spacing: NDArray[np.float64], order: list[int], axis: str) -> int:
    """The voxel axis that slices follow each other on."""
    if axis != "auto":
        return order.index(2 - PLANES.index(axis))
    if 1 in shape:
        return shape.index(1)
    coarsest = int(np.argmax(spacing))
    return coarsest if spacing[coarsest] > ANISOTROPIC * np.median(spacing) else order.index(2)


def _isotropic(shape: tuple[int, ...], height: float, width: float) -> tuple[int, int]:
    """The shape of a slice once its pixels of height x width mm are square, of the smaller side."""
    side = min(height, width)
    return round(shape[0] * height / side), round(shape[1] * width / side)


def _resized(
    picture: NDArray[np.uint8], shape: tuple[int, ...], how: int = cv2.INTER_LINEAR
) -> NDArray[np.uint8]:
    if picture.shape == shape:
        return picture
    resized: NDArray[np.uint8] = cv2.resize(picture, (shape[1], shape[0]), interpolation=how).astype(np.uint8)
    return resized
