"""The plan of a profile: the settings of each stage and run, and digests of the code that decides a run.

Profiles are read here, and by `estimate` alone besides: every later stage depends on its own plan, so that
an edit of a profile or of a source file repeats what it changes and nothing besides. A digest is over the
syntax tree without docstrings, and comments are not in it: wording never trains anything again.
"""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from brisc.atomic import atomic, write_json
from brisc.config import Run, load, profile_path, resolve, resolve_grid, run_names
from brisc.errors import InputError

# They cannot change a result: a plan has the settings as they were resolved, the others name, write and show.
EXEMPT = frozenset(f"src/brisc/{name}.py" for name in ("atomic", "config", "errors", "progress"))


def write_plans(profile: str, runs: Sequence[str], out: Path, *, grid_run: str, grid: Path) -> None:
    """Write into the folder `out` train/<run>.json and evaluate/<run>.json of the runs of these names,
    <stage>.json of the stages that read the profile besides, and to the file `grid` what all cells of the
    grid of `grid_run` share.
    """
    data, prepare, evaluate = (load(profile, block) for block in ("data", "prepare", "evaluate"))
    stages = {
        "fetch": {"data": asdict(data), "phantom": asdict(load(profile, "phantom"))},
        "validate": {"data": asdict(data)},
        "audit": {
            "audit": asdict(load(profile, "audit")),
            "validation_fraction": prepare.validation_fraction,
            "seed": prepare.seed,
        },
        "prepare": {"prepare": asdict(prepare)},
        "analyse": {
            "source": data.source,
            "prepare": asdict(prepare),
            "evaluate": asdict(evaluate),
            "runs": len(run_names(profile)),
        },
        "vote": {"runs": run_names(profile), "evaluate": asdict(evaluate)},
    }
    with atomic(out) as folder:
        for stage, content in stages.items():
            write_json(folder / f"{stage}.json", content)
        for name in runs:
            found = resolve(profile, name)
            architecture = _architecture(found.run, f"runs.{name}", profile_path(profile))
            write_json(folder / "train" / f"{name}.json", training_plan(found.run, architecture))
            write_json(
                folder / "evaluate" / f"{name}.json",
                {
                    "name": name,
                    "kind": found.kind,
                    "like": found.like,
                    "changes": found.changes,
                    "judge": found.judge,
                    "evaluate": asdict(evaluate),
                    "code": digests("stages/evaluate.py", architecture),
                },
            )
    cell = resolve_grid(profile, grid_run)
    write_json(grid, training_plan(cell, _architecture(cell, "grid", profile_path(profile))))


def training_plan(run: Run, architecture: str) -> dict[str, Any]:
    """The content of train/<run>.json, see brisc.config.TrainingPlan."""
    return {"run": asdict(run), "code": digests("stages/train.py", architecture)}


def digests(*files: str) -> dict[str, str]:
    """{file: digest of its syntax tree} of these files and of all of this repository that they import."""
    return {path.as_posix(): digest(path) for path in imports(*files) if path.as_posix() not in EXEMPT}


def imports(*files: str) -> list[Path]:
    """These files and all of this repository that they import, sorted; paths from the repository's root."""
    found: set[Path] = set()
    waiting = [Path(file) for file in files]
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def digest(path: Path) -> str:
    """Of the syntax tree without docstrings: the same after an edit of comments, docstrings or layout."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, False):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:32]


def _architecture(run: Run, setting: str, profile: Path) -> str:
    """The file that `brisc.models.build` imports by its name. Raises InputError where there is none."""
    path = Path(f"src/brisc/models/{run.model.get('arch')}.py")
    if not path.is_file():
        known = sorted(
            file.stem for file in path.parent.glob("[a-z]*.py") if file.stem not in ("__init__", "blocks")
        )
        raise InputError(
            f"unknown architecture in {setting}.model.arch",
            where=profile,
            got=repr(run.model.get("arch")),
            expected=f"one of {', '.join(known)}",
            mend="Correct the profile, or add the file to src/brisc/models.",
        )
    return path.as_posix()


def _imported(path: Path) -> list[Path]:
    """`from a import b` may mean a/b.py as well as a name in a.py; a script may import its neighbour."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    modules = [path.parent / name for name in names if "." not in name and path.parts[0] == "stages"]
    modules += [Path("src", *name.split(".")) for name in names if name.split(".")[0] == "brisc"]
    files = [file for module in modules for file in (module.with_suffix(".py"), module / "__init__.py")]
    # Importing a module runs its packages first.
    above = {parent / "__init__.py" for module in modules for parent in module.parents}
    return [*files, *(file for file in sorted(above) if file.is_file() and file.stat().st_size > 0)]
