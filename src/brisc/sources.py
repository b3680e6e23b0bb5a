"""Which source files decide the weights of a model: what its training imports, found by reading the import
statements.

A model's name need not be its architecture, so dvc.yaml cannot name the file; the `sources` stage writes
these lists instead, one a model, and a training depends on its own list alone.
"""

import ast
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent

# They cannot change a value: config has no defaults and the knobs are compared themselves; the others check,
# show and name. `models` finds an architecture's file by its name and hands the knobs on.
EXEMPT = {"atomic.py", "config.py", "errors.py", "progress.py", "sources.py", "models/__init__.py"}


def training_sources(arch: str) -> dict[str, str]:
    """{file below the package: its git blob} of every source file that training the net of
    brisc/models/<arch>.py imports."""
    found: set[Path] = set()
    waiting = [PACKAGE / "training" / "fit.py", PACKAGE / "models" / f"{arch}.py"]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        waiting += _imported(path)
    named = {path.relative_to(PACKAGE).as_posix(): path for path in found}
    return {name: git_blob(named[name]) for name in sorted(named.keys() - EXEMPT)}


def git_blob(path: Path) -> str:
    """The id git gives this file's content: `git log --all --find-object=<id>` names the commits that hold
    it."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def git_tree(folder: Path) -> str:
    """The id git gives this folder of Python files: what `git rev-parse REVISION:path/of/folder` prints."""
    entries = b"".join(
        b"100644 %s\0%s" % (path.name.encode(), bytes.fromhex(git_blob(path)))
        for path in sorted(folder.glob("*.py"))
    )
    return hashlib.sha1(b"tree %d\0" % len(entries) + entries, usedforsecurity=False).hexdigest()


def _imported(path: Path) -> list[Path]:
    """Files of this package that `path` names in its imports; `from a import b` may mean a/b.py as well as a
    name in a."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    inside = [name.split(".")[1:] for name in sorted(names) if name.startswith("brisc.")]
    return [
        file
        for parts in inside
        for file in (PACKAGE.joinpath(*parts).with_suffix(".py"), PACKAGE.joinpath(*parts, "__init__.py"))
    ]
