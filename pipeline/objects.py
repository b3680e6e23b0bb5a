"""DVC's stores, its cache and kept/: each object is a file named by the MD5 of its content, a folder a list
of such names."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def digest(path: Path) -> str:
    """Of a file or folder as DVC has it: the MD5 of its content, or of the list of its files, and `.dir`."""
    if path.is_file():
        return md5(path)
    names = sorted(file.relative_to(path).as_posix() for file in files_of(path))
    listed = [{"md5": md5(path / name), "relpath": name} for name in names]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


def files_of(path: Path) -> list[Path]:
    """The file, or all files in the folder."""
    return [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.is_file()]


def path_of(store: Path, digest: str) -> Path:
    return store / "files" / "md5" / digest[:2] / digest[2:]


def objects(store: Path) -> Iterator[tuple[str, Path]]:
    """(MD5 that its name gives, file) of every object; a temporary file that a killed run left is none."""
    for path in sorted((store / "files" / "md5").glob("??/*")):
        if re.fullmatch(r"[0-9a-f]{30}(\.dir)?", path.name):
            yield path.parent.name + path.stem, path


def unnamed(store: Path, digests: set[str]) -> list[Path]:
    """Every file among the objects that is none of `digests`, nor of what the folders among these list."""
    named = {path_of(store, digest) for digest in digests}
    for path in sorted(path for path in named if path.suffix == ".dir" and path.is_file()):
        named |= {path_of(store, entry["md5"]) for entry in json.loads(path.read_bytes())}
    return [path for path in sorted((store / "files" / "md5").glob("??/*")) if path not in named]


def remove(path: Path) -> None:
    """The file, and its folder if nothing is left in it."""
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
