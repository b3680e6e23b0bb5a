"""Whatever it is given: one line for each file that is refused, and the others are judged."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.data import get_testdata_file
from test_command import brisc
from test_pictures import half_bright, run

from brisc.inference import sources
from brisc.inference.images import to_grey
from brisc.inference.model import Model
from tests.inference.conftest import write_model
from tests.inference.dicoms import write_series


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(half_bright()).save(path, format="PNG")
    return path


def slices(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 1000, (count, 40, 44)).astype(np.uint16)


def test_a_file_of_a_folder_that_cannot_be_opened_does_not_stop_the_others(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "in" / name)
    looked_at = sources.kind_of

    def kind_of(path: Path) -> sources.Kind | None:
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied", str(path))
        return looked_at(path)

    monkeypatch.setattr(sources, "kind_of", kind_of)
    done, rows = run(model, [tmp_path / "in"], tmp_path / "out")
    assert [Path(row["file"]).name for row in rows] == ["a.png", "c.png"]
    assert ["b.png" in str(problem) for problem in done.problems] == [True]


def test_a_file_that_vanishes_and_a_name_too_long_do_not_stop_the_others(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, long, good = (picture(tmp_path / name) for name in ("gone.png", "l" * 250 + ".png", "z.png"))
    collect = sources.collect

    def then_remove(inputs: list[Path], out: Path) -> object:
        found = collect(inputs, out)
        gone.unlink()
        return found

    monkeypatch.setattr("brisc.inference.predict.collect", then_remove)
    done, rows = run(model, [gone, long, good], tmp_path / "out")
    assert [row["file"] for row in rows] == [str(good)]
    assert len(done.problems) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "predictions.csv",
        "z_mask.png",
        "z_overlay.png",
    ]


def test_a_number_that_keeps_names_apart_meets_no_other_name(model: Model, tmp_path: Path) -> None:
    inputs = [picture(tmp_path / name) for name in ("x/a.png", "y/a.png", "z/a_2.png", "z/A.png")]
    _, rows = run(model, inputs, tmp_path / "out")
    assert len(rows) == len(list((tmp_path / "out").glob("*_mask.png"))) == 4
    assert (tmp_path / "out/a_2_mask.png").is_file()


def test_links_pipes_and_names_that_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "models" / "laptop" / "joint")
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    Path("link.png").symlink_to("a.png")
    Path("nowhere.png").symlink_to("missing.png")
    os.mkfifo("pipe.png")
    odd = os.fsdecode(b"odd\xff.png")
    picture(Path(odd))
    words = ("link.png", "nowhere.png", "pipe.png", odd)
    assert brisc(monkeypatch, "predict", *words, "--out", os.fsdecode(b"out\xff")) == 1
    said = capsys.readouterr()
    assert said.err.count("refused: ") == 2
    assert "2 judged" in said.out
    table = Path(os.fsdecode(b"out\xff")) / "predictions.csv"
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == [
        "file",
        "link.png",
        "odd\\udcff.png",
    ]


def test_what_a_folder_leads_to_is_judged_or_told(model: Model, tmp_path: Path) -> None:
    top = tmp_path / "top"
    picture(top / "a.png")
    picture(tmp_path / "other" / "b.png")
    (top / "linked").symlink_to(tmp_path / "other")
    (top / "gone.nii.gz").symlink_to("missing.nii.gz")
    (top / "notes.txt").write_text("x")
    run(model, [top / "a.png"], top / "found")  # whose outputs are no inputs
    done, rows = run(model, [top], tmp_path / "out")
    assert [row["file"] for row in rows] == [str(top / "a.png")]
    told = sorted(str(problem) for problem in done.problems)
    assert ["gone.nii.gz" in told[0], "linked" in told[1], len(told)] == [True, True, 2]
    assert sorted(path.name for path in done.passed_over) == [
        "a_mask.png",
        "a_overlay.png",
        "notes.txt",
        "predictions.csv",
    ]


def test_the_table_names_the_mask(model: Model, tmp_path: Path) -> None:
    inputs = [picture(tmp_path / name) for name in ("x/a.png", "y/a.png")]
    _, rows = run(model, inputs, tmp_path / "out")
    named = [row["mask"] for row in rows]
    assert len(set(named)) == 2
    assert all((tmp_path / "out" / name).is_file() for name in named)


def test_a_service_that_ends_it_gets_what_was_done(tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "laptop" / "joint")
    for number in range(400):
        picture(tmp_path / "in" / f"{number:03}.png")
    command = "import sys; from brisc.inference.command import main; sys.exit(main())"
    words = ["--models", "models", "predict", "in", "--out", "out"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words], cwd=tmp_path, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out" / "002_overlay.png").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.terminate()
        said = process.communicate()[1].decode()
    assert (process.returncode, "interrupted" in said) == (1, True)
    assert (tmp_path / "out" / "predictions.csv").is_file()
    assert not list((tmp_path / "out").glob(".*"))


def test_onnxruntime_tells_nobody(tmp_path: Path) -> None:
    """Its telemetry leaves a number of the device in the home folder, and queues what it would send."""
    write_model(tmp_path / "models" / "laptop" / "joint")
    picture(tmp_path / "a.png")
    (tmp_path / "home").mkdir()
    command = "import sys; from brisc.inference.command import main; sys.exit(main())"
    words = ["--models", "models", "predict", "a.png", "--out", "out"]
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", command, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path for path in (tmp_path / "home").rglob("*") if "Microsoft" in str(path)] == []


def test_libraries_do_not_talk_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "models" / "laptop" / "joint")
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    assert brisc(monkeypatch, "predict", "a.png", "--out", "out") == 0
    capsys.readouterr()
    logging.getLogger("nibabel").critical("pixdim should be positive")
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("slope", ["nan", "1e39"])
def test_grey_values_that_are_no_numbers_are_none(model: Model, tmp_path: Path, slope: str) -> None:
    write_series(tmp_path / "in", slices(), RescaleSlope=slope, RescaleIntercept=0, RescaleType="US")
    done, rows = run(model, [tmp_path / "in"], tmp_path / "out")
    assert rows == []
    assert ["blank" in str(problem) for problem in done.problems] == [True]


def test_a_picture_that_is_nearly_all_black_has_finite_grey_values() -> None:
    values = np.zeros((64, 64), np.float32)
    values[3, 4] = 9
    assert to_grey(values)[3, 4] == 255
    assert to_grey(values).sum() == 255


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"\x08\x00\x90\x00PN", b"\x08\x00\x90\x00FN", "DICOM-SEG"),
        (b"\x02\x00\x00\x00UL\x04\x00", b"\x02\x00\x00\x00UL\x05\x00", "cannot be read"),
        (b"\x20\x00\x0e\x00UI", b"\x20\x00\x0e\x00UA", "cannot be read"),
    ],
    ids=["an unknown type", "a length that does not fit", "a series of an unknown type"],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_damaged_header_is_refused(
    model: Model, tmp_path: Path, old: bytes, new: bytes, told: str, named: bool
) -> None:
    data = Path(str(get_testdata_file("MR_small.dcm", download=False))).read_bytes()
    assert data.count(old) == 1
    path = tmp_path / "in" / "a.dcm"
    path.parent.mkdir()
    path.write_bytes(data.replace(old, new))
    done, rows = run(model, [path if named else path.parent], tmp_path / "out")
    assert rows == []
    assert [told in str(problem) for problem in done.problems] == [True], done.problems
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["transparent", "tiff"])
def test_other_formats_and_hidden_transparency_are_refused(model: Model, tmp_path: Path, kind: str) -> None:
    image = Pillow.fromarray(half_bright())
    if kind == "tiff":
        image.save(tmp_path / "a.png", format="TIFF")
    else:
        image.save(tmp_path / "a.png", transparency=20)  # one grey value means "nothing here"
    done, rows = run(model, [tmp_path / "a.png"], tmp_path / "out")
    assert rows == []
    told = "cannot be decoded" if kind == "tiff" else "transparent"
    assert [told in str(problem) for problem in done.problems] == [True]


def test_damaged_pixels_of_any_encoding_do_not_end_the_program(tmp_path: Path) -> None:
    """In a process of its own, since a decoder that fails may take pytest with it."""
    write_model(tmp_path / "models" / "laptop" / "joint")
    rng, count = np.random.default_rng(0), 0
    for kind in ("jp2klossless", "jpeg_ls_lossless", "RLE"):
        whole = Path(str(get_testdata_file(f"MR_small_{kind}.dcm", download=False))).read_bytes()
        start = whole.index(b"\xe0\x7f\x10\x00") + 30
        for _ in range(8):
            data = bytearray(whole)
            for place in rng.integers(start, len(data) - 12, 20):
                data[place] = rng.integers(256)
            count += 1  # in folders of their own: in one they would be one series
            (tmp_path / "in" / str(count)).mkdir(parents=True)
            (tmp_path / "in" / str(count) / "a.dcm").write_bytes(data)
    command = "import sys; from brisc.inference.command import main; sys.exit(main())"
    words = ["--models", "models", "predict", "in", "--out", "out"]
    done = subprocess.run(
        [sys.executable, "-c", command, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    judged = len((tmp_path / "out/predictions.csv").read_text().splitlines()) - 1
    said = [line for line in done.stderr.splitlines() if not line.startswith(("Research", "warning: "))]
    assert judged + len(said) == count
    assert all(line.startswith("refused: in/") for line in said)
