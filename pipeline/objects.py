"""DVC's stores, its cache and kept/: each object is a file named by the MD5 of its content, a folder a list
of such names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path


def place(store: Path, digest: str) -> Path:
    return store / "files" / "md5" / digest[:2] / digest[2:]


def objects(store: Path) -> Iterator[tuple[str, Path]]:
    """(MD5 that its name gives, file) of every object; a temporary file that a killed run left is none."""
    for path in sorted((store / "files" / "md5").glob("??/*")):
        if re.fullmatch(r"[0-9a-f]{30}(\.dir)?", path.name):
            yield path.parent.name + path.stem, path


def unnamed(store: Path, digests: set[str]) -> list[Path]:
    """Every file among the objects that is none of `digests`, nor of what the folders among these list."""
    named = {place(store, digest) for digest in digests}
    for path in sorted(path for path in named if path.suffix == ".dir" and path.is_file()):
        named |= {place(store, entry["md5"]) for entry in json.loads(path.read_bytes())}
    return [path for path in sorted((store / "files" / "md5").glob("??/*")) if path not in named]


def remove(path: Path) -> None:
    """The file, and its folder if nothing is left in it."""
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
