"""What a killed DVC left in its lock file of paths and in its run-cache.

DVC drops the entries of processes that are gone, but takes a zombie for a living one: a process that was
killed, and that nobody has waited for. Killed together with its parent, DVC is such a one until the first
process of the machine takes notice, which takes a while on a busy one and for ever in a container whose first
process does not do it. Until then every run would be refused.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from dvc.exceptions import DvcException
from dvc.fs import localfs
from dvc.lock import make_lock
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, _edit_rwlock


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def release_dead(folder: Path) -> None:
    """Drop the entries of dead processes from the lock file in `folder`, DVC's .dvc/tmp, under DVC's own
    guard of that file.

    A file that DVC would refuse, or whose guard somebody holds, is left to DVC, which says so in its own
    words. One that is not whole is removed: DVC writes it in place, so a kill at that moment leaves it torn,
    and whoever writes it now holds the guard.
    """
    if not (folder / RWLOCK_FILE).is_file():
        return
    try:
        with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder), hardlink_lock=False):
            if not _is_json(folder / RWLOCK_FILE):
                (folder / RWLOCK_FILE).unlink()
                return
        with _edit_rwlock(str(folder), localfs, hardlink=False) as lock:
            lock["read"] = _living_readers(lock["read"])
            lock["write"] = {path: holder for path, holder in lock["write"].items() if lives(holder["pid"])}
    except DvcException:
        return


def in_use(folder: Path) -> bool:
    """Whether a living process reads or writes something under DVC's locks in `folder`."""
    release_dead(folder)
    try:
        lock = json.loads((folder / RWLOCK_FILE).read_text())
        return bool(lock.get("read") or lock.get("write"))
    except FileNotFoundError:
        return False
    except json.JSONDecodeError:
        return True  # being written


def drop_empty(runs: Path) -> None:
    """Drop the folders without an entry from DVC's run-cache: killed while it makes one it leaves such a
    folder, on which every later look-up of that stage fails."""
    for folder in runs.glob("*/*"):
        with suppress(OSError):  # not empty
            folder.rmdir()


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _living_readers(read: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    living = {path: [holder for holder in holders if lives(holder["pid"])] for path, holders in read.items()}
    return {path: holders for path, holders in living.items() if holders}
