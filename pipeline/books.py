"""DVC's books, kept with DVC's own code: a stage whose outputs come from elsewhere is stored as if it had run
here, in the work tree, the cache, the run-cache and dvc.lock."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import dvc.stage.run
from dvc.dvcfile import LOCK_FILE, PROJECT_FILE
from dvc.exceptions import DvcException
from dvc.parsing.context import Context
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import rwlock
from dvc.stage import PipelineStage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import load_yaml, modify_yaml
from networkx import descendants

from brisc.atomic import atomic
from brisc.config import PARAMS, profile_path, read_yaml
from brisc.errors import InputError
from pipeline.locks import drop_empty, release_dead
from pipeline.words import kind


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
def opened(profile: str) -> Iterator[Repo]:
    """This repository, as DVC sees it with that profile in params.yaml, whichever is there.

    What DVC refuses within, an InputError tells.
    """
    read_yaml(profile_path(profile))  # or one line that there is none
    load = Context.load_from

    def with_profile(fs: Any, path: str, select_keys: list[str] | None = None) -> Context:
        context = load(fs, path, select_keys)
        if Path(path).name == PARAMS.name:
            context["profile"] = profile
        return context

    Context.load_from = with_profile
    try:
        with Repo(_wait_for_lock=True) as repo:
            release_dead(Path(repo.tmp_dir))
            yield repo
    except DvcException as error:
        raise InputError(
            "DVC cannot go on",
            where=profile_path(profile),
            got=" ".join(str(error).split()),
            expected="a tree that it can read, in which nobody else works",
            mend="Mend this, or wait for the other command.",
        ) from None
    finally:
        Context.load_from = load


def trainings(repo: Repo) -> list[PipelineStage]:
    """The stages that train or evaluate a run or a cell, in the order of `dvc repro`."""
    return [step for step in steps(repo) if kind(step.addressing) in ("train", "evaluate", "grid")]


def run_of(stage: PipelineStage) -> str:
    """unet of train@demo-unet and evaluate@demo-unet, grid/adam-0.001 of a cell: as the outputs are laid."""
    _, _, kind, name = PurePosixPath(stage.outs[0].def_path).parts
    return f"grid/{name}" if kind == "grid" else name


def steps(repo: Repo) -> list[PipelineStage]:
    """All stages, in the order in which `dvc repro` comes to them."""
    stages: list[PipelineStage] = plan_repro(
        get_active_graph(repo.index.graph), collect_stages(repo, [PROJECT_FILE])
    )
    return stages


def locked(repo: Repo) -> set[str]:
    """The stages that dvc.lock has."""
    path = Path(repo.root_dir) / LOCK_FILE
    return set(load_yaml(str(path)).get("stages", {})) if path.exists() else set()


def pending(repo: Repo, stages: list[PipelineStage]) -> list[PipelineStage]:
    """Those of `stages` that must run: changed, or after one that must. Data that are not at hand are no
    change, as with `dvc repro --allow-missing`.

    Raises InputError where a stage before all of them must run first.
    """
    graph, found = repo.index.graph, set[PipelineStage]()  # edges lead from a stage to what it depends on
    needed = set(stages).union(*(descendants(graph, stage) for stage in stages))
    for step in (step for step in steps(repo) if step in needed):
        with repo.lock:
            changed = step.changed(allow_missing=True)
        if changed or found & set(graph.successors(step)):
            found.add(step)
            if step not in stages:
                raise InputError(
                    "an earlier stage must run first",
                    where=step.addressing,
                    got="inputs that it did not run with",
                    expected="plan and data of today",
                    mend=f"Run dvc repro {step.addressing} under that profile.",
                )
    return [stage for stage in stages if stage in found]


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
