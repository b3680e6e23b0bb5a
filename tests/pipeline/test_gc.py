"""make gc: what a dvc.lock of any profile, commit or experiment names stays; it removes nothing unasked."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from started import start

from pipeline.git import git


class Place:
    """A repository whose cache is filled by hand, as DVC would."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache = root, root / ".dvc" / "cache"
        self.cache.mkdir(parents=True)
        (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        (root / ".gitignore").write_text("/.dvc/\n/.scratch/\n")
        git(root, "init", "--quiet")
        for key in ("user.name", "user.email"):
            git(root, "config", key, "someone@example.org")

    def store(self, content: str, suffix: str = "") -> str:
        digest = hashlib.md5(content.encode()).hexdigest() + suffix
        path = self.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return digest

    def path(self, digest: str) -> Path:
        return self.cache / "files" / "md5" / digest[:2] / digest[2:]

    def store_folder(self, *contents: str) -> str:
        entries = [{"md5": self.store(content), "relpath": content} for content in contents]
        return self.store(json.dumps(entries), ".dir")

    def lock(self, **outs: str) -> None:
        """dvc.lock as it is when these stages have these outputs."""
        text = "schema: '2.0'\nstages:\n"
        for stage, digest in outs.items():
            text += f"  {stage}@demo:\n    cmd: run\n    outs:\n    - path: {stage}\n      md5: {digest}\n"
        (self.root / "dvc.lock").write_text(text)

    def commit(self) -> str:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", "one")
        return git(self.root, "rev-parse", "HEAD")

    def remember(self, name: str, digest: str) -> Path:
        """An entry of the run-cache."""
        entry = self.cache / "runs" / "ab" / ("ab" * 32) / hashlib.sha256(name.encode()).hexdigest()
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(f"cmd: run\nouts:\n- path: {name}\n  md5: {digest}\n")
        return entry

    def objects(self) -> set[str]:
        return {path.parent.name + path.name for path in (self.cache / "files").rglob("*") if path.is_file()}

    def gc(self, *words: str) -> subprocess.CompletedProcess[str]:
        return start(self.root, "pipeline.gc", *words)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_any_commit_or_experiment_names_stays_and_all_else_goes(place: Place) -> None:
    wanted = [place.store_folder("first a", "first b"), place.store("of the first commit")]
    place.lock(train=wanted[0], other=wanted[1])
    first = place.commit()

    wanted.append(place.store("of a side branch that was merged and overruled"))
    place.lock(train=wanted[2])
    side = place.commit()
    git(place.root, "reset", "--quiet", "--hard", first)
    merged = git(place.root, "commit-tree", f"{first}^{{tree}}", "-p", first, "-p", side, "-m", "merge")
    git(place.root, "reset", "--quiet", "--hard", merged)

    wanted.append(place.store("of an experiment"))
    place.lock(train=wanted[3])
    git(place.root, "update-ref", "refs/exps/ab/cd/name", place.commit())
    git(place.root, "reset", "--quiet", "--hard", merged)
    git(place.root, "reflog", "expire", "--expire=now", "--all")

    wanted.append(place.store("of a commit that was reset away, as the reflog knows"))
    place.lock(train=wanted[4])
    place.commit()
    git(place.root, "reset", "--quiet", "--hard", merged)

    wanted.append(place.store("of dvc add"))
    (place.root / "notes.txt.dvc").write_text(f"outs:\n- md5: {wanted[5]}\n  path: notes.txt\n")

    wanted.append(place.store("of the work tree"))
    place.lock(train=wanted[6])
    useful = place.remember("data/raw.zip", wanted[1])

    stale = place.store_folder("first a", "stale b")
    entry, broken = place.remember("runs/unet", stale), place.remember("broken", "")
    broken.write_text("")
    (place.path(stale).parent / "half.tmp").write_text("left by a killed run")
    before = place.objects()

    asked = place.gc()
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "runs/unet: 1 version that no dvc.lock names" in asked.stdout
    assert (
        "3 files, 0.0 MiB, and 2 entries of the run-cache can go; make gc GO=1 removes them" in asked.stdout
    )
    assert place.objects() == before
    assert entry.exists()

    done = place.gc("--remove")
    assert (done.returncode, done.stderr) == (0, "")
    assert place.objects() == {*wanted, *(hashlib.md5(f"first {name}".encode()).hexdigest() for name in "ab")}
    assert [path.exists() for path in (useful, entry, broken)] == [True, False, False]
    assert "removed 0 files" in place.gc("--remove").stdout


def test_nothing_goes_while_dvc_is_at_work(place: Place) -> None:
    place.lock()
    place.store("stale")
    (place.root / ".dvc" / "tmp").mkdir()
    lock = {"read": {}, "write": {"/runs": {"pid": os.getpid(), "cmd": "dvc repro"}}}
    (place.root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(lock))
    done = place.gc("--remove")
    assert done.returncode == 1
    assert done.stderr.startswith("error: make gc: the cache is in use")
    assert len(done.stderr.splitlines()) == len(place.objects()) == 1
