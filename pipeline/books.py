"""DVC's books, kept with DVC's own code: a stage whose outputs come from elsewhere is stored as if it had run
here, in the work tree, the cache, the run-cache and dvc.lock."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dvc.stage.run
from dvc.dvcfile import LOCK_FILE
from dvc.repo import Repo, lock_repo
from dvc.rwlock import rwlock
from dvc.stage import PipelineStage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import modify_yaml

from brisc.atomic import atomic
from pipeline.locks import drop_empty


def reproduce(repo: Repo, stage: PipelineStage, command: Callable[[], None], **options: Any) -> bool:
    """What `dvc repro` does with this stage, with `command` in the place of its command; whether there was
    anything to do. dvc.lock is left to `write_lock`. options: of DVC's own function, such as force."""
    dvc.stage.run.cmd_run = lambda *_, **__: command()
    with lock_repo(repo):
        drop_empty(Path(repo.stage_cache.cache_dir))
        changed = stage.reproduce(**options) is not None
        if changed and any(out.use_cache and out.changed_cache() for out in stage.outs):
            raise OSError("not all of its result is in DVC's cache")
    return changed


@contextmanager
def held(repo: Repo) -> Iterator[None]:
    """Hold the whole tree under DVC's locks of paths, so that another DVC process is refused in its words."""
    lock = repo.config["core"].get("hardlink_lock", False)
    with rwlock(repo.tmp_dir, repo.fs, " ".join(sys.argv), [], [repo.root_dir], lock):
        yield


def write_lock(repo: Repo, stages: list[PipelineStage], order: list[str]) -> None:
    """Put the stages into dvc.lock, which is replaced as a whole; those named in `order` come last, in that
    order."""
    path = Path(repo.root_dir) / LOCK_FILE
    with atomic(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        with modify_yaml(str(temporary)) as content:
            content.setdefault("schema", "2.0")
            locked = content.setdefault("stages", {})
            for stage in stages:
                locked.update(to_lockfile(stage))
            for name in order:
                if name in locked:
                    locked[name] = locked.pop(name)
