"""make gc: make room in DVC's cache, and keep what any profile, commit or experiment still names.

    python -m pipeline.gc [--remove]

`dvc gc` looks at nothing but the stages of the profile in each commit's params.yaml, and so deletes the
results of all others. This keeps every object that a dvc.lock names, that of the work tree and those of all
commits that a ref or the reflog leads to, and the entries of the run-cache whose results all stay. Without
--remove it says what it would remove.
"""

import re
from collections import Counter
from pathlib import Path

from dvc.lock import LockError
from dvc.repo import Repo

from brisc.config import read_yaml
from brisc.errors import InputError
from pipeline import command
from pipeline.dvc import cache_of
from pipeline.git import git
from pipeline.locks import in_use
from pipeline.objects import remove, unnamed
from pipeline.queue import alone

LOCK = "dvc.lock"
MD5 = re.compile(r"\bmd5: ([0-9a-f]{32}(?:\.dir)?)$", re.M)


def named(root: Path) -> set[str]:
    """Every MD5 in a dvc.lock, or a .dvc file of `dvc add`, of the work tree or of a commit that a ref or the
    reflog leads to."""
    which = ("--all", "--reflog", "--full-history", "-m")
    changes = git(root, "log", *which, "--format=", "--raw", "--no-abbrev", "--", LOCK, "*.dvc")
    blobs = {line.split()[3] for line in changes.splitlines() if line.startswith(":")}
    blobs.discard("0" * 40)  # of a commit that removes the file
    texts = [git(root, "cat-file", "blob", blob) for blob in sorted(blobs)]
    added = git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", LOCK, "*.dvc")
    texts += [
        path.read_text(encoding="utf-8") for name in added.split("\0") if (path := root / name).is_file()
    ]
    return {digest for text in texts for digest in MD5.findall(text)}


def outputs(entry: Path) -> dict[str, str]:
    """{path: MD5} that an entry of the run-cache restores; empty for one that a power cut broke."""
    try:
        return {out["path"]: out["md5"] for out in read_yaml(entry)["outs"]}
    except (InputError, TypeError, KeyError):
        return {}


def collect(root: Path, *, go: bool) -> str:
    """Say what no dvc.lock names, remove it if `go`, and sum up."""
    cache, digests = cache_of(root), named(root)
    objects = unnamed(cache, digests)
    entries = {path: outputs(path) for path in sorted((cache / "runs").glob("??/*/*"))}
    useless = [path for path, outs in entries.items() if not outs or not digests.issuperset(outs.values())]
    old = {(out, digest) for path in useless for out, digest in entries[path].items()}
    for out, count in sorted(Counter(out for out, digest in old if digest not in digests).items()):
        print(f"{out}: {count} version{'s' if count > 1 else ''} that no dvc.lock names")
    if not cache.resolve().is_relative_to(root.resolve()):
        print(f"{cache} is outside this repository: another one that shares it loses what only it names")
    size = sum(path.stat().st_size for path in objects)
    if go:
        for path in (*objects, *useless):
            remove(path)
    what = f"{len(objects)} files, {size / 2**20:.1f} MiB, and {len(useless)} entries of the run-cache"
    return f"removed {what}" if go else f"{what} can go; make gc GO=1 removes them"


def main(*words: str) -> int:
    root = Path.cwd()
    try:
        with Repo() as repo, repo.lock, alone(root) as only:
            if only and not in_use(root / ".dvc/tmp"):
                print(collect(root, go="--remove" in words))
                return 0
    except LockError:
        pass  # DVC is at work
    raise InputError(
        "the cache is in use",
        where="make gc",
        got="make repro, make grid or dvc at work",
        expected="nobody",
        mend="Wait for it or end it.",
    )


if __name__ == "__main__":
    command.run(main)
