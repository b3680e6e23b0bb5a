"""A stage as a parcel: its command, the files that it declares, the code that it names, and its outputs.

Laid into an empty folder and run there, a stage sees nothing else and gives the same bytes: that is what lets
stages run beside each other, on another machine, or where there is neither git nor DVC.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from dvc.dependency.param import ParamsDependency
from dvc.stage import PipelineStage

from brisc.atomic import atomic, write_text
from brisc.errors import InputError
from brisc.plan import EXEMPT, digest
from pipeline.objects import files_of

# What every stage may import undeclared: code that cannot change a result, and what starts a stage.
COMMON = (*sorted(EXEMPT), "src/brisc/__init__.py", "src/brisc/devices.py", "stages/command.py")


@dataclass(frozen=True)
class Parcel:
    """One stage of dvc.yaml. All paths are relative to the repository's root.

    inputs: files and folders that it declares, source files among them. code: source files besides, which its
    plan names. settings: by file, the keys that it declares, of params.yaml for instance.
    """

    stage: str
    command: str
    inputs: tuple[str, ...]
    code: tuple[str, ...]
    settings: dict[str, dict[str, Any]]
    outputs: tuple[str, ...]


def parcel_of(stage: PipelineStage) -> Parcel:
    """Of a stage whose inputs are at hand. Raises InputError for code that was edited since it was planned,
    whose result would pass for that of the plan."""
    root = Path(stage.repo.root_dir)
    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    inputs = sorted(_relative(root, (dep.fs_path for dep in stage.deps if dep not in params)))
    settings = {
        file: dep.read_params(flatten=False)
        for dep in params
        for file in _relative(root, [dep.fs_path])
        if file not in inputs
    }
    outputs = sorted(_relative(root, (out.fs_path for out in stage.outs)))
    planned = dict(_planned(root, inputs))
    for name, expected in planned.items():
        path = root / name
        found = _digest(path, path.stat().st_mtime_ns) if path.is_file() else expected
        if found != expected:
            raise InputError(
                f"code of {stage.addressing} was edited since it was planned",
                where=path,
                got=found,
                expected=expected,
                mend="Run the same command again.",
            )
    code = sorted({*COMMON, *planned} - set(inputs))
    return Parcel(stage.name, stage.cmd, tuple(inputs), tuple(code), settings, tuple(outputs))


def lay(parcel: Parcel, root: Path, folder: Path, put: Callable[[str, str], Any] = shutil.copyfile) -> None:
    """Put everything that the stage may see into the empty `folder`. put(source, target): how a file gets
    there; os.link and os.symlink take no space.

    Raises InputError for an input that is missing in `root`.
    """
    for name in (*parcel.inputs, *parcel.code):
        if not (root / name).exists():
            raise InputError(
                f"an input of {parcel.stage} is missing",
                where=root / name,
                got="no file",
                expected="an earlier stage's output",
                mend="Run dvc repro.",
            )
        for source in _files(root / name):
            target = folder / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                put(str(source), str(target))
    for name, content in parcel.settings.items():
        write_text(folder / name, yaml.safe_dump(content, sort_keys=True))


def copy(source: Path, target: Path) -> None:
    with atomic(target) as temporary:
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, temporary)


def move(source: Path, target: Path) -> None:
    """At once and never under another name, where both are on one disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError:
        copy(source, target)


def bring_back(parcel: Parcel, folder: Path, root: Path) -> None:
    """Move the stage's outputs from `folder` to their places in `root`, each whole or not at all.

    Raises InputError, before anything is put there, for an output that is missing.
    """
    for name in parcel.outputs:
        if not (folder / name).exists():
            raise InputError(
                f"an output of {parcel.stage} is missing",
                where=folder / name,
                got="no file",
                expected="what the stage writes",
                mend="Read the stage's log.",
            )
    for name in parcel.outputs:
        move(folder / name, root / name)


def is_plan(path: str) -> bool:
    """Whether that is the plan of a stage, or of a run of it."""
    return path.endswith("/plan.json") or ("/plan/" in path and path.endswith(".json"))


def _planned(root: Path, inputs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The source files that the plans among a stage's inputs name, and their digests."""
    for name in inputs:
        if is_plan(name):
            yield from json.loads((root / name).read_text(encoding="utf-8")).get("code", {}).items()


@cache
def _digest(path: Path, changed: int) -> str:
    return digest(path)


def _relative(root: Path, paths: Iterable[str]) -> list[str]:
    return [Path(path).relative_to(root.resolve()).as_posix() for path in paths]


def _files(path: Path) -> list[Path]:
    """The file, or all files in the folder and the packages' `__init__.py` above it; nothing compiled."""
    above = [parent / "__init__.py" for parent in path.parents if (parent / "__init__.py").is_file()]
    return [*above, *(file for file in files_of(path) if "__pycache__" not in file.parts)]
