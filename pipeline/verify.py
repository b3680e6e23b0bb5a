"""make verify: the content of every object in DVC's cache is what its name says.

    python -m pipeline.verify

DVC names an object by the MD5 of its content and, having stored it, does not look again: a bit that flips on
the disk, or a write through a hard link, comes back with the next `dvc checkout`. Damaged objects are named
with the outputs they belong to and moved to .scratch/damaged, after which `make repro` makes them again. Exit
code 1 if there are any.
"""

import json
import shutil
import sys
from pathlib import Path

from brisc.config import read_yaml
from pipeline import command
from pipeline.dvc import cache_of
from pipeline.objects import md5, objects, path_of

DAMAGED = Path(".scratch/damaged")


def owners(cache: Path, lock: Path) -> dict[str, str]:
    """{MD5: output of dvc.lock} of files, of folders' lists, and of what whole lists name."""
    found = {}
    stages = read_yaml(lock)["stages"] if lock.is_file() else {}
    for out in (out for stage in stages.values() for out in stage.get("outs", []) if "md5" in out):
        digest = out["md5"].removesuffix(".dir")
        found[digest] = out["path"]
        listed = path_of(cache, out["md5"])
        if listed.suffix == ".dir" and listed.is_file() and md5(listed) == digest:
            for entry in json.loads(listed.read_bytes()):
                found[entry["md5"]] = f"{out['path']}/{entry['relpath']}"
    return found


def main() -> int:
    cache = cache_of(Path.cwd())
    count = size = 0
    damaged = []
    for digest, path in objects(cache):
        count, size = count + 1, size + path.stat().st_size
        if md5(path) != digest:
            damaged.append((digest, path))
    if not damaged:
        print(f"{count} objects, {size / 2**20:.0f} MiB in {cache}: all are what their names say")
        return 0
    owned = owners(cache, Path("dvc.lock"))
    DAMAGED.mkdir(parents=True, exist_ok=True)
    for digest, path in damaged:
        print(f"damaged: {path}: {owned.get(digest, 'of no output in dvc.lock')}", file=sys.stderr)
        # A move, since the cache may be on another disk.
        shutil.move(path, DAMAGED / path.relative_to(cache).as_posix().replace("/", "-"))
    print(
        f"error: {len(damaged)} of {count} objects were damaged; they are in {DAMAGED} now. Run make repro.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    command.run(main)
