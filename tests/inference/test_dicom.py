"""DICOM: geometry, grey values, refusals and warnings; other programs judge what is read and written."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from test_pictures import run

from brisc.inference import dicom
from brisc.inference.dicom_pixels import pixels_of
from brisc.inference.model import Model
from tests.inference.dicoms import write_series

OBLIQUE = (0.9848078, 0.1736482, 0.0, 0.0, 0.0, -1.0)  # coronal, turned by 10 degrees about the body's axis


def frames(count: int = 6) -> np.ndarray:
    """The upper half bright, and no two rows or frames alike."""
    values = np.full((count, 48, 40), 100, np.uint16)
    values[:, :24] = 1000
    values += (
        np.arange(48, dtype=np.uint16)[None, :, None] + 50 * np.arange(count, dtype=np.uint16)[:, None, None]
    )
    return values


def test_a_series_gives_a_segmentation_of_all_its_frames(model: Model, tmp_path: Path) -> None:
    values = frames()
    values[3:] = values[3:, ::-1]  # of the upper three frames the lower half is bright
    paths = write_series(tmp_path / "in", values)
    done, rows = run(model, [tmp_path / "in"], tmp_path / "out")
    assert not done.problems
    made = pydicom.dcmread(tmp_path / "out/in_mask.dcm")
    assert made.NumberOfFrames == 6
    assert (made.Rows, made.Columns) == (48, 40)
    assert made.PatientName == "Secret^Name"  # in the segmentation, so that a viewer finds its patient
    source = pydicom.dcmread(paths[0])
    assert made.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    places = []
    for frame, mask in zip(made.PerFrameFunctionalGroupsSequence, made.pixel_array, strict=True):
        x, y, z = (float(value) for value in frame.PlanePositionSequence[0].ImagePositionPatient)
        assert (x, y) == (-30, -40)
        places.append(z)
        upper, lower = mask[:23], mask[25:]
        assert (upper if z < 15 else lower).all()
        assert not (lower if z < 15 else upper).any()
    assert sorted(places) == [0, 5, 10, 15, 20, 25]
    assert [float(row["mm"]) for row in rows] == [0, 5, 10, 15, 20, 25]
    assert {row["warnings"] for row in rows} <= {"", "unsure"}
    assert "Secret" not in (tmp_path / "out/predictions.csv").read_text()
    if shutil.which("dciodvfy"):
        told = subprocess.run(
            ["dciodvfy", "-new", tmp_path / "out/in_mask.dcm"], capture_output=True, text=True, check=False
        )
        assert "Error" not in told.stderr


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_any_cut_of_a_series_ends_in_its_own_frames(model: Model, tmp_path: Path, axis: str) -> None:
    write_series(tmp_path / "in", frames(40), step=1.0)
    run(model, [tmp_path / "in"], tmp_path / "out", axis=axis)
    mask = pydicom.dcmread(tmp_path / "out/in_mask.dcm").pixel_array
    assert mask.shape == (40, 48, 40)
    assert mask[20, :22].all()
    assert not mask[20, 26:].any()


def test_frames_as_pngs(model: Model, tmp_path: Path) -> None:
    write_series(tmp_path / "in", frames())
    run(model, [tmp_path / "in"], tmp_path / "out", dicom="png")
    assert len(list((tmp_path / "out").glob("in_mask_*.png"))) == 6
    assert not list((tmp_path / "out").glob("*.dcm"))


@pytest.mark.parametrize("orientation", [(1.0, 0, 0, 0, 1, 0), (0, 1.0, 0, 0, 0, -1), OBLIQUE])
def test_geometry_is_that_of_dcm2niix(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    program = shutil.which("dcm2niix")
    if program is None:
        pytest.skip("no dcm2niix")
    values = np.random.default_rng(0).integers(1, 1000, (6, 48, 40)).astype(np.uint16)
    paths = write_series(tmp_path / "in", values, orientation=orientation, spacing=(0.9, 1.1), step=3.3)
    subprocess.run([program, "-f", "a", "-o", tmp_path, tmp_path / "in"], check=True, capture_output=True)
    theirs = nibabel.as_closest_canonical(nibabel.load(tmp_path / "a.nii"))
    datasets = [pydicom.dcmread(path) for path in paths]
    sorted_frames = dicom.sorted_frames(
        tmp_path, [f for each in datasets for f in dicom.frames_of(tmp_path, each)]
    )
    pixels = np.stack([frame.dataset.pixel_array for frame in sorted_frames]).transpose(2, 1, 0)
    ours = nibabel.as_closest_canonical(
        nibabel.Nifti1Image(pixels.astype(np.float32), dicom.affine_of(sorted_frames))
    )
    assert np.abs(ours.affine - theirs.affine).max() < 1e-4
    assert (np.asarray(ours.dataobj) == np.asarray(theirs.dataobj)).all()


def test_grey_values_are_rescaled_and_monochrome1_is_turned_round(tmp_path: Path) -> None:
    values = frames(1)
    (path,) = write_series(tmp_path / "a", values, RescaleSlope=3.0, RescaleIntercept=-5.0, RescaleType="US")
    pixels = pixels_of(path, pydicom.dcmread(path), 0)
    assert (pixels == values[0] * 3.0 - 5).all()
    (path,) = write_series(tmp_path / "b", values, PhotometricInterpretation="MONOCHROME1")
    pixels = pixels_of(path, pydicom.dcmread(path), 0)
    # What is bright is stored dark.
    assert (pixels - pixels.min() == values[0].max() - values[0].astype(np.float32)).all()


def test_the_same_head_stored_dark_on_bright_is_the_same_picture(tmp_path: Path) -> None:
    """Also where the values fill a few of the bits."""
    values = frames() // 16
    values -= values.min()
    plain = dicom.read(write_series(tmp_path / "a", values), "auto", force=False)
    inverted = write_series(tmp_path / "b", values.max() - values, PhotometricInterpretation="MONOCHROME1")
    turned = dicom.read(inverted, "auto", force=False)
    for one, other in zip(plain.image.slices, turned.image.slices, strict=True):
        assert one is not None
        assert (one == other).all()


def test_names_that_were_taken_out_are_empty_in_the_mask(model: Model, tmp_path: Path) -> None:
    anonymous = dict.fromkeys(["PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"])
    write_series(tmp_path / "in", frames(), **anonymous)
    done, _ = run(model, [tmp_path / "in"], tmp_path / "out")
    assert not done.problems
    mask = pydicom.dcmread(tmp_path / "out" / "in_mask.dcm")
    assert (mask.PatientID, mask.PatientBirthDate) == ("", "")


def test_a_damaged_file_takes_its_series_with_it_and_says_so(model: Model, tmp_path: Path) -> None:
    path = write_series(tmp_path / "in", frames())[2]
    path.write_bytes(path.read_bytes()[:140])
    done, rows = run(model, [tmp_path / "in"], tmp_path / "out")
    assert rows == []
    (problem,) = done.problems
    assert "without it the 5 others of its series are not judged" in str(problem)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Modality": "CT"}, "another modality: got CT"),
        ({"BodyPartExamined": "KNEE"}, "KNEE"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "mosaic"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE"]}, "projection"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "projection"),
        ({"Modality": "SEG"}, "segmentation"),
        ({"PixelData": None}, "without pixels"),
        ({"ImagePositionPatient": None}, "without geometry"),
        ({"each": {2: {"ImagePositionPatient": [-30, -40, 11.0]}}}, "uneven spacing"),
        ({"each": {2: {"ImagePositionPatient": [-30, -40, 5.0]}}}, "4D"),
        ({"each": {2: {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}}}, "several orientations"),
        ({"each": {2: {"SeriesInstanceUID": "1.2.3"}}}, "1.2.3"),
        ({"each": {2: {"PixelData": b"\0\0"}}}, "transfer syntax Explicit VR Little Endian"),
    ],
)
def test_series_that_cannot_be_judged_are_refused(
    model: Model, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    write_series(tmp_path / "in", frames(), **changes)
    done, rows = run(model, [tmp_path / "in"], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True], done.problems
    assert not (tmp_path / "out").exists()


def test_force_lifts_modality_and_body_part_alone(model: Model, tmp_path: Path) -> None:
    write_series(tmp_path / "a", frames(), Modality="CT", BodyPartExamined="KNEE")
    write_series(tmp_path / "b", frames(), ImageType=["ORIGINAL", "PRIMARY", "MOSAIC"])
    done, rows = run(model, [tmp_path / "a", tmp_path / "b"], tmp_path / "out", force=True)
    assert len(rows) == 6
    assert ["mosaic" in str(problem) for problem in done.problems] == [True]


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"EchoTime": 90.0}, "not_t1"),
        ({"RepetitionTime": 6000.0}, "not_t1"),
        ({"EchoTime": None, "RepetitionTime": None}, "no_timing"),
        ({"ContrastBolusAgent": None}, "no_contrast"),
        ({"BodyPartExamined": None}, "no_body_part"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"orientation": (0.9, 0, 0.43589, 0, 1, 0)}, "oblique"),
    ],
)
def test_what_is_unusual_is_told(model: Model, tmp_path: Path, changes: dict[str, Any], warning: str) -> None:
    write_series(tmp_path / "in", frames(), **changes)
    done, rows = run(model, [tmp_path / "in"], tmp_path / "out")
    assert not done.problems
    assert len(rows) == 6
    assert all(warning in row["warnings"].split() for row in rows)


def test_files_named_one_by_one_are_sorted_into_their_series(model: Model, tmp_path: Path) -> None:
    one, other = (write_series(tmp_path / name, frames(3)) for name in "ab")
    for k, path in enumerate(other):
        path.rename(tmp_path / "a" / f"x{k}.dcm")
    done, rows = run(model, sorted((tmp_path / "a").iterdir()), tmp_path / "out")
    assert not done.problems
    assert len(rows) == len(one) + len(other)
    assert len(list((tmp_path / "out").glob("*_mask.dcm"))) == 2
    done, rows = run(model, [tmp_path / "a"], tmp_path / "again")
    assert rows == []
    assert ["several series" in str(problem) for problem in done.problems] == [True]
