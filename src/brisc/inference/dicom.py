"""DICOM files: single slices, series of them, and multi-frame ones."""

import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError

from brisc.errors import InputError
from brisc.inference.dicom_checks import check, warn
from brisc.inference.dicom_pixels import decode_apart, pixels_of
from brisc.inference.images import Image, cut, refuse

# Positions are written with few digits; a missing slice doubles a distance.
UNEVEN = 0.02
ASIDE = 0.1  # of a pixel's side, how far a slice may lie beside the line through the others
# What pydicom and highdicom were seen to say of damaged headers.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    sqlite3.Error,
    struct.error,
)
PLACES = (
    ("PlanePositionSequence", "ImagePositionPatient", 3),
    ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
    ("PixelMeasuresSequence", "PixelSpacing", 2),
)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """dataset, number: where its pixels are. position (3,), orientation (6,), spacing (2,): DICOM's."""

    dataset: Any
    number: int
    position: Array
    orientation: Array
    spacing: Array

    @property
    def normal(self) -> Array:
        normal: Array = np.cross(self.orientation[:3], self.orientation[3:])
        return normal


@dataclass(frozen=True)
class Series:
    """The files of one series, sorted by place. order: of each of their frames, one file after the other, its
    place in the stack."""

    image: Image
    datasets: list[Any]
    order: list[int]


def header(path: Path) -> Any:
    """The data set without its pixels."""
    return _parsed(path, stop_before_pixels=True)


def _parsed(path: Path, *, others: int = 0, **how: Any) -> Any:
    """others: how many files of its series are not judged where this one cannot be read."""
    try:
        # A file without the preamble is sorted out by `sources`, so any that comes here is meant as DICOM.
        dataset = pydicom.dcmread(path, force=True, **how)
        if not len(dataset):
            raise EOFError("no element in it")
        return dataset
    except UNREADABLE as error:
        raise _unreadable(path, error, others) from None


def _unreadable(where: Path, error: Exception, others: int = 0) -> InputError:
    without = f"; without it the {others} others of its series are not judged" if others else ""
    return refuse(
        where,
        "a DICOM file that cannot be read",
        got=" ".join(f"{type(error).__name__} {error}".split())[:200],
        expected="a whole file",
        mend=f"Copy it again; it may have been cut off{without}.",
    )


def read(paths: list[Path], axis: str, *, force: bool) -> Series:
    try:
        return _read(paths, axis, force=force)
    except UNREADABLE as error:  # pydicom reads an element when it is asked for
        raise _unreadable(paths[0], error, len(paths) - 1) from None


def _read(paths: list[Path], axis: str, *, force: bool) -> Series:
    datasets = [_parsed(path, others=len(paths) - 1) for path in paths]
    for path, dataset in zip(paths, datasets, strict=True):
        check(path, dataset, force=force)
    where = paths[0] if len(paths) == 1 else paths[0].parent
    frames = sorted_frames(
        where, [frame for path, each in zip(paths, datasets, strict=True) for frame in frames_of(path, each)]
    )
    decode_apart(paths, datasets)
    of = {id(dataset): path for path, dataset in zip(paths, datasets, strict=True)}
    pixels = np.stack([pixels_of(of[id(frame.dataset)], frame.dataset, frame.number) for frame in frames])
    if frames[0].dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels -= pixels.min()  # inverted within all bits, of which the values may fill a few
    image = cut(where, pixels.transpose(2, 1, 0), affine_of(frames), axis)

    def restore(masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """(frames, rows, columns)."""
        return image.restore(masks).transpose(2, 1, 0)

    ordered = {id(frame.dataset): frame.dataset for frame in frames}
    file = {key: k for k, key in enumerate(ordered)}
    order = sorted(range(len(frames)), key=lambda k: (file[id(frames[k].dataset)], frames[k].number))
    told = [*warn(datasets[0]), *image.warnings]
    return Series(
        Image(image.slices, restore, image.mm, image.pixel_mm2, told), list(ordered.values()), order
    )


def affine_of(frames: list[Frame]) -> Array:
    """Voxel (column, row, frame) to RAS+ millimetres, as nibabel and dcm2niix have it."""
    first, last = frames[0], frames[-1]
    if len(frames) > 1:
        step = (last.position - first.position) / (len(frames) - 1)
    else:
        thickness = first.dataset.get("SliceThickness") or first.spacing[0]
        step = first.normal * float(thickness)
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * first.spacing[1]
    affine[:3, 1] = first.orientation[3:] * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    found: Array = LPS_TO_RAS @ affine
    return found


def frames_of(path: Path, dataset: Any) -> list[Frame]:
    try:
        groups = dataset.get("PerFrameFunctionalGroupsSequence") or [None]
        shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), None)
        if len(groups) != int(dataset.get("NumberOfFrames") or 1):
            raise ValueError("frames without a group")
        return [
            Frame(dataset, number, *(_of_frame(dataset, (own, shared), *place) for place in PLACES))
            for number, own in enumerate(groups)
        ]
    except (KeyError, TypeError, ValueError, IndexError):
        raise refuse(
            path,
            "an image without geometry",
            got="no usable position, orientation or spacing",
            expected="ImagePositionPatient, ImageOrientationPatient and PixelSpacing of every frame",
            mend="Give the series as the scanner wrote it, or the picture as PNG.",
        ) from None


