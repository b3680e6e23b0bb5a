"""What is written beside the page: everything it shows, nothing it doesn't, the same bytes for the same
input."""

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brisc.errors import InputError
from brisc.page.build import write_site
from brisc.page.cases import Slices
from brisc.page.encode import maps, run_lengths
from brisc.page.sheets import CAPTION, CELL, GAP, even_steps, pair_tile


def core_of(site: Path) -> dict[str, Any]:
    return content(site / "page" / "data" / "core.js")


def content(script: Path) -> Any:
    text = script.read_text(encoding="utf-8")
    start, end = f'receive("{script.stem}",', ");\n"
    assert text.startswith(start)
    assert text.endswith(end)
    return json.loads(text.removeprefix(start).removesuffix(end))


def write(profile: Path, out: Path) -> Path:
    write_site(reports=profile / "reports", runs=profile / "runs", data=profile / "data", out=out)
    return out


@pytest.mark.parametrize(
    ("rows", "lengths"),
    [
        (["011", "100"], [1, 3, 2]),
        (["111", "000"], [0, 3, 3]),
        (["000", "000"], [6]),
        (["0" * 200, "1" * 200], [0xC8, 0x01, 0xC8, 0x01]),  # 200 is 72 + 128, little end first
    ],
)
def test_runs_by_hand(rows: list[str], lengths: list[int]) -> None:
    mask = np.array([[letter == "1" for letter in row] for row in rows])
    assert list(base64.b64decode(run_lengths(mask))) == lengths


def test_maps_row_after_row() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    made = maps(array)
    assert (made["height"], made["width"]) == (2, 3)
    assert list(base64.b64decode(made["data"])) == list(range(12))


def test_the_same_input_gives_the_same_bytes(profile: Path, site: Path, tmp_path: Path) -> None:
    again = write(profile, tmp_path / "again")
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (site, again)
    )
    assert first == second


def test_pictures_are_those_of_test_and_of_their_twins_without_loss(profile: Path, site: Path) -> None:
    samples = pd.read_csv(profile / "data" / "cache" / "samples.csv")
    images = np.load(profile / "data" / "cache" / "images.npy")
    pictures = {
        path.stem: np.asarray(Image.open(path).convert("L")) for path in (site / "page" / "images").iterdir()
    }
    test = samples[samples["split"] == "test"]["id"].tolist()
    twins = samples[samples["split"] == "train"]["id"].tolist()[:8]  # rows 8 and 9 are neighbours alone
    names = {name.removeprefix("brisc2025_").removesuffix("_t1"): name for name in test + twins}
    assert pictures.keys() == names.keys()
    rows = samples.reset_index().set_index("id")["index"]
    for short, name in names.items():
        np.testing.assert_array_equal(pictures[short], images[rows[name]])


def test_each_model_carries_what_its_heads_predict(site: Path) -> None:
    columns = {
        model["name"]: (model["heads"], "dice" in model["cases"], "probabilities" in model["cases"])
        for model in core_of(site)["models"]
    }
    assert columns == {
        "unet": (["mask"], True, False),
        "attention_unet": (["mask"], True, False),
        "mobilenetv2": (["label"], False, True),
        "densenet121": (["label"], False, True),
        "joint": (["mask", "label"], True, True),
    }
    scripts = {path.stem for path in (site / "page" / "data").iterdir()}
    assert scripts == {
        "core",
        "truth",
        "copies",
        "masks-unet",
        "masks-attention_unet",
        "masks-joint",
        "cam-mobilenetv2",
        "cam-densenet121",
        "cam-joint",
    }


def test_neighbours_are_no_copies(site: Path) -> None:
    pairs = content(site / "page" / "data" / "copies.js")["pairs"]
    assert pairs["case"] == list(range(8))
    assert pairs["mirrored"] == [0, 1] * 4
    assert "neighbour" not in pairs["relation"]


def test_other_runs_have_curves_alone(profile: Path, site: Path) -> None:
    history = pd.read_csv(profile / "reports" / "history.csv")
    others = core_of(site)["others"]
    assert [(run["name"], run["kind"], run["like"]) for run in others] == [
        ("unet-43", "seed", "unet"),
        ("unet-fewer", "pruned", "unet"),
        ("unet-bare", "recipe", "unet"),
    ]
    for run in others:
        dice = history[history["run"] == run["name"]]["validation_dice"]
        assert run["history"]["validation_dice"] == dice.tolist()
        assert "cases" not in run


