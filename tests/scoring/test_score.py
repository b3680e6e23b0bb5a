"""brisc score: on four lists and six images by hand."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brisc.config import load
from brisc.data.lists import LISTS, read_list, write_lists
from brisc.errors import InputError
from brisc.inference import command
from brisc.progress import silent
from brisc.scoring import score

GLIOMA, MENINGIOMA, PITUITARY, HEALTHY = (
    f"brisc2025_test_0000{k}_{code}_ax_t1" for k, code in enumerate(("gl", "me", "pi", "no"), start=1)
)
SIDE = 16
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("BRISC_ARCHIVE", "unset"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with lists, and a data set whose true masks are the left half; the glioma has a copy
    in train and the meningioma a neighbour."""
    ids = [GLIOMA, MENINGIOMA, PITUITARY, HEALTHY]
    groups = pd.DataFrame({"id": [*ids, "brisc2025_train_00001_gl_ax_t1"], "group": [0, 1, 2, 3, 0]})
    clean = pd.DataFrame({"id": ids[1:]})
    strict = pd.DataFrame({"id": ids[2:]})
    write_lists(tmp_path / LISTS, {"groups": groups, "clean": clean, "strict": strict})
    lines = ["relative_path,split,tumor_label,plane_label,width,height,file_size_bytes,sha256"]
    for name in ids[:3]:
        path = tmp_path / "data" / score.TRUTH / f"{name}.png"
        save(path, bar(SIDE // 2))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        size = path.stat().st_size
        lines.append(f"{score.TRUTH}{name}.png,test,glioma,axial,{SIDE},{SIDE},{size},{digest}")
    manifest = "\r\n".join(lines).encode()
    (tmp_path / "data" / "manifest.csv").write_bytes(manifest)
    monkeypatch.setattr(score, "PUBLISHED", hashlib.sha256(manifest).hexdigest())
    monkeypatch.setattr(command, "HERE", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bar(width: int, *, side: int = SIDE, value: int = 255) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    mask[:, :width] = value
    return mask


def save(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def given(place: Path) -> Path:
    """The glioma whole, as brisc predict names it; of the meningioma half, at half its size; the pituitary
    not seen; a pixel of the healthy one."""
    save(place / "mine" / f"{GLIOMA}_mask.png", bar(8))
    save(place / "mine" / "deeper" / f"{MENINGIOMA}.png", bar(2, side=SIDE // 2))
    save(place / "mine" / f"{PITUITARY}.png", bar(0))
    healthy = bar(0)
    healthy[3, 3] = 255
    save(place / "mine" / f"{HEALTHY}.png", healthy)
    save(place / "mine" / f"{GLIOMA}_overlay.png", bar(3))
    return place / "mine"


def judge(place: Path, folder: Path) -> pd.DataFrame:
    return score.judge_masks(folder, place / "data", score.read_images(place), track=silent)


def test_settings_are_those_of_the_profiles() -> None:
    for profile in ("laptop", "paper"):
        assert load(profile, "data").manifest_sha256 == score.PUBLISHED
        evaluate = load(profile, "evaluate")
        assert (evaluate.bootstrap_resamples, evaluate.bootstrap_seed) == (score.RESAMPLES, score.SEED)


def test_masks_are_scored_by_subset(place: Path) -> None:
    """Dice 1, 2/3 (half of the truth, nothing beside it) and 0."""
    judged = judge(place, given(place))
    assert judged["dice"].tolist() == pytest.approx([1, 2 / 3, 0, 0])
    assert judged["predicted_pixels"].tolist() == [128, 64, 0, 1]
    assert judged["resized"].tolist() == [0, 1, 0, 0]
    scores = score.score_masks(judged)
    assert [scores[name]["n_pairs"] for name in ("official", "clean", "strict")] == [3, 2, 1]
    assert [of["dice_native"] for of in scores.values()] == pytest.approx([5 / 9, 1 / 3, 0])
    assert [of["iou_native"] for of in scores.values()] == pytest.approx([1.5 / 3, 0.25, 0])
    assert scores["official"]["by_class"] == pytest.approx({"glioma": 1, "meningioma": 2 / 3, "pituitary": 0})
    assert scores["official"]["false_alarms"]["images"] == scores["strict"]["false_alarms"]["n"] == 1
    assert scores["official"]["dice_native_low"] == 0  # three times the same group
    assert scores["strict"]["dice_native_low"] is None


def test_masks_may_all_be_of_0_and_1(place: Path) -> None:
    scores = judge(place, given(place))["dice"].tolist()
    for path in (place / "mine").rglob("*.png"):
        save(path, np.asarray(Image.open(path)) // 255)
    assert judge(place, place / "mine")["dice"].tolist() == scores


def test_healthy_images_need_no_mask(place: Path) -> None:
    (given(place) / f"{HEALTHY}.png").unlink()
    scores = score.score_masks(judge(place, place / "mine"))
    assert "false_alarms" not in scores["official"]
    assert scores["official"]["n_pairs"] == 3


def test_labels_are_scored_by_subset(place: Path) -> None:
    """A glioma taken for a meningioma: F1 0, 2/3, 1 and 1 on official, where clean is without a fault."""
    lines = [f"{GLIOMA}.jpg, meningioma", f"x/{MENINGIOMA}.jpg,meningioma", f"y\\{PITUITARY} ,pituitary"]
    (place / "mine.csv").write_text("\n".join(["file,predicted", *lines, f"{HEALTHY},no_tumor"]))
    scores = score.score_labels(score.judge_labels(place / "mine.csv", score.read_images(place)))
    assert [of["accuracy"] for of in scores.values()] == [0.75, 1, 1]
    assert scores["official"]["f1_macro"] == pytest.approx((0 + 2 / 3 + 1 + 1) / 4)
    assert scores["clean"]["f1_macro"] == 1


def remove(place: Path) -> None:
    (place / "mine" / f"{PITUITARY}.png").unlink()


def twice(place: Path) -> None:
    save(place / "mine" / f"{PITUITARY}_mask.png", bar(0))


def of_classes(place: Path) -> None:
    save(place / "mine" / f"{PITUITARY}.png", bar(4, value=3))


def of_probabilities(place: Path) -> None:
    Image.fromarray(np.full((SIDE, SIDE), 0.9, np.float32)).save(place / "mine" / f"{PITUITARY}.tif")
    (place / "mine" / f"{PITUITARY}.png").unlink()


def picture(place: Path) -> None:
    save(place / "mine" / f"{PITUITARY}.png", np.arange(SIDE**2, dtype=np.uint8).reshape(SIDE, SIDE))


def crop(place: Path) -> None:
    save(place / "mine" / f"{PITUITARY}.png", bar(3)[:10])


def one_healthy_of_two(place: Path) -> None:
    groups = read_list("groups", place / LISTS)
    groups.loc[len(groups)] = [HEALTHY.replace("00004", "00005"), 9]
    lists = {name: read_list(name, place / LISTS) for name in ("clean", "strict")}
    write_lists(place / LISTS, {"groups": groups, **lists})


def other_version(place: Path) -> None:
    with (place / "data" / "manifest.csv").open("a") as file:
        file.write("\n")


def broken(place: Path) -> None:
    (place / "mine" / f"{PITUITARY}.png").write_bytes(b"\x89PNG\r\n\x1a\n")


def other_truth(place: Path) -> None:
    save(place / "data" / score.TRUTH / f"{PITUITARY}.png", bar(9))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (remove, rf"mine: masks missing: got 1 of 4 test images have none \({PITUITARY}\)"),
        (twice, rf"mine: two masks of one image: got {PITUITARY}"),
        (
            of_classes,
            rf"{PITUITARY}\.png: no mask: got values up to 3, expected 0 and 255, or in all masks 0 and 1",
        ),
        (of_probabilities, rf"{PITUITARY}\.tif: no mask: got an image of mode F"),
        (picture, rf"{PITUITARY}\.png: no mask: got 91% of the pixels neither dark nor bright"),
        (crop, rf"{PITUITARY}\.png: a mask of another shape: got 16 x 10 px, expected 16 x 16 px"),
        (one_healthy_of_two, "mine: masks missing: got 1 of 5 test images have none"),
        (other_version, r"manifest\.csv: another version of the data set"),
        (broken, rf"{PITUITARY}\.png: no mask"),
        (other_truth, rf"{PITUITARY}\.png: (a file differs|file too large)"),
    ],
)
def test_masks_that_cannot_be_scored_are_told(place: Path, spoil, told: str) -> None:  # type: ignore[no-untyped-def]
    given(place)
    spoil(place)
    with pytest.raises(InputError, match=told):
        judge(place, place / "mine")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,predicted\n", "rows missing: got 4 of 4 test images have none"),
        (f"id,predicted\n{GLIOMA},glioma\n{GLIOMA},glioma\n", "two rows of one image"),
        (f"id,label\n{GLIOMA},glioma\n", "missing columns: got id, label, no predicted"),
        (
            "".join(
                [f"{name},astro\n" for name in ("id,predicted\nx", GLIOMA, MENINGIOMA, PITUITARY, HEALTHY)]
            ),
            "astro",
        ),
        (
            f"id,predicted\n{GLIOMA},\n{MENINGIOMA},None\n{PITUITARY},NA\n{HEALTHY},no_tumor\n",
            "got an empty cell, NA, None",
        ),
        ("", "no table"),
    ],
)
def test_labels_that_cannot_be_scored_are_told(place: Path, text: str, told: str) -> None:
    (place / "mine.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        score.judge_labels(place / "mine.csv", score.read_images(place))


def test_the_command_prints_a_table_and_writes_files(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(place)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["brisc", "score", *words])
        return command.main()

    assert run("mine") == 1
    assert "--data" in capsys.readouterr().err
    assert run("mine", "--data", "data", "--out", "out") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "| %, 95 % interval | official | clean | strict |"
    assert said[2] == "| images | 3 | 2 | 1 |"
    assert json.loads(Path("out/scores.json").read_text())["clean"]["n_pairs"] == 2
    assert len(pd.read_csv("out/per_image.csv")) == 4


@pytest.mark.skipif(
    not (DATA / score.TRUTH).is_dir(), reason="BRISC_ARCHIVE names no folder with the data set"
)
def test_the_publishers_masks_are_without_fault(tmp_path: Path) -> None:
    shutil.copytree(DATA / score.TRUTH, tmp_path / "mine")
    judged = score.judge_masks(tmp_path / "mine", DATA, score.read_images(ROOT), track=silent)
    scores = score.score_masks(judged)
    assert [of["n_pairs"] for of in scores.values()] == [860, 289, 134]
    assert all(of["dice_native"] == of["dice_native_low"] == 1 for of in scores.values())
