"""Files are absent or whole."""

import os
from pathlib import Path

import pytest

from brisc.atomic import atomic, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(TypeError), atomic(path) as temporary:
        temporary.write_text("half")
        temporary.write_text(1)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_an_older_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "stale").touch()
    with atomic(path) as temporary:
        temporary.mkdir()
        (temporary / "fresh").touch()
    assert [child.name for child in path.iterdir()] == ["fresh"]
    assert list(tmp_path.iterdir()) == [path]


def test_missing_parents_are_made(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b.json", {"x": 1})
    assert (tmp_path / "a" / "b.json").read_text() == '{\n  "x": 1\n}\n'


def test_nan_is_refused_rather_than_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "b.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", ["", "weights.pt"])
def test_the_disk_has_the_content_before_the_file_has_its_name(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut can leave an empty file of the right name."""
    path = tmp_path / "result"
    synced, fsync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (synced.append((os.fstat(file).st_ino, path.exists())), fsync(file))
    )
    with atomic(path) as temporary:
        (temporary / inside).parent.mkdir(exist_ok=True)
        (temporary / inside).write_text("content")
    assert ((path / inside).stat().st_ino, False) in synced
    assert (tmp_path.stat().st_ino, True) in synced  # the name itself


def test_a_file_system_that_syncs_no_folders_is_good_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int) -> None:
        if Path(f"/dev/fd/{file}").is_dir():
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    write_json(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").read_text() == "{}\n"
