"""What drivers are started in: git's hooks, users without a name or a home, folders with accents, copies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from started import ROOT, start

from brisc.errors import InputError, InputErrors
from pipeline import command
from pipeline.git import git
from pipeline.queue import Queue

STAGES = """
stages:
  site:
    matrix: {profile: ["${profile}"]}
    cmd: echo of ${item.profile} > site-${item.profile}
    outs: ["site-${item.profile}"]
"""


def repository(place: Path) -> Path:
    """One commit with this tree's drivers and a pipeline of one stage."""
    for folder in ("pipeline", "src/brisc"):
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "params.yaml", ".gitignore", ".dvcignore"):
        shutil.copyfile(ROOT / name, place / name)
    (place / "dvc.yaml").write_text(STAGES)
    (place / ".dvc").mkdir()
    (place / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (place / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n/site\n")
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "one")
    return place


# --- git's hooks


def test_a_hook_s_variables_do_not_lead_to_its_repository(tmp_path: Path) -> None:
    """Tests that a hook started wrote their commits into its repository."""
    hooked = repository(tmp_path / "hooked")
    variables = {
        "GIT_DIR": str(hooked / ".git"),
        "GIT_INDEX_FILE": str(hooked / "index"),
        "GIT_PREFIX": "src/",
    }
    before = git(hooked, "for-each-ref"), (hooked / ".git" / "config").read_text()
    done = start(ROOT, "pytest", "-q", "tests/pipeline/test_driver.py", "-k", "ref_with_another", **variables)
    assert done.returncode == 0, done.stdout
    assert before == (git(hooked, "for-each-ref"), (hooked / ".git" / "config").read_text())
    assert not (hooked / "index").exists()


# --- users


def test_a_user_without_name_and_home_gets_both() -> None:
    names = ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME")
    code = """
import os
os.getuid = lambda: 4242424
import pipeline, getpass, pathlib
print(getpass.getuser(), pathlib.Path.home())
"""
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("4242424 /\n", "")


PROBLEM = InputError("bad", where="a.yaml", got=1, expected=2, mend="Correct it.")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PROBLEM, "error: a.yaml: bad: got 1, expected 2. Correct it."),
        (
            InputErrors([PROBLEM, PROBLEM]),
            "\n".join(["error: a.yaml: bad: got 1, expected 2. Correct it."] * 2),
        ),
        (
            subprocess.CalledProcessError(3, ["git", "log"], stderr="fatal"),
            "error: git log ended with 3\nfatal",
        ),
        (
            PermissionError(13, "Permission denied", ".scratch/queue.lock"),
            "error: .scratch/queue.lock: Permission",
        ),
        (OSError(28, "No space left on device"), "error: disk: No space left on device."),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_a_user_can_mend_is_told_without_a_traceback(
    error: BaseException, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def main() -> int:
        raise error

    monkeypatch.setattr(sys, "argv", ["driver"])
    with pytest.raises(SystemExit) as caught:
        command.run(main)
    assert str(caught.value.code).startswith(told)


# --- folders


@pytest.mark.parametrize("name", ["dös", "a b"])
def test_experiments_run_in_any_folder(name: str, tmp_path: Path) -> None:
    root = repository(tmp_path / name)
    queue = Queue(root, git(root, "rev-parse", "HEAD"), "demo")
    queue.reset()
    done = start(queue.place, "pipeline.dvc", "exp", "run", "--temp", "--name", "first", "site@demo")
    assert done.returncode == 0, done.stderr
    queue.collect()
    assert list(git(root, "for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps").split()) == ["first"]
    assert len(list((root / ".dvc" / "cache" / "files" / "md5").glob("*/*"))) == 1  # what the stage wrote


def make(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """make, in a repository whose .venv came with it from a folder that is no more."""
    programs = place / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "dvc").write_text("#!/no/more/.venv/bin/python\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml", ".venv/installed"):
        (place / name).touch()
    paths = os.environ["PATH"].split(os.pathsep)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
        "PATH": os.pathsep.join(path for path in paths if path != str(Path(sys.executable).parent)),
    }
    return subprocess.run(
        ["make", *words], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def test_drivers_run_the_code_beside_them_in_the_environment_of_another_tree(tmp_path: Path) -> None:
    place = repository(tmp_path / "copy")
    (place / "src" / "brisc" / "__init__.py").write_text("raise SystemExit('edited')\n")
    assert "edited" in start(place, "pipeline.verify").stderr


def test_a_copied_repository_runs_its_own_code(tmp_path: Path) -> None:
    place = repository(tmp_path / "copy")
    (place / "src" / "brisc" / "__init__.py").write_text("raise SystemExit('edited')\n")
    for target in ("repro", "site", "print", "verify", "keep", "gc", "grid"):
        shutil.rmtree(place / ".venv", ignore_errors=True)
        assert "edited" in make(place, target).stderr, target


@pytest.mark.parametrize(
    "line", ["profile: demo2", '"profile": "demo2"', "\ufeffprofile: demo2 # the second"]
)
@pytest.mark.parametrize(("target", "told"), [("site", "site/demo2/"), ("repro", "reports/demo2/report.md")])
def test_a_moved_repository_runs_whatever_the_profile_s_name_and_how_it_is_written(
    target: str, told: str, line: str, tmp_path: Path
) -> None:
    place = repository(tmp_path / "moved")
    params = (place / "params.yaml").read_text().splitlines()
    (place / "params.yaml").write_text("\n".join([line, *params[1:], ""]), encoding="utf-8")
    done = make(place, target, "WORKERS=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout.splitlines()[-1]
    assert (place / "site-demo2").read_text() == "of demo2\n"


def test_a_params_file_that_cannot_be_read_ends_make(tmp_path: Path) -> None:
    place = repository(tmp_path / "place")
    (place / "params.yaml").write_text("profile: [\n")
    done = make(place, "site")
    assert done.returncode == 2
    assert done.stderr.startswith("error: params.yaml: not readable as YAML")
