"""make grid: refs are believed and nothing else; what fails is tried again; what is missing ends in exit code
1."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from brisc.config import Grid
from brisc.errors import InputError
from pipeline import grid as driver
from pipeline.git import clean_head, git
from pipeline.grid import Cells, drive, epoch, how_many
from pipeline.queue import Queue, alone
from pipeline.words import last_words, roughly

AXES = Grid(run="unet", optimizers=["adam", "sgd"], learning_rates=[1e-5, 1e-3])
CELLS = ["adam-1e-05", "adam-0.001", "sgd-1e-05", "sgd-0.001"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit."""
    place = tmp_path / "root"
    place.mkdir()
    git(place, "init", "--quiet")
    for key in ("user.name", "user.email"):
        git(place, "config", key, "someone@example.org")
    (place / "file").write_text("content")
    (place / ".gitignore").write_text("/.scratch/\n")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", "first")
    return place


def grid_of(root: Path) -> Cells:
    return Cells(root, git(root, "rev-parse", "HEAD"), "demo", AXES)


def commit_result(root: Path, name: str, rows: list[tuple[str, float]]) -> None:
    """An experiment's ref with these cells in its grid.json, as a stage would write them; the work tree stays
    as it is."""
    cells = [
        {"optimizer": optimizer, "learning_rate": rate, "score": 0.5, "epoch": 2} for optimizer, rate in rows
    ]
    content = json.dumps({"cells": cells})
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=root,
        input=content,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    index = {"GIT_INDEX_FILE": str(root / ".git" / "other-index")}
    subprocess.run(
        ["git", "update-index", "--add", "--cacheinfo", f"100644,{blob},reports/demo/grid.json"],
        cwd=root,
        env=index,
        check=True,
    )
    tree = subprocess.run(
        ["git", "write-tree"], cwd=root, env=index, capture_output=True, text=True, check=True
    ).stdout.strip()
    (root / ".git" / "other-index").unlink()
    head = git(root, "rev-parse", "HEAD")
    commit = git(root, "commit-tree", tree, "-p", head, "-m", "experiment")
    git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)


class FakeQueue(Queue):
    """A queue whose workers take one task each time they are looked at; `fails` says which end without a ref,
    and how often."""

    def __init__(self, root: Path, fails: dict[str, int], *, workers_die: int = 0) -> None:
        super().__init__(root, git(root, "rev-parse", "HEAD"), "demo")
        self.fails, self.workers_die = fails, workers_die
        self.rounds: list[list[str]] = []
        self.tasks: list[str] = []
        self.living = self.kept = 0

    def reset(self) -> None:
        self.tasks = []

    def discard(self) -> None:
        self.stop()

    def prepare(self, *stages: str) -> None:
        assert stages == ("prepare@demo", "plan@demo")

    def add(self, cells: Iterable[str]) -> None:
        self.tasks = list(cells)
        self.rounds.append(list(cells))

    def waiting(self) -> int:
        return len(self.tasks)

    def keep(self, workers: int) -> None:
        self.kept += workers - self.living
        self.living = workers

    def busy(self) -> bool:
        return self.living > 0 and bool(self.tasks)

    def stop(self) -> None:
        self.living = 0

    def collect(self) -> None:
        if not self.tasks:
            return
        if self.living and self.workers_die:
            self.living, self.workers_die = 0, self.workers_die - 1
            return
        cell = self.tasks.pop(0)
        if self.fails.get(cell, 0) > 0:
            self.fails[cell] -= 1
            return
        optimizer, rate = cell.split("-", 1)
        commit_result(self.root, f"grid-{cell}", [(optimizer, float(rate))])

    def logs(self) -> dict[str, str]:
        return {f"grid-{cell}": "Running stage 'grid@demo':\nerror: no space\n" for cell in self.fails}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "POLL_SECONDS", 0.0)