@pytest.mark.parametrize(
    ("count", "most", "positions"),
    [(0, 3, []), (2, 3, [0, 1]), (3, 3, [0, 1, 2]), (5, 3, [0, 2, 4]), (10, 4, [0, 3, 6, 9])],
)
def test_a_sheet_goes_through_its_pairs_in_even_steps(count: int, most: int, positions: list[int]) -> None:
    assert even_steps(count, most) == positions


@pytest.mark.parametrize(("mirrored", "black"), [(1, True), (0, False)])
def test_a_mirrored_twin_is_turned_back(profile: Path, mirrored: int, black: bool) -> None:
    slices = Slices(profile / "data" / "cache")
    names = ("brisc2025_test_00002_me_ax_t1", "brisc2025_train_00002_me_ax_t1")  # one mirrors the other
    pair = {"test_id": names[0], "train_id": names[1], "mirrored": mirrored, "aligned": 0.99}
    tile = pair_tile(pair, slices)
    test, twin, apart = (tile[CAPTION : CAPTION + CELL, i * CELL : (i + 1) * CELL] for i in range(3))
    assert test.any()
    assert np.array_equal(test, twin) == black
    assert (not apart.any()) == black


def test_a_sheet_for_each_relation(site: Path) -> None:
    pairs = {"mirrored": 4, "neighbour": 2, "reencoded": 4}
    assert {path.name for path in (site / "copies").iterdir()} == {
        "index.html",
        *(f"{name}.png" for name in pairs),
    }
    for name, count in pairs.items():
        with Image.open(site / "copies" / f"{name}.png") as sheet:
            assert sheet.size == (3 * (3 * CELL + GAP), -(-count // 3) * (CAPTION + CELL + GAP))


def test_a_fine_cam_is_made_coarser(profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    path = copied / "runs" / "eval" / "mobilenetv2" / "cam.npz"
    count = len(np.load(path)["rows"])
    np.savez(path, rows=np.full((count, 64, 64), 77, np.uint8))
    made = content(write(copied, tmp_path / "site") / "page" / "data" / "cam-mobilenetv2.js")
    assert (made["height"], made["width"]) == (32, 32)
    assert set(base64.b64decode(made["data"])) == {77}


def test_without_the_optional_results(profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    for name in ("comparisons.json", "grid.json", "grid_history.csv", "audit.json"):
        (copied / "reports" / name).unlink()
    core = core_of(write(copied, tmp_path / "site"))
    assert (core["comparisons"], core["grid"], core["audit"]) == (None, None, None)
    assert len(core["models"]) == 5


def test_a_test_image_without_a_prediction_is_told(profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    path = copied / "runs" / "eval" / "unet" / "per_image.csv"
    pd.read_csv(path).iloc[1:].to_csv(path, index=False)
    with pytest.raises(
        InputError,
        match=r"without a prediction: got 1 missing, first brisc2025_test_00001_gl_ax_t1, expected all 24",
    ):
        write(copied, tmp_path / "site")
    assert not (tmp_path / "site").exists() or not list((tmp_path / "site").iterdir())


def test_a_copy_of_an_unknown_image_is_told(profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    path = copied / "data" / "copies.csv"
    path.write_text(
        path.read_text().replace("brisc2025_train_00001_gl_ax_t1", "brisc2025_train_99999_gl_ax_t1")
    )
    with pytest.raises(InputError, match="brisc2025_train_99999_gl_ax_t1"):
        write(copied, tmp_path / "site")


def test_a_name_that_leads_elsewhere_is_refused(profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    for file in ("metrics.json", "runs.json"):
        path = copied / "reports" / file
        path.write_text(path.read_text().replace('"unet":', '"../unet":'))
    with pytest.raises(InputError, match=re.escape("'../unet'")):
        write(copied, tmp_path / "site")


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    index = (site / "index.html").read_text()
    assert (
        "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:;" in index
    )
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", index)
    for path in [site / "index.html", site / "copies" / "index.html", *(site / "page").glob("*.*")]:
        addresses = set(re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}[^\"' ]*", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name
