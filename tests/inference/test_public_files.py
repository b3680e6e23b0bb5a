"""Files that nobody here wrote: those that pydicom, pydicom-data and nibabel bring along."""

import gzip
import random
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from test_pictures import run

from brisc.inference import dicom
from brisc.inference.dicom_pixels import decode_apart, pixels_of
from brisc.inference.model import Model
from tests.inference.dicoms import SHARED, groups

pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries about files, as the program ignores them

NIBABEL = Path(str(files("nibabel")))
MPRAGE = "nicom/tests/data/philips_mprage.dcm.gz"  # a real header of 176 frames; its pixels were wiped out


def public(name: str, tmp_path: Path) -> Path:
    """Unpacked where it is a DICOM file in gzip; the test is skipped where pydicom-data is not installed."""
    found = NIBABEL / name if "/" in name else get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"no {name}")
    path = Path(str(found))
    if path.suffix == ".gz" and not name.endswith(".nii.gz"):
        unpacked = tmp_path / f"{path.name.removesuffix('.dcm.gz').removesuffix('.gz')}.dcm"
        unpacked.write_bytes(gzip.decompress(path.read_bytes()))
        return unpacked
    return path


ENCODINGS = ("_RLE", "_bigendian", "_expb", "_implicit", "_jp2klossless", "_jpeg_ls_lossless", "_padded")
SMALL = ("no_body_part", "no_contrast", "not_t1")
CT = ("negative", "no_body_part", "no_timing")  # whose air is below 0
MR2 = ("no_body_part", "no_contrast", "oblique")


@pytest.mark.parametrize(
    ("name", "shape", "warnings", "force"),
    [
        *((f"MR_small{kind}.dcm", (1, 64, 64), SMALL, False) for kind in ("", *ENCODINGS)),
        ("zipMR.gz", (1, 64, 64), SMALL, False),
        *((f"MR2_{kind}.dcm", (1, 1024, 1024), MR2, False) for kind in ("UNCI", "J2KI")),
        ("examples_overlay.dcm", (1, 300, 484), (), True),
        ("MR-SIEMENS-DICOM-WithOverlays.dcm", (1, 484, 484), (), True),
        (
            "J2K_pixelrep_mismatch.dcm",
            (1, 512, 512),
            ("negative", "no_contrast", "no_timing", "oblique"),
            True,
        ),
        ("CT_small.dcm", (1, 128, 128), CT, True),
        ("eCT_Supplemental.dcm", (2, 512, 512), CT, True),
        ("tests/data/anatomical.nii", (33, 41, 25), ("no_metadata",), False),
    ],
)
def test_judged(
    model: Model, tmp_path: Path, name: str, shape: tuple[int, ...], warnings: tuple[str, ...], force: bool
) -> None:
    path = public(name, tmp_path)
    done, rows = run(model, [path], tmp_path / "out", force=force)
    assert not done.problems
    assert len(rows) == min(shape)
    assert {word for row in rows for word in row["warnings"].split()} - {"unsure", "doubt"} == set(warnings)
    (made,) = (tmp_path / "out").glob("*_mask.*")
    if made.suffix == ".nii":
        assert (np.abs(nibabel.load(made).affine - nibabel.load(path).affine) < 1e-5).all()
        assert nibabel.load(made).shape == shape
    else:
        mask = pydicom.dcmread(made)
        assert (int(mask.NumberOfFrames), mask.Rows, mask.Columns) == shape
        assert mask.FrameOfReferenceUID == pydicom.dcmread(path, force=True).FrameOfReferenceUID


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("MR_truncated.dcm", "Explicit VR Little Endian"),
        ("emri_small_jpeg_2k_lossless_too_short.dcm", "cannot be read"),
        *((f"emri_small{kind}.dcm", "without geometry") for kind in ("", "_RLE", "_big_endian")),
        (MPRAGE, "another part of the body: got ORBIT"),
        ("examples_overlay.dcm", "another part of the body: got ABDOMEN"),
        *((f"nicom/tests/data/{k}.dcm", "mosaic") for k in (0, 1)),
        *((f"nicom/tests/data/siemens_dwi_{k}.dcm.gz", "mosaic") for k in (0, 1000)),
        ("nicom/tests/data/slicethickness_empty_string.dcm", "projection"),
        ("nicom/tests/data/csa_slice_norm.dcm", "without pixels"),
        ("nicom/tests/data/decimal_rescale.dcm", "SOPClassUID"),
        *((name, "another modality: got CT") for name in ("CT_small.dcm", "J2K_pixelrep_mismatch.dcm")),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", "another modality: got US"),
        *((name, "colour") for name in ("US1_UNCR.dcm", "SC_rgb.dcm", "examples_palette.dcm")),
        *((name, "segmentation") for name in ("liver_1frame.dcm", "liver_expb_1frame.dcm")),
        *(
            (f"{name}.dcm", "no image")
            for name in ("rtplan", "rtstruct", "test-SR", "waveform_ecg", "no_meta")
        ),
        *((f"tests/data/{name}", "4 dimensions") for name in ("example4d.nii.gz", "functional.nii")),
        *((f"tests/data/{name}", "size") for name in ("standard.nii.gz", "reoriented_anat_moved.nii")),
        ("tests/data/row_major.dconn.nii", "2 dimensions"),
        ("tests/data/T1.PAR", "no image"),
        ("tests/data/test.mgz", "no image"),
    ],
)
def test_refused(model: Model, tmp_path: Path, name: str, told: str) -> None:
    done, rows = run(model, [public(name, tmp_path)], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True], done.problems
    assert not (tmp_path / "out").exists()


