"""The files beside sources: what git must not touch, and what neither git nor DVC may take notice of."""

import json
import shutil
from pathlib import Path

import pytest
from started import start

from pipeline.git import clean_head, git

ROOT = Path(__file__).parents[2]
# What editors, file managers and Python leave; Emacs makes a link that leads nowhere.
LITTER = [
    ".#unet.py -> me@host.1:1",
    "#unet.py#",
    "unet.py~",
    ".unet.py.swp",
    ".unet.py.swo",
    ".DS_Store",
    "._unet.py",
    "Icon\r",
    "Thumbs.db",
    ".ipynb_checkpoints/unet-checkpoint.py",
    "__pycache__/unet.cpython-311.pyc",
    ".nfs000000000001",
    ".idea/workspace.xml",
]


def leave(folder: Path) -> None:
    for name, _, target in (entry.partition(" -> ") for entry in LITTER):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(target) if target else path.write_text("x")


def commit(place: Path) -> None:
    git(place, "add", "--all")
    git(place, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "all")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with this one's rules, and one file of sources."""
    place = tmp_path / "place"
    (place / "src").mkdir(parents=True)
    for name in (".gitattributes", ".gitignore", ".dvcignore"):
        shutil.copyfile(ROOT / name, place / name)
    (place / "src" / "unet.py").write_text("x = 1\n")
    git(place, "init", "--quiet")
    return place


def test_a_clone_has_the_bytes_of_the_commit_whatever_git_is_told_of_line_ends(
    place: Path, tmp_path: Path
) -> None:
    contents = {
        "src/unet.py": b"x = 1\n",
        "kept/text": b"epoch,loss\n1,0.5\n",
        "kept/dos": b"id\r\n1\r\n",
        "kept/mixed": b"a\r\nb\n",
        "kept/bits": b"\x00\r\n\n\xff",
    }
    for name, content in contents.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
    git(place, "config", "core.autocrlf", "input")
    commit(place)
    git(tmp_path, "clone", "--quiet", "--config", "core.autocrlf=true", str(place), "clone")
    assert {name: (tmp_path / "clone" / name).read_bytes() for name in contents} == contents


def test_git_and_dvc_ignore_the_same_litter() -> None:
    git_s, dvc_s = (
        {line for line in (ROOT / name).read_text().splitlines() if not line.startswith(("#", "/"))}
        for name in (".gitignore", ".dvcignore")
    )
    assert git_s == dvc_s


def test_litter_is_no_change_of_the_commit(place: Path) -> None:
    commit(place)
    leave(place / "src")
    assert clean_head(place) == git(place, "rev-parse", "HEAD")


def test_litter_makes_no_stage_stale(place: Path) -> None:
    (place / "dvc.yaml").write_text("stages: {train: {cmd: touch out, deps: [src], outs: [out]}}\n")
    (place / ".dvc").mkdir()
    (place / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    assert start(place, "pipeline.dvc", "repro").returncode == 0
    leave(place / "src")
    assert json.loads(start(place, "pipeline.dvc", "status", "--json").stdout) == {}
    (place / "src" / "new.py").write_text("x")
    assert list(json.loads(start(place, "pipeline.dvc", "status", "--json").stdout)) == ["train"]
