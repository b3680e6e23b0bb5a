"""From files to files: masks in the geometry of what was given, the table, refusals."""

import csv
import io
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from brisc.errors import InputError
from brisc.inference.model import Model, load
from brisc.inference.predict import Outcome, Settings, predict
from brisc.progress import silent
from tests.inference.conftest import write_model

SETTINGS = Settings(axis="auto", dicom="seg", force=False)


def run(model: Model, inputs: list[Path], out: Path, **changes: Any) -> tuple[Outcome, list[dict[str, str]]]:
    done = predict(model, inputs, out, settings=Settings(**{**vars(SETTINGS), **changes}), track=silent)
    table = out / "predictions.csv"
    return done, list(csv.DictReader(io.StringIO(table.read_text()))) if table.is_file() else []


def half_bright(height: int = 64, width: int = 64) -> np.ndarray:
    picture = np.full((height, width), 20, np.uint8)
    picture[: height // 2] = 230
    return picture


def test_a_picture_gives_a_mask_of_its_size_and_an_overlay_and_a_row(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "a b ü.png"
    Pillow.fromarray(half_bright(64, 96)).save(path)
    done, (row,) = run(model, [path], tmp_path / "out")
    assert not done.problems
    mask = np.asarray(Pillow.open(tmp_path / "out/a b ü_mask.png"))
    assert (mask == np.where(half_bright(64, 96) > 127, 255, 0)).all()
    assert np.asarray(Pillow.open(tmp_path / "out/a b ü_overlay.png")).shape == (64, 96, 3)
    assert (row["file"], row["slice"], row["mm"], row["area_pixels"]) == (path.as_posix(), "0", "", "3072")
    # The mean of 20 and 230 is 125 of 255: logits (4.902, 0, 0, 0), at temperature 2.
    assert float(row["p_glioma"]) == pytest.approx(np.exp(2.451) / (np.exp(2.451) + 3), abs=1e-3)
    assert (row["predicted"], row["warnings"]) == ("glioma", "no_metadata unsure")


def test_pixels_are_those_that_evaluate_sees(model: Model, tmp_path: Path) -> None:
    """A JPEG stored turned, in colour, with a rotation tag, as part of BRISC 2025 is."""
    picture = half_bright(48, 64)
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned clockwise when shown
    turned = np.rot90(picture)
    Pillow.fromarray(turned).convert("RGB").save(tmp_path / "a.jpg", exif=exif, quality=97)
    run(model, [tmp_path / "a.jpg"], tmp_path / "out")
    mask = np.asarray(Pillow.open(tmp_path / "out/a_mask.png"))
    assert mask.shape == (48, 64)
    assert (mask[:23] == 255).all()
    assert (mask[25:] == 0).all()


def test_sixteen_bits_are_scaled_not_clipped(model: Model, tmp_path: Path) -> None:
    Pillow.fromarray(half_bright().astype(np.uint16) * 100).save(tmp_path / "a.png")
    run(model, [tmp_path / "a.png"], tmp_path / "out")
    mask = np.asarray(Pillow.open(tmp_path / "out/a_mask.png"))
    assert (mask == np.where(half_bright() > 127, 255, 0)).all()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_gives_one_with_its_header_and_affine(model: Model, tmp_path: Path, suffix: str) -> None:
    values = np.zeros((40, 48, 6), np.int16)
    values[:, 24:] = 1000  # the front
    values[:, :24] = 100
    affine = np.array([[-1.0, 0.1, 0, 7], [0.1, 1.0, 0, -9], [0, 0, 5.0, 3], [0, 0, 0, 1]])
    volume = nibabel.Nifti1Image(values, affine)
    volume.header["descrip"] = b"whose"
    volume.header.set_slope_inter(2, 10)
    nibabel.save(volume, tmp_path / f"head{suffix}")
    _, rows = run(model, [tmp_path / f"head{suffix}"], tmp_path / "out")
    mask = nibabel.load(tmp_path / f"out/head_mask{suffix}")
    assert np.abs(mask.affine - affine).max() < 1e-5
    assert mask.header["descrip"].tobytes().startswith(b"whose")
    assert mask.get_data_dtype() == np.uint8
    found = np.asarray(mask.dataobj)
    assert set(np.unique(found)) == {0, 1}
    assert (found[:, 26:] == 1).all()
    assert (found[:, :22] == 0).all()
    # Slices are those of the file, 5 mm apart; a pixel is about a square millimetre.
    assert [row["slice"] for row in rows] == [str(k) for k in range(6)]
    assert [float(row["mm"]) for row in rows] == [3, 8, 13, 18, 23, 28]
    assert int(rows[0]["area_pixels"]) == int(found[:, :, 0].sum())
    assert float(rows[0]["area_mm2"]) == pytest.approx(found[:, :, 0].sum() * 1.01, rel=0.001)


def test_one_bad_file_stops_no_other_and_leaves_nothing(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "c.png", "sub/a.png"):
        Pillow.fromarray(half_bright()).save(folder / name)
    whole = (folder / "a.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(whole)
    done, rows = run(model, [folder, tmp_path / "nowhere"], tmp_path / "out")
    assert [row["file"] for row in rows] == [f"{folder}/{name}" for name in ("a.png", "c.png", "sub/a.png")]
    assert sorted(str(problem).split(":")[0] for problem in done.problems) == [
        f"{folder}/b.png",
        f"{tmp_path}/nowhere",
    ]
    assert [path.name for path in done.passed_over] == ["notes.txt"]
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert made == sorted(
        f"{name}_{kind}.png" for name in ("a", "c", "sub/a") for kind in ("mask", "overlay")
    )


def test_names_that_would_meet_stay_apart(model: Model, tmp_path: Path) -> None:
    for name in ("x/a.png", "x/a.jpg", "y/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Pillow.fromarray(half_bright()).save(tmp_path / name)
    done, rows = run(model, [tmp_path / "x", tmp_path / "y"], tmp_path / "out")
    assert not done.problems
    assert len(rows) == len(list((tmp_path / "out").glob("*_mask.png"))) == 3


def test_nothing_is_written_over(model: Model, tmp_path: Path) -> None:
    Pillow.fromarray(half_bright()).save(tmp_path / "a.png")
    run(model, [tmp_path / "a.png"], tmp_path / "out")
    with pytest.raises(InputError, match="new or empty folder"):
        run(model, [tmp_path / "a.png"], tmp_path / "out")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (noise(64, 64, 3), "colour"),
        (np.full((64, 64), 9, np.uint8), "blank"),
        (np.full((1, 1), 9, np.uint8), "size"),
        (np.dstack([half_bright()] * 3 + [half_bright()]), "transparent"),
    ],
)
def test_pictures_that_are_no_slice_are_refused(
    model: Model, tmp_path: Path, pixels: np.ndarray, told: str
) -> None:
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    done, rows = run(model, [tmp_path / "a.png"], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True]


@pytest.mark.parametrize(
    ("values", "affine", "told"),
    [
        (noise(40, 40, 5, 3), np.eye(4), "4 dimensions"),
        (noise(40, 40, 5), None, "without affine"),
        (np.zeros((40, 40, 5), np.uint8), np.eye(4), "blank"),
        (noise(40, 40, 5).astype(np.complex64), np.eye(4), "complex"),
    ],
)
def test_volumes_that_cannot_be_judged_are_refused(
    model: Model, tmp_path: Path, values: np.ndarray, affine: np.ndarray | None, told: str
) -> None:
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "a.nii.gz")
    done, rows = run(model, [tmp_path / "a.nii.gz"], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_cut_off_is_refused(model: Model, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    nibabel.save(nibabel.Nifti1Image(noise(40, 40, 5), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:-3000])
    done, rows = run(model, [path], tmp_path / "out")
    assert rows == []
    assert ["cannot be read" in str(problem) for problem in done.problems] == [True]


def test_a_model_without_masks_gives_a_table_alone(tmp_path: Path) -> None:
    Pillow.fromarray(half_bright()).save(tmp_path / "a.png")
    model = load(write_model(tmp_path / "m" / "label_only", heads=("label",)))
    _, (row,) = run(model, [tmp_path / "a.png"], tmp_path / "out")
    assert "area_pixels" not in row
    assert row["predicted"] == "glioma"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.csv"]


def test_a_model_without_classes_gives_masks_and_no_class(tmp_path: Path) -> None:
    Pillow.fromarray(half_bright()).save(tmp_path / "a.png")
    model = load(write_model(tmp_path / "m" / "unet", heads=("mask",)))
    _, (row,) = run(model, [tmp_path / "a.png"], tmp_path / "out")
    assert "predicted" not in row
    assert row["warnings"] == "no_metadata"