def test_every_cell_gets_a_result(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue = FakeQueue(root, {})
    drive(grid_of(root), queue, 2)
    assert list(grid_of(root).results()) == CELLS
    assert queue.rounds == [CELLS]
    assert queue.living == 0
    assert "[4/4] grid-sgd-0.001  0.5000 in epoch 2  all done" in capsys.readouterr().out


def test_what_failed_is_tried_again_and_nothing_else(root: Path) -> None:
    queue = FakeQueue(root, {"adam-0.001": 2})
    drive(grid_of(root), queue, 1)
    assert queue.rounds == [CELLS, ["adam-0.001"], ["adam-0.001"]]
    assert list(grid_of(root).results()) == CELLS


def test_three_tries_are_enough(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue = FakeQueue(root, {"adam-0.001": 9})
    drive(grid_of(root), queue, 1)
    assert len(queue.rounds) == 3
    assert sorted(grid_of(root).results()) == sorted(set(CELLS) - {"adam-0.001"})
    assert "grid-adam-0.001 ended without a result (try 3 of 3): error: no space" in capsys.readouterr().out


def test_an_experiment_that_never_began_is_told_of_by_its_worker(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = FakeQueue(root, {"adam-0.001": 9})
    queue.logs = dict  # type: ignore[method-assign]
    (queue.place / ".dvc" / "tmp").mkdir(parents=True)
    (queue.place / ".dvc" / "tmp" / "worker-1.log").write_text(
        "Traceback (most recent call last):\n  File\nUnicodeEncodeError: 'ascii' codec\nshutting down\n"
    )
    drive(grid_of(root), queue, 1)
    assert "(try 3 of 3): UnicodeEncodeError: 'ascii' codec\n" in capsys.readouterr().out


def test_a_dead_worker_is_replaced(root: Path) -> None:
    queue = FakeQueue(root, {}, workers_die=1)
    drive(grid_of(root), queue, 1)
    assert list(grid_of(root).results()) == CELLS
    assert queue.rounds == [CELLS]
    assert queue.kept == 2


def test_a_second_run_queues_nothing(root: Path) -> None:
    drive(grid_of(root), FakeQueue(root, {}), 1)
    queue = FakeQueue(root, {})
    drive(grid_of(root), queue, 1)
    assert queue.rounds == []


@pytest.mark.parametrize("rows", [[("sgd", 1e-5)], [("adam", 1e-5), ("sgd", 1e-5)], []])
def test_a_ref_with_another_result_is_none_and_makes_room(root: Path, rows: list[tuple[str, float]]) -> None:
    commit_result(root, "grid-adam-1e-05", rows)
    assert grid_of(root).results() == {}
    commit_result(root, "grid-adam-1e-05", [("adam", 1e-5)])
    assert list(grid_of(root).results()) == ["adam-1e-05"]


def test_results_of_another_commit_do_not_count(root: Path) -> None:
    commit_result(root, "grid-adam-1e-05", [("adam", 1e-5)])
    (root / "file").write_text("changed")
    git(root, "commit", "--quiet", "--all", "--message", "second")
    assert grid_of(root).results() == {}


def test_a_dirty_tree_is_refused(root: Path) -> None:
    assert clean_head(root) == git(root, "rev-parse", "HEAD")
    (root / "new").write_text("")
    with pytest.raises(InputError, match=r"got 1 changed or new files \(new\), expected a clean tree"):
        clean_head(root)


def test_a_shallow_clone_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "file").write_text("changed")
    git(root, "commit", "--quiet", "--all", "--message", "second")
    git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), "shallow")
    with pytest.raises(InputError, match="git fetch --unshallow"):
        clean_head(tmp_path / "shallow")


def test_one_driver_at_a_time(root: Path) -> None:
    with alone(root) as first, alone(root) as second:
        assert (first, second) == (True, False)
    with alone(root) as again:
        assert again


def test_logs_in_words() -> None:
    assert epoch("resumed\nepoch 2/3  train loss 1\nepoch 3/3  train loss 1\n") == "epoch 3/3"
    assert epoch("Reproducing experiment 'x'") == "starts"
    assert last_words("a\nerror: full\nERROR: failed to reproduce\n\n") == "error: full"
    assert last_words("a\nscmrepo.exceptions.SCMError: no\nb\n") == "scmrepo.exceptions.SCMError: no"
    assert last_words("a\nb\n") == "b"
    assert last_words("") == "nothing was printed; it may have been killed"
    assert [roughly(seconds) for seconds in (3, 44, 200, 5399, 7200)] == [
        "10 s",
        "40 s",
        "3 min",
        "90 min",
        "2.0 h",
    ]


def test_workers_as_asked_for_else_one_for_each_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRISC_DEVICES", "a,b,c")
    assert (how_many("5"), how_many()) == (5, 3)
    monkeypatch.setenv("BRISC_DEVICES", "")
    assert how_many() == 1
    for words in (("two",), ("0",), ("1", "2"), ("-1",)):
        with pytest.raises(InputError, match="not a number of workers"):
            how_many(*words)