def read(path: Path) -> np.ndarray:
    return np.stack(
        [
            pixels_of(path, frame.dataset, frame.number)
            for frame in dicom.frames_of(path, pydicom.dcmread(path))
        ]
    )


@pytest.mark.parametrize("kind", ENCODINGS)
def test_grey_values_and_masks_are_the_same_in_each_encoding(model: Model, tmp_path: Path, kind: str) -> None:
    made = []
    for name in (f"MR_small{kind}", "MR_small"):
        path = public(f"{name}.dcm", tmp_path)
        run(model, [path], tmp_path / name)
        made.append((read(path), pydicom.dcmread(tmp_path / name / f"{name}_mask.dcm")))
    (pixels, mask), (expected, like) = made
    assert (pixels == expected).all()
    assert mask.pixel_array.any()
    assert mask.PixelData == like.PixelData
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate"):
        assert mask[name].value == like[name].value


@pytest.mark.parametrize("kind", ["", "_RLE", "_big_endian", "_jpeg_2k_lossless", "_jpeg_ls_lossless"])
def test_a_real_multi_frame_file_with_the_geometry_that_it_lost(
    model: Model, tmp_path: Path, kind: str
) -> None:
    """Ten frames of a head; another reader's pixels."""
    dataset = pydicom.dcmread(public(f"emri_small{kind}.dcm", tmp_path))
    expected = pydicom.dcmread(public("emri_small.dcm", tmp_path)).pixel_array
    shared = SHARED | {"PixelSpacing": [4.0, 4.0], "SliceThickness": 1.2}
    dataset.SharedFunctionalGroupsSequence = [groups(shared)]
    dataset.PerFrameFunctionalGroupsSequence = [
        groups({"ImagePositionPatient": [0, 0, 1.2 * k]}) for k in range(10)
    ]
    dataset.save_as(path := tmp_path / "a.dcm")
    assert (read(path) == expected).all()
    done, rows = run(model, [path], tmp_path / "out", axis="axial")
    assert not done.problems
    assert [float(row["mm"]) for row in rows] == pytest.approx([1.2 * k for k in range(10)])
    assert pydicom.dcmread(tmp_path / "out/a_mask.dcm").pixel_array.shape == (10, 64, 64)


def test_geometry_of_a_real_multi_frame_header_is_that_of_dcm2niix(tmp_path: Path) -> None:
    """Twelve frames in mixed order, with pixels of ours in place of those that were wiped out."""
    program = shutil.which("dcm2niix")
    if program is None:
        pytest.skip("no dcm2niix")
    dataset = pydicom.dcmread(public(MPRAGE, tmp_path))
    rng = np.random.default_rng(0)
    order, values = rng.permutation(12), rng.integers(1, 1000, (12, 256, 256)).astype("<u2")
    dataset.remove_private_tags()  # which count 176 frames
    frames = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = [frames[int(k)] for k in order]
    dataset.NumberOfFrames, dataset.PixelData = 12, values[order].tobytes()
    (tmp_path / "in").mkdir()
    dataset.save_as(path := tmp_path / "in/a.dcm")
    subprocess.run([program, "-f", "a", "-o", tmp_path, tmp_path / "in"], check=True, capture_output=True)
    theirs = nibabel.as_closest_canonical(nibabel.load(tmp_path / "a.nii"))
    stack = dicom.sorted_frames(path, dicom.frames_of(path, pydicom.dcmread(path)))
    pixels = np.stack([pixels_of(path, frame.dataset, frame.number) for frame in stack]).transpose(2, 1, 0)
    ours = nibabel.as_closest_canonical(nibabel.Nifti1Image(pixels, dicom.affine_of(stack)))
    assert np.abs(ours.affine - theirs.affine).max() < 1e-4
    assert np.abs(ours.get_fdata() - theirs.get_fdata()).max() < 1e-2  # of values up to 2,000


@pytest.fixture
def lossless(tmp_path: Path) -> Path:
    """A file in lossless JPEG, which gdcm alone decodes, with the header of an MRI."""
    dataset = pydicom.dcmread(public("JPGLosslessP14SV1_1s_1f_8b.dcm", tmp_path))
    dataset.Modality, dataset.PixelSpacing, dataset.SliceThickness = "MR", [0.5, 0.5], 5
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.FrameOfReferenceUID = "1.2.3"
    dataset.save_as(path := tmp_path / "a.dcm")
    return path


def test_lossless_jpeg_is_read(lossless: Path) -> None:
    dataset = pydicom.dcmread(lossless)
    decode_apart([lossless], [dataset])
    assert (pixels_of(lossless, dataset, 0) == pydicom.dcmread(lossless).pixel_array).all()


def test_lossless_jpeg_that_ends_its_decoder_is_refused(model: Model, tmp_path: Path, lossless: Path) -> None:
    """Damaged so that gdcm was seen to end its process."""
    data, draw = bytearray(lossless.read_bytes()), random.Random(0)
    start = data.index(b"\xe0\x7f\x10\x00")
    for _ in range(30):
        data[start + 30 + int(draw.random() ** 3 * (len(data) - start - 60))] = draw.randrange(256)
    lossless.write_bytes(data)
    done, rows = run(model, [lossless], tmp_path / "out")
    assert rows == []
    assert ["JPEG Lossless" in str(problem) for problem in done.problems] == [True]