def _of_frame(dataset: Any, groups: tuple[Any, Any], sequence: str, name: str, size: int) -> Array:
    """Of a multi-frame file the frame's own value, or the one that all frames share; ValueError where it
    describes no plane."""
    holder = next((group[sequence].value[0] for group in groups if group and sequence in group), dataset)
    values = np.asarray(holder[name].value, np.float64)
    if values.shape != (size,) or not np.isfinite(values).all():
        raise ValueError(name)
    if name == "PixelSpacing" and values.min() <= 0:
        raise ValueError(name)
    if name == "ImageOrientationPatient":
        row, column = values[:3], values[3:]
        if np.abs([row @ row - 1, column @ column - 1, row @ column]).max() > 0.01:
            raise ValueError(name)
    return values


def sorted_frames(where: Path, frames: list[Frame]) -> list[Frame]:
    """Along their common normal; InputError where they are no stack of equally distant slices."""
    uids = sorted({str(frame.dataset.get("SeriesInstanceUID")) for frame in frames})
    if len(uids) > 1:
        raise mixed(where, uids)
    _check_alike(where, frames)
    normal = frames[0].normal
    frames = sorted(frames, key=lambda frame: (float(frame.position @ normal), frame.number))
    if len(frames) > 1:
        _check_places(where, np.stack([frame.position for frame in frames]), normal, frames[0].spacing)
    return frames


def _check_alike(where: Path, frames: list[Frame]) -> None:
    alike: dict[str, list[Any]] = {
        "sizes": [[frame.dataset.Rows, frame.dataset.Columns] for frame in frames],
        "orientations": [frame.orientation for frame in frames],
        "pixel spacings": [frame.spacing for frame in frames],
    }
    several = [name for name, values in alike.items() if np.ptp(values, axis=0).max() > 1e-3]
    if several:
        raise refuse(
            where,
            "slices that are no stack",
            got=f"several {' and '.join(several)}",
            expected="one of each",
            mend="Give a series of parallel slices, or single files of it by name.",
        )


def _check_places(where: Path, positions: Array, normal: Array, spacing: Array) -> None:
    """Of sorted slices (N, 3), N > 1."""
    distances = np.diff(positions @ normal)
    if distances.min() < 1e-3:
        raise refuse(
            where,
            "several images at one place (4D)",
            got=f"{len(positions)} images at {1 + int((distances > 1e-3).sum())} places",
            expected="one image at each",
            mend="Give one echo, phase or time point.",
        )
    if distances.max() - distances.min() > UNEVEN * distances.mean():
        raise refuse(
            where,
            "uneven spacing",
            got=f"{distances.min():.3f} to {distances.max():.3f} mm between slices",
            expected="one distance",
            mend="Find the missing slices, or give single files by name.",
        )
    aside = positions - np.linspace(positions[0], positions[-1], len(positions))
    aside -= np.outer(aside @ normal, normal)
    farthest = float(np.linalg.norm(aside, axis=1).max())
    if farthest > ASIDE * spacing.min():
        raise refuse(
            where,
            "slices that do not lie above each other",
            got=f"one {farthest:.2f} mm aside",
            expected="positions on a line",
            mend="Give each stack of slices by itself.",
        )


def mixed(where: Path, uids: list[str]) -> InputError:
    return refuse(
        where,
        "files of several series in one folder",
        got=f"SeriesInstanceUID {', '.join(uids)}",
        expected="one series",
        mend="Give each series a folder of its own, or name the files of one.",
    )
