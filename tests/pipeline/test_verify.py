"""make verify: a changed byte is found, named and moved out of the way."""

import errno
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from started import start

from pipeline import verify as driver


def store(cache: Path, content: bytes, suffix: str = "") -> tuple[str, Path]:
    digest = hashlib.md5(content).hexdigest()
    path = cache / "files" / "md5" / digest[:2] / f"{digest[2:]}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest, path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository whose dvc.lock has a file and a folder as outputs."""
    cache = tmp_path / "cache"
    single, _ = store(cache, b"raw")
    inside, _ = store(cache, b"weights")
    listed, _ = store(cache, json.dumps([{"md5": inside, "relpath": "weights.pt"}]).encode(), ".dir")
    outs = [f"{{path: data/raw.zip, md5: {single}}}", f"{{path: runs/unet, md5: {listed}.dir}}"]
    (tmp_path / "dvc.lock").write_text(f"stages:\n  train:\n    outs: [{', '.join(outs)}]\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n")
    return tmp_path


def verify(place: Path) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.verify")


def object_of(place: Path, content: bytes, suffix: str = "") -> Path:
    digest = hashlib.md5(content).hexdigest()
    return place / "cache" / "files" / "md5" / digest[:2] / f"{digest[2:]}{suffix}"


def test_a_whole_cache_passes(place: Path) -> None:
    (object_of(place, b"raw").parent / "half.tmp").write_text("left by a killed run")
    done = verify(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 objects, 0 MiB")


@pytest.mark.parametrize(
    ("content", "owner"), [(b"raw", "data/raw.zip"), (b"weights", "runs/unet/weights.pt")]
)
def test_a_flipped_bit_is_found_and_its_output_named(place: Path, content: bytes, owner: str) -> None:
    path = object_of(place, content)
    path.write_bytes(bytes([content[0] ^ 1, *content[1:]]))
    done = verify(place)
    assert done.returncode == 1
    assert f"damaged: {path}: {owner}" in done.stderr
    assert "1 of 3 objects" in done.stderr
    assert not path.exists()
    assert len(list((place / ".scratch" / "damaged").iterdir())) == 1
    assert verify(place).returncode == 0


def test_a_damaged_list_of_a_folder_is_found(place: Path) -> None:
    path = next((place / "cache").rglob("*.dir"))
    path.write_bytes(path.read_bytes()[:-1])
    done = verify(place)
    assert done.returncode == 1
    assert f"damaged: {path}: runs/unet" in done.stderr


def test_a_damaged_object_on_another_disk_is_moved_as_well(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rename(old: Path, new: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(old))

    path = object_of(place, b"raw")
    path.write_bytes(b"rax")
    monkeypatch.chdir(place)
    monkeypatch.setattr(driver, "cache_of", lambda place: place / "cache")
    monkeypatch.setattr(os, "rename", rename)
    assert driver.main() == 1
    assert "1 of 3 objects" in capsys.readouterr().err
    assert not path.exists()
    (moved,) = (place / ".scratch" / "damaged").iterdir()
    assert moved.read_bytes() == b"rax"
