"""Multi-frame DICOM: each frame is judged at its own place, whatever the order of the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from test_pictures import run

from brisc.inference import dicom
from brisc.inference.dicom_pixels import pixels_of
from brisc.inference.model import Model
from tests.inference.dicoms import write_multiframe

HEIGHTS = [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
ORDERS = {"rising": [0, 1, 2, 3, 4, 5], "falling": [5, 4, 3, 2, 1, 0], "mixed": [3, 0, 5, 1, 4, 2]}


def frames() -> np.ndarray:
    """(6, 48, 40) in the order of heights: of the k-th the first 6 (k + 1) columns are bright."""
    values = np.full((6, 48, 40), 100, np.uint16)
    for k, frame in enumerate(values):
        frame[:, : 6 * (k + 1)] = 1000
    return values


def at(*heights: float, x: float = -30.0, **more: Any) -> list[dict[str, Any]]:
    return [{"ImagePositionPatient": [x, -40.0, height], **more} for height in heights]


def bright_columns(mask: np.ndarray) -> int:
    """Of a mask (rows, columns) that is the same in all rows."""
    assert (mask == mask[0]).all()
    return int(mask[0].sum())


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_each_frame_gets_its_own_mask_whatever_their_order(
    model: Model, tmp_path: Path, order: list[int]
) -> None:
    path = write_multiframe(tmp_path / "a.dcm", frames()[order], at(*(HEIGHTS[k] for k in order)))
    done, rows = run(model, [path], tmp_path / "out")
    assert not done.problems
    assert [float(row["mm"]) for row in rows] == HEIGHTS
    assert [int(row["area_pixels"]) for row in rows] == [48 * 6 * (k + 1) for k in range(6)]
    assert {row["warnings"] for row in rows} <= {"", "unsure"}
    source = pydicom.dcmread(path)
    made = pydicom.dcmread(tmp_path / "out/a_mask.dcm")
    told = {}
    for group, mask in zip(made.PerFrameFunctionalGroupsSequence, made.pixel_array, strict=True):
        referred = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert referred.ReferencedSOPInstanceUID == source.SOPInstanceUID
        place = group.PlanePositionSequence[0].ImagePositionPatient
        # Counted from 1; the frame that it refers to lies where it lies.
        assert order[referred.ReferencedFrameNumber - 1] == HEIGHTS.index(float(place[2]))
        told[float(place[2])] = bright_columns(mask)
    assert told == {height: 6 * (k + 1) for k, height in enumerate(HEIGHTS)}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_pngs_are_numbered_as_the_rows_are(model: Model, tmp_path: Path, order: list[int]) -> None:
    path = write_multiframe(tmp_path / "a.dcm", frames()[order], at(*(HEIGHTS[k] for k in order)))
    run(model, [path], tmp_path / "out", dicom="png")
    masks = [np.asarray(Pillow.open(tmp_path / f"out/a_mask_{k:04}.png")) > 0 for k in range(6)]
    assert [bright_columns(mask) for mask in masks] == [6 * (k + 1) for k in range(6)]


def test_geometry_is_that_of_the_same_slices_as_single_files(tmp_path: Path) -> None:
    """A coronal stack, turned by 10 degrees, with unlike sides of the pixels."""
    orientation = [0.9848078, 0.1736482, 0.0, 0.0, 0.0, -1.0]
    normal = np.cross(orientation[:3], orientation[3:])
    places = [(np.array([-30.0, -40.0, 7.0]) + 3.3 * k * normal).round(6).tolist() for k in (2, 0, 1)]
    path = write_multiframe(
        tmp_path / "a.dcm",
        frames()[:3],
        [{"ImagePositionPatient": place} for place in places],
        shared={"ImageOrientationPatient": orientation, "PixelSpacing": [0.9, 1.1]},
    )
    stack = dicom.sorted_frames(path, dicom.frames_of(path, pydicom.dcmread(path)))
    assert [frame.number for frame in stack] == [1, 2, 0]
    # By hand: columns follow the row's direction in steps of 1.1, rows run to the feet in steps of 0.9, and
    # x and y change their signs from DICOM's axes to NIfTI's.
    expected = np.array(
        [
            [-1.1 * 0.9848078, 0, 3.3 * 0.1736482, 30],
            [-1.1 * 0.1736482, 0, -3.3 * 0.9848078, 40],
            [0, -0.9, 0, 7],
            [0, 0, 0, 1],
        ]
    )
    assert np.abs(dicom.affine_of(stack) - expected).max() < 1e-5


def test_each_frame_is_rescaled_by_its_own_slope(tmp_path: Path) -> None:
    scales = [{"RescaleSlope": k + 1, "RescaleIntercept": -k, "RescaleType": "US"} for k in range(6)]
    each = [place | scale for place, scale in zip(at(*HEIGHTS), scales, strict=True)]
    path = write_multiframe(tmp_path / "a.dcm", frames(), each)
    for k, frame in enumerate(dicom.frames_of(path, pydicom.dcmread(path))):
        assert (
            pixels_of(path, frame.dataset, frame.number) == frames()[k].astype(np.float32) * (k + 1) - k
        ).all()


@pytest.mark.parametrize(
    ("each", "shared", "told"),
    [
        (at(*HEIGHTS, ImageOrientationPatient=None), {"ImageOrientationPatient": None}, "without geometry"),
        (at(*HEIGHTS), {"PixelSpacing": None}, "without geometry"),
        ([{}] * 6, {}, "without geometry"),
        (at(*HEIGHTS[:5]), {}, "without geometry"),
        (at(*HEIGHTS), {"PixelSpacing": [-1, 1]}, "without geometry"),
        (at(*HEIGHTS), {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "without geometry"),
        ([{}] * 6, {"ImagePositionPatient": [0, 0, 0]}, "4D"),
        (at(0, 5, 10, 0, 5, 10), {}, "4D"),
        (at(0, 5, 10, StackID="1") + at(30, 35, 40, StackID="2"), {}, "uneven spacing"),
        (at(0, 5, 10, StackID="1") + at(15, 20, 25, x=-90, StackID="2"), {}, "above each other"),
        (at(0, 5, 10) + at(0, 5, 10, EffectiveEchoTime=80.0), {}, "6 images at 3 places"),
        (at(0, 0, 0, 5, 5, 5, TemporalPositionIndex=1), {}, "6 images at 2 places"),
        (
            at(0, 5, 10) + at(0, 5, 10, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
            {},
            "several orientations",
        ),
        (at(*HEIGHTS[:5]) + at(25, PixelSpacing=[2, 2]), {}, "several pixel spacings"),
        (at(0, 5, 10, 15, 20, 26), {}, "uneven spacing"),
    ],
)
def test_files_that_are_no_stack_are_refused(
    model: Model, tmp_path: Path, each: list[dict[str, Any]], shared: dict[str, Any], told: str
) -> None:
    path = write_multiframe(tmp_path / "a.dcm", frames(), each, shared=shared)
    done, rows = run(model, [path], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True], done.problems
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"VolumeBasedCalculationTechnique": "MAX_IP"}, "projection"),
        ({"PerFrameFunctionalGroupsSequence": None}, "without geometry"),
        ({"SharedFunctionalGroupsSequence": []}, "without geometry"),
        ({"NumberOfFrames": 7}, "without geometry"),
        ({"PixelData": frames()[:5].tobytes()}, "cannot be decoded"),
        ({"FrameOfReferenceUID": None}, "--dicom png"),
    ],
)
def test_headers_against_a_stack_are_refused(
    model: Model, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    path = write_multiframe(tmp_path / "a.dcm", frames(), at(*HEIGHTS), **changes)
    done, rows = run(model, [path], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True], done.problems
    assert not (tmp_path / "out").exists()


def test_an_echo_time_is_found_in_the_groups(model: Model, tmp_path: Path) -> None:
    path = write_multiframe(tmp_path / "a.dcm", frames(), at(*HEIGHTS), shared={"EffectiveEchoTime": 90.0})
    _, rows = run(model, [path], tmp_path / "out")
    assert all("not_t1" in row["warnings"].split() for row in rows)
