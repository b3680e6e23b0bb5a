"""Locks that a killed DVC left behind, when nobody has waited for it yet."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dvc.exceptions import DvcException
from dvc.fs import localfs
from dvc.lock import make_lock
from dvc.rwlock import rwlock

from pipeline.locks import drop_empty, release_dead


@pytest.fixture
def zombie() -> Iterator[int]:
    """A process that has ended and that its parent has not waited for."""
    process = subprocess.Popen(["true"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    yield process.pid
    process.wait()


@pytest.fixture
def gone() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def holder(pid: int) -> dict[str, object]:
    return {"pid": pid, "cmd": "dvc repro"}


def take(folder: Path) -> None:
    """What DVC does before it writes /data/raw.zip."""
    with rwlock(str(folder), localfs, "dvc repro again", read=[], write=["/data/raw.zip"], hardlink=False):
        pass


def test_a_zombie_s_lock_stops_dvc_until_it_is_released(tmp_path: Path, zombie: int) -> None:
    (tmp_path / "rwlock").write_text(json.dumps({"read": {}, "write": {"/data/raw.zip": holder(zombie)}}))
    with pytest.raises(DvcException, match="is busy"):
        take(tmp_path)
    release_dead(tmp_path)
    take(tmp_path)


def test_only_the_dead_are_released(tmp_path: Path, zombie: int, gone: int) -> None:
    here = holder(os.getppid())
    read = {"/a": [holder(zombie), here], "/b": [holder(gone)]}
    (tmp_path / "rwlock").write_text(json.dumps({"read": read, "write": {"/c": holder(zombie), "/d": here}}))
    release_dead(tmp_path)
    assert json.loads((tmp_path / "rwlock").read_text()) == {"read": {"/a": [here]}, "write": {"/d": here}}


@pytest.mark.parametrize("content", ["", "{", '{"read": {}, "wri', "\0\0\0"])
def test_a_torn_file_stops_dvc_until_it_is_removed(tmp_path: Path, content: str) -> None:
    """DVC writes it in place: killed at that moment it leaves no more than a part."""
    (tmp_path / "rwlock").write_text(content)
    with pytest.raises(DvcException, match="corrupted"):
        take(tmp_path)
    release_dead(tmp_path)
    take(tmp_path)


def test_a_file_of_another_form_is_left_to_dvc(tmp_path: Path) -> None:
    (tmp_path / "rwlock").write_text('{"write": 3}')
    release_dead(tmp_path)
    assert (tmp_path / "rwlock").read_text() == '{"write": 3}'


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rwlock").write_text("")
    with make_lock(str(tmp_path / "rwlock.lock"), tmp_dir=str(tmp_path), hardlink_lock=False):
        release_dead(tmp_path)
    assert (tmp_path / "rwlock").read_text() == ""


def test_without_a_lock_file_there_is_nothing_to_do(tmp_path: Path) -> None:
    release_dead(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folders_of_the_run_cache_without_an_entry_are_dropped(tmp_path: Path) -> None:
    """Killed while it stores one, DVC leaves the folder, and every later look-up of that stage fails."""
    for folder in ("ab/abc", "ab/abd"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ab/abd/entry").write_text("cmd: a\n")
    drop_empty(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "ab",
        "ab/abd",
        "ab/abd/entry",
    ]
