"""The packages that code needs beside torch, read off its imports, for a machine that has others."""

import ast
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TORCH = ("torch", "torchvision")  # which a machine with a GPU has, made for it
OURS = {"brisc", "command"}
FOR_TERMINALS = {"rich"}  # a progress bar


def packages(files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """{name: {"version", "module", "imported", "needs"}} of what these files import, which is `imported`, and
    of what that needs, without torch and what torch needs."""
    modules = {name.split(".")[0] for path in files for name in _imports(path)}
    modules -= {*sys.stdlib_module_names, *OURS, *FOR_TERMINALS, *TORCH}
    owners = {module: str(canonicalize_name(names[0])) for module, names in packages_distributions().items()}
    imported = {owners[module]: module for module in sorted(modules) if module in owners}
    brought = {name for torch in TORCH for name in _closure([torch], _needs)} - imported.keys()

    def needs(name: str) -> list[str]:
        return [each for each in _needs(name) if each not in brought]

    return {
        name: {
            "version": distribution(name).version,
            "module": imported.get(name) or _module(name, owners),
            "imported": name in imported,
            "needs": needs(name),
        }
        for name in sorted(_closure(imported, needs))
    }


def _module(name: str, owners: dict[str, str]) -> str:
    """What a distribution is imported by."""
    found = [module for module, owner in owners.items() if owner == name and not module.startswith("_")]
    return min(found, default=name.replace("-", "_"))


def _imports(path: Path) -> set[str]:
    """With what import_module takes by a constant of the file."""
    names, constants, asked = set[str](), dict[str, str](), set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                names.add(module)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                constants[name] = text
            case ast.Call(func=ast.Name(id="import_module"), args=[ast.Name(id=name)]):
                asked.add(name)
    return names | {constants[name] for name in asked if name in constants}


def _closure(names: Iterable[str], needs: Callable[[str], list[str]]) -> set[str]:
    """These distributions and what they need."""
    found, waiting = set[str](), list(names)
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += needs(name)
    return found


def _needs(name: str) -> list[str]:
    """What the distribution asks for on this machine, extras left out."""
    asked = [Requirement(line) for line in distribution(name).requires or []]
    here = (each for each in asked if not each.marker or each.marker.evaluate({"extra": ""}))
    return sorted({str(canonicalize_name(each.name)) for each in here})
