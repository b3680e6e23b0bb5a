"""The console script: exit codes, and no traceback whatever it is given."""

import logging
import random
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from brisc.errors import InputError
from brisc.inference import command, dicom, pictures, volumes
from tests.inference.conftest import write_model
from tests.inference.dicoms import write_series


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_model(tmp_path / "models" / "laptop" / "joint")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def brisc(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["brisc", "--models", "models", *words])
    monkeypatch.setattr(logging.root.manager, "disable", 0)  # which is put back after the test
    return command.main()


def test_it_judges_and_says_what_it_is_not(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(np.eye(64, dtype=np.uint8) * 200).save(place / "a.png")
    assert brisc(monkeypatch, "predict", "a.png", "--out", "out") == 0
    said = capsys.readouterr()
    assert "not a medical device" in said.err
    assert "1 judged, 0 refused" in said.out
    assert brisc(monkeypatch, "models") == 0
    assert capsys.readouterr().out.startswith("laptop/joint")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.png", "--out", "out"), "nowhere.png"),
        (("a.txt", "--out", "out"), "a.txt"),
        (("empty", "--out", "out"), "empty"),
        (("a.txt", "--out", "a.txt"), "new or empty"),
        (("a.txt", "--out", "a.txt/below"), "a.txt"),
        (("a.txt", "--out", "out", "--model", "vnet"), "laptop/joint"),
    ],
)
def test_what_cannot_be_done_is_told_and_ends_with_one(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    (place / "a.txt").write_text("text")
    (place / "empty").mkdir()
    assert brisc(monkeypatch, "predict", *words) == 1
    assert told in capsys.readouterr().err
    assert not (place / "out").exists()


def test_an_out_below_a_file_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(np.eye(64, dtype=np.uint8) * 200).save(place / "a.png")
    assert brisc(monkeypatch, "predict", "a.png", "--out", "a.png/below") == 1
    assert "error: " in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["png", "jpg", "nii", "nii.gz", "dcm"])
def test_a_damaged_file_is_judged_or_refused_and_nothing_else(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    path, picture = tmp_path / f"a.{kind}", rng.integers(0, 256, (40, 44), np.uint8)
    if kind in ("png", "jpg"):
        Pillow.fromarray(picture).save(path)
    elif kind == "dcm":
        write_series(tmp_path / "in", picture[None].astype(np.uint16))[0].rename(path)
    else:
        nibabel.save(nibabel.Nifti1Image(rng.integers(0, 99, (34, 36, 4), np.int16), np.eye(4)), path)
    whole, draw, refused = path.read_bytes(), random.Random(1), 0
    for k in range(60):
        data = bytearray(whole[: draw.randrange(len(whole))] if k % 2 else whole)
        for _ in range(4):
            if data:
                data[draw.randrange(min(len(data), draw.choice((60, 400, len(data)))))] = draw.randrange(256)
        path.write_bytes(data)
        try:
            if kind in ("png", "jpg"):
                pictures.read(path)
            elif kind == "dcm":
                dicom.read([path], "auto", force=False)
            else:
                volumes.read(path, "auto")
        except InputError:
            refused += 1
    assert refused > 20
