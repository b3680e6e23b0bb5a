"""Imports run one way, and light stages stay light."""

import ast
from pathlib import Path

import pytest

from brisc.plan import imports

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "brisc"
FILES = sorted(PACKAGE.rglob("*.py"))
BASE = {"atomic", "config", "errors", "progress", "vocabulary"}
# By room what it may import; the files beside the rooms import each other alone.
MAY_IMPORT = {
    "data": BASE | {"data"},
    "models": {"errors", "label_head", "models", "pretrained"},
    "training": BASE | {"data", "training"},
    # memory.py counts what a training would hold
    "evaluation": BASE | {"data", "models", "training", "evaluation"},
    "analysis": BASE | {"evaluation", "analysis"},
    "export": BASE | {"data", "evaluation", "export", "inference", "training"},
    # the console script has brisc score as well
    "inference": BASE | {"data", "inference", "scoring"},
    "report": BASE | {"analysis", "report"},
    "scoring": BASE | {"data", "evaluation", "report", "scoring"},
    "page": BASE | {"analysis", "page"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    area = path.relative_to(PACKAGE).parts[0]
    allowed = MAY_IMPORT.get(area, BASE)
    own = {name.split(".")[1] for name in imported(path) if name.startswith("brisc.")}
    assert own <= allowed


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path != PACKAGE / "inference/command.py"],  # the console script
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_no_file_knows_dvc_or_the_command_line(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"dvc", "argparse"}
    nodes = list(ast.walk(ast.parse(path.read_text())))
    assert "argv" not in {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert "print" not in {node.id for node in nodes if isinstance(node, ast.Name)}


@pytest.mark.parametrize("room", ["analysis", "report", "page", "inference"])
def test_stages_that_train_nothing_load_no_torch(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither themselves nor by what they import: torch takes seconds to load."""
    monkeypatch.chdir(ROOT)
    files = imports(*(path.relative_to(ROOT).as_posix() for path in (PACKAGE / room).rglob("*.py")))
    assert len(files) > 5
    heavy = {path.as_posix() for path in files if "torch" in {name.split(".")[0] for name in imported(path)}}
    assert heavy == set()


def test_models_share_blocks_only() -> None:
    for path in sorted((PACKAGE / "models").glob("*.py")):
        assert {name.split(".")[2] for name in imported(path) if name.startswith("brisc.models.")} <= {
            "blocks"
        }
