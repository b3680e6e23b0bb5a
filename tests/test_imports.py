"""Imports run one way, and light stages stay light."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "brisc"
FILES = sorted(PACKAGE.rglob("*.py"))
BASE = {"errors", "atomic", "progress", "config", "sources", "vocabulary"}
MAY_IMPORT = {
    "data": BASE | {"data"},
    "models": {"errors", "models"},
    "training": BASE | {"data", "training"},
    # memory.py counts what a training would hold
    "evaluation": BASE | {"data", "evaluation", "models", "training"},
    "analysis": BASE | {"evaluation", "analysis", "report"},
    "report": BASE | {"analysis", "report"},
    "page": BASE | {"data", "analysis", "page"},
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_knows_dvc_or_the_command_line(path: Path) -> None:
    names = imported(path)
    assert not {name for name in names if name.split(".")[0] in {"dvc", "argparse"} or name == "sys.argv"}
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert "print" not in calls
    if path.relative_to(PACKAGE).parts[0] in ("report", "page"):
        assert not {name for name in names if name.split(".")[0] == "torch"}


def test_models_share_blocks_only() -> None:
    for path in sorted((PACKAGE / "models").glob("*.py")):
        assert {name.split(".")[2] for name in imported(path) if name.startswith("brisc.models.")} <= {
            "blocks"
        }
