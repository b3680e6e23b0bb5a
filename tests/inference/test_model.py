"""The exported model: what it computes, and files that are not the exported ones."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brisc.errors import InputError
from brisc.inference.model import Model, available, choose, load
from tests.inference.conftest import SIZE, write_model


def test_probabilities_are_those_of_the_calibrated_logits(model: Model) -> None:
    (finding,) = model.find([np.full((SIZE, SIZE), 51, np.uint8)])
    # Mean 0.2, logits (2, 0, 0, 0), at temperature 2: (1, 0, 0, 0).
    assert finding.probabilities is not None
    assert finding.probabilities["glioma"] == pytest.approx(math.e / (math.e + 3), abs=1e-6)
    assert sum(finding.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("bright", [np.s_[:32], np.s_[:, 48:]])
def test_a_mask_has_the_size_of_its_picture_and_lies_where_it_is_bright(model: Model, bright: Any) -> None:
    picture = np.zeros((64, 96), np.uint8)
    picture[bright] = 255
    (finding,) = model.find([picture])
    assert finding.mask is not None
    assert (finding.mask == (picture > 127)).all()


def test_many_pictures_get_the_answers_of_each_alone(model: Model) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (40 + k, 50), np.uint8) for k in range(35)]
    together = model.find(pictures)
    assert len(together) == 35
    for picture, found in zip(pictures[::17], together[::17], strict=True):
        (alone,) = model.find([picture])
        assert alone.mask is not None
        assert found.mask is not None
        assert (alone.mask == found.mask).all()
        assert alone.probabilities == pytest.approx(found.probabilities, abs=1e-6)


def test_padding_keeps_the_aspect_ratio(tmp_path: Path) -> None:
    model = load(write_model(tmp_path / "p" / "joint", fit="pad"))
    (finding,) = model.find([np.full((32, 64), 255, np.uint8)])
    # Half of the square is black: mean 0.5, logits (5, 0, 0, 0), at temperature 2.
    assert finding.probabilities is not None
    assert finding.probabilities["glioma"] == pytest.approx(math.exp(2.5) / (math.exp(2.5) + 3), abs=1e-6)
    assert finding.mask is not None
    # Between the picture and the black around it lies half of a pixel of the model: no row of the picture.
    assert finding.mask.all()


def test_a_changed_file_is_refused(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "joint"
    shutil.copytree(model_folder, folder)
    data = bytearray((folder / "model.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx").write_bytes(data)
    with pytest.raises(InputError, match=r"model\.onnx: .*not the one that was exported.*SHA-256"):
        load(folder)


def test_a_name_finds_its_model_and_patients_come_before_phantoms(tmp_path: Path) -> None:
    for name in ("demo/joint", "laptop/joint", "laptop/unet"):
        write_model(tmp_path / name)
    config = tmp_path / "demo/joint/config.json"
    config.write_text(config.read_text().replace("brisc2025", "phantom"))
    models = available([tmp_path])
    assert list(models) == ["demo/joint", "laptop/joint", "laptop/unet"]
    assert choose("joint", models) == tmp_path / "laptop/joint"
    assert choose("demo/joint", models) == tmp_path / "demo/joint"
    assert choose(str(tmp_path / "laptop/unet"), {}) == tmp_path / "laptop/unet"
    with pytest.raises(InputError, match=r"no such model.*laptop/unet"):
        choose("vnet", models)
    write_model(tmp_path / "paper/joint")
    with pytest.raises(InputError, match=r"several models.*laptop/joint, paper/joint"):
        choose("joint", available([tmp_path]))


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "{}", '{"files": {}}'])
def test_a_config_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    folder = write_model(tmp_path / "joint")
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match="no exported model"):
        load(folder)
