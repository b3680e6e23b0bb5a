"""make repro ON=ray on two local nodes: what `dvc repro` leaves, whatever node is lost. Needs Ray."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from started import ROOT, environment_of, start
from test_parallel import ALL, by_dvc, place, ran, results, template, wait  # noqa: F401

from brisc.errors import InputError
from pipeline import remote, repro


def settings(place: Path) -> None:  # noqa: F811
    (place / "profiles").mkdir()
    for name in ("params.yaml", *(f"profiles/{name}.yaml" for name in ("demo", "laptop", "paper"))):
        shutil.copyfile(ROOT / name, place / name)


def begin(place: Path, **environment: str) -> subprocess.Popen[str]:  # noqa: F811
    pytest.importorskip("ray")
    settings(place)
    more = {"BRISC_SCRATCH": str(place / ".scratch"), **environment}
    command = [sys.executable, "-m", "bench.nodes", sys.executable, "-m", "pipeline.repro"]
    with (place / ".scratch" / "said").open("w") as said:
        return subprocess.Popen(
            command, cwd=place, env=environment_of(place, **more), stdout=said, stderr=said, text=True
        )


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """A test that fails leaves no cluster behind."""
    yield
    for process in psutil.Process().children():
        if process.status() != psutil.STATUS_ZOMBIE and "bench.nodes" in process.cmdline():
            for each in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()


def said(place: Path) -> str:  # noqa: F811
    return (place / ".scratch" / "said").read_text()


def test_the_cluster_leaves_what_dvc_leaves(place: Path, by_dvc: dict[str, bytes]) -> None:  # noqa: F811
    assert begin(place, TOGETHER="train-c train-b").wait(120) == 0, said(place)
    assert (ran(place), results(place)) == (ALL, by_dvc)
    assert "train@b  epoch 1/2  loss 0.5" in said(place)
    assert start(place, "pipeline.dvc", "status").stdout == "Data and pipelines are up to date.\n"


@pytest.mark.parametrize("victim", ["raylet", "ray::train@a"])
def test_what_a_lost_node_or_worker_ran_runs_again(
    place: Path,  # noqa: F811
    by_dvc: dict[str, bytes],  # noqa: F811
    victim: str,
) -> None:
    process = begin(place, HANGS="train-a")
    path = place / ".scratch" / "ran"
    wait(lambda: path.exists() and "train-a" in path.read_text())
    pid = int(re.findall(r"^train-a (\d+)$", path.read_text(), re.M)[0])
    lost = next(each for each in psutil.Process(pid).parents() if victim in " ".join(each.cmdline()[:1]))
    lost.kill()
    wait(lambda: path.read_text().count("train-a") == 2)
    path.with_name("go").touch()
    assert process.wait(120) == 0, said(place)
    assert results(place) == by_dvc


def test_a_stages_own_error_is_told_once_and_not_tried_again(place: Path) -> None:  # noqa: F811
    assert begin(place, FAILS="train-a").wait(120) == 1
    assert "error: train@a: ended with 1: error: no memory (.scratch/logs/train@a.log)" in said(place)
    assert ran(place).count("train-a") == 1
    assert "Traceback" not in said(place)


def test_a_stage_that_takes_too_long_is_ended(place: Path) -> None:  # noqa: F811
    assert begin(place, HANGS="train-a", BRISC_TIMEOUT="5").wait(120) == 1
    assert "error: ended after 5 s, which BRISC_TIMEOUT allows" in said(place)


def test_the_next_driver_goes_on_after_a_killed_one(place: Path, by_dvc: dict[str, bytes]) -> None:  # noqa: F811
    process = begin(place, HANGS="train-a")
    path = place / ".scratch" / "ran"
    wait(lambda: path.exists() and "train-a" in path.read_text())
    pid = int(re.findall(r"^train-a (\d+)$", path.read_text(), re.M)[0])
    found = [each for each in psutil.Process(process.pid).children() if "pipeline.repro" in each.cmdline()]
    found[0].send_signal(signal.SIGKILL)
    process.wait(60)
    wait(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert not (place / "runs" / "a").exists()
    assert start(place, "pipeline.repro", "3").returncode == 0
    assert results(place) == by_dvc


def test_a_node_keeps_a_content_once_and_none_that_came_damaged(tmp_path: Path) -> None:
    fetched = []

    def fetch(digest: str, path: Path) -> None:
        fetched.append(digest)
        path.write_bytes(b"1")

    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"  # sha256sum of "1"
    assert remote.kept(tmp_path, one, fetch) == remote.kept(tmp_path, one, fetch)
    assert fetched == [one]
    with pytest.raises(OSError, match="came damaged"):
        remote.kept(tmp_path, "ab" * 32, fetch)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [one[2:]]


def test_a_node_needs_no_dvc() -> None:
    code = "import sys, pipeline.remote; print(sorted({'dvc', 'git', 'brisc', 'yaml'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(InputError, match="got moon, expected ray"):
        repro.place_named("moon")
