"""Files in parts: what is laid out again has the bytes that it had, and what is damaged is told."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from brisc.errors import InputError
from pipeline import bundle


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Images, masks, a text, bits that no compressor makes smaller, nothing, and an array of another kind."""
    random, folder = np.random.default_rng(0), tmp_path / "source"
    (folder / "cache").mkdir(parents=True)
    smooth = np.add.outer(np.arange(40), np.arange(30)).astype(np.uint8)
    np.save(folder / "cache" / "images.npy", smooth + random.integers(0, 2, (5, 40, 30), dtype=np.uint8))
    np.save(folder / "cache" / "masks.npy", (random.random((5, 40, 30)) > 0.5).astype(np.uint8))
    np.save(folder / "numbers.npy", np.arange(9.0))
    (folder / "table.csv").write_text("id,label\n" * 500)
    (folder / "weights.pt").write_bytes(random.bytes(9000))
    (folder / "empty").touch()
    return folder


def write(source: Path, out: Path, part: int | None = 2500) -> bundle.Bundle:
    files = [
        (path.relative_to(source).as_posix(), path) for path in sorted(source.rglob("*")) if path.is_file()
    ]
    bundle.write(out, "list.json", files, {"of": "a test"}, part)
    return bundle.read(out, "list.json")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_what_is_laid_out_again_has_its_bytes(source: Path, tmp_path: Path) -> None:
    packed = write(source, tmp_path / "out")
    assert {file.path: file.codec for file in packed.files} == {
        "cache/images.npy": "webp",
        "cache/masks.npy": "bits",
        "empty": "plain",
        "numbers.npy": "zlib",
        "table.csv": "zlib",
        "weights.pt": "plain",
    }
    assert packed.about == {"of": "a test"}
    bundle.lay_out(packed, tmp_path / "laid")
    assert contents(tmp_path / "laid") == contents(source)


def test_no_part_is_larger_than_asked_for(source: Path, tmp_path: Path) -> None:
    packed = write(source, tmp_path / "out")
    sizes = [(tmp_path / "out" / part["name"]).stat().st_size for part in packed.parts]
    assert sizes[:-1] == [2500] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= 2500
    assert sum(sizes) == sum(file.packed for file in packed.files)
    assert len(write(source, tmp_path / "one", part=None).parts) == 1


def test_what_is_there_already_stays_and_what_is_damaged_there_comes_anew(
    source: Path, tmp_path: Path
) -> None:
    packed, laid = write(source, tmp_path / "out"), tmp_path / "laid"
    bundle.lay_out(packed, laid)
    before = (laid / "weights.pt").stat().st_ino
    (laid / "table.csv").write_text("id,label\n")
    bundle.lay_out(packed, laid)
    assert (laid / "weights.pt").stat().st_ino == before
    assert contents(laid) == contents(source)


def test_written_anew_no_part_of_before_is_left(source: Path, tmp_path: Path) -> None:
    write(source, tmp_path / "out")
    (source / "table.csv").write_text("other")
    packed = write(source, tmp_path / "out", part=4000)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["list.json", *(part["name"] for part in packed.parts)]
    )


def test_a_part_that_is_damaged_or_missing_is_named(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    name = write(source, out).parts[1]["name"]
    data = bytearray((out / name).read_bytes())
    data[100] ^= 1
    (out / name).write_bytes(data)
    with pytest.raises(InputError, match=f"{name}: a part is damaged"):
        bundle.read(out, "list.json")
    (out / name).unlink()
    with pytest.raises(InputError, match=f"{name}: a part is missing"):
        bundle.read(out, "list.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "files": [], "parts": []}'])
def test_a_list_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(InputError, match=r"list\.json"):
        bundle.read(tmp_path, "list.json")


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside"])
def test_no_file_is_laid_outside_the_folder(source: Path, tmp_path: Path, path: str) -> None:
    write(source, tmp_path / "out")
    listed = tmp_path / "out" / "list.json"
    content = json.loads(listed.read_text())
    content["files"][0]["path"] = path
    listed.write_text(json.dumps(content))
    with pytest.raises(InputError, match="would lie elsewhere"):
        bundle.read(tmp_path / "out", "list.json")


def test_a_file_that_is_not_what_the_list_says_is_told(source: Path, tmp_path: Path) -> None:
    write(source, tmp_path / "out")
    listed = tmp_path / "out" / "list.json"
    content = json.loads(listed.read_text())
    content["files"][-1]["md5"] = hashlib.md5(b"another").hexdigest()
    listed.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"weights\.pt: a file differs"):
        bundle.lay_out(bundle.read(tmp_path / "out", "list.json"), tmp_path / "laid")
    assert not (tmp_path / "laid" / "weights.pt").exists()


def test_sizes_are_read(tmp_path: Path) -> None:
    assert [bundle.size_of(word, "PART") for word in ("", "700", "500K", "40M", "1g")] == [
        None,
        700,
        500_000,
        40_000_000,
        10**9,
    ]
    for word in ("M", "0", "4.5M", "-1", "40MB"):
        with pytest.raises(InputError, match="RESULT_PART: not a size"):
            bundle.size_of(word, "RESULT_PART")
