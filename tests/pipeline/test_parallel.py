"""make repro with several workers: stages beside each other, and in the end what `dvc repro` leaves, whatever
happens meanwhile. All stages are stubs."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from started import ROOT, environment_of, start

from brisc.atomic import write_json
from brisc.plan import digest
from pipeline import repro as driver
from pipeline.parcel import COMMON

DVC_YAML = """
stages:
  prepare:
    cmd: test -f source && python stages/stub.py prepare prepared source
    deps: [source, stages/stub.py]
    outs: [prepared]
  train:
    matrix: {name: [a, b, c]}
    cmd: python stages/stub.py train-${item.name} runs/${item.name} prepared
    deps: [prepared, stages/stub.py, "rate-${item.name}", "data/plan/train/${item.name}.json"]
    outs: ["runs/${item.name}"]
  report:
    cmd: python stages/stub.py report report.txt runs/a runs/b runs/c
    deps: [runs/a, runs/b, runs/c, stages/stub.py]
    outs:
      - report.txt:
          cache: false
"""
# Tells .scratch/ran that it runs. TOGETHER names stages of which none ends before all have begun, and the
# last one last; HANGS one that ends when there is .scratch/go; FAILS one that fails.
STUB = """
import os, sys, time
from pathlib import Path

name, out, *inputs = sys.argv[1:]
ran = Path(os.environ["BRISC_SCRATCH"], "ran")
with ran.open("a") as file:
    file.write(f"{name} {os.getpid()}\\n")
print("epoch 1/2  loss 0.5", flush=True)
if name == os.environ.get("FAILS"):
    sys.exit("error: no memory")
while name == os.environ.get("HANGS") and not ran.with_name("go").exists():
    time.sleep(0.05)
together = os.environ.get("TOGETHER", "").split()
while name in together and not set(together) <= {line.split()[0] for line in ran.read_text().splitlines()}:
    time.sleep(0.05)
if [name] == together[-1:]:
    time.sleep(0.5)
Path(out).parent.mkdir(exist_ok=True)
Path(out).write_text(f"{name} of {[Path(path).read_text() for path in inputs]}")
"""
ALL = ["prepare", "report", "train-a", "train-b", "train-c"]
RESULTS = ("dvc.lock", "prepared", "report.txt", "runs/a", "runs/b", "runs/c")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("parallel") / "template"
    for name in COMMON:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place / name)
    for name, text in {"dvc.yaml": DVC_YAML, "stages/stub.py": STUB, "source": "1"}.items():
        (place / name).write_text(text)
    (place / "net.py").write_text("layers = 1\n")
    plan = {"code": {"net.py": digest(place / "net.py")}}
    for name in "abc":
        (place / f"rate-{name}").write_text("1")
        write_json(place / "data" / "plan" / "train" / f"{name}.json", plan)
    (place / ".dvc").mkdir()
    (place / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    (place / ".scratch").mkdir()
    return place


@pytest.fixture(scope="module")
def by_dvc(template: Path) -> dict[str, bytes]:
    """What `dvc repro` leaves."""
    place = template.parent / "by-dvc"
    shutil.copytree(template, place)
    done = dvc(place, "repro", BRISC_SCRATCH=str(place / ".scratch"))
    assert done.returncode == 0, done.stderr
    return results(place)


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "place")
    return tmp_path / "place"


def results(place: Path) -> dict[str, bytes]:
    return {name: (place / name).read_bytes() for name in RESULTS if (place / name).exists()}


def dvc(place: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.dvc", *words, **environment)


def repro(place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.repro", "3", **environment)


def ran(place: Path) -> list[str]:
    """The stages that ran since this was asked last."""
    path = place / ".scratch" / "ran"
    names = [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(names)


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def at_work(place: Path, stage: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A driver whose stage hangs and whose others are done, and the stage's process."""
    environment = environment_of(place, HANGS=stage)
    command = [sys.executable, "-m", "pipeline.repro", "3"]
    with (place / ".scratch" / "said").open("w") as said:
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdout=said, stderr=said, text=True, start_new_session=True
        )
    path, found = place / ".scratch" / "ran", re.compile(rf"^{stage} (\d+)$", re.M)
    wait(lambda: path.exists() and found.search(path.read_text()))
    stored, others = place / ".scratch" / "seconds.json", {"train-a", "train-b", "train-c"} - {stage}
    wait(lambda: all(name.replace("-", "@") in stored.read_text() for name in others))
    pid = int(found.findall(path.read_text())[0])
    try:
        yield process, psutil.Process(pid)
    finally:
        process.kill()
        process.wait()


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_stages_run_together_and_leave_what_dvc_leaves(place: Path, by_dvc: dict[str, bytes]) -> None:
    done = repro(place, TOGETHER="train-c train-b train-a")  # with fewer workers this would not end
    assert done.returncode == 0, done.stderr
    assert ran(place) == ALL
    assert results(place) == by_dvc
    assert sorted(path.name for path in (place / ".scratch").iterdir()) == ["logs", "seconds.json"]
    assert "train@b  epoch 1/2  loss 0.5  [stage " in done.stdout
    assert "== 5 of 5 stages ran" in done.stdout
    assert sorted(json.loads((place / ".scratch" / "seconds.json").read_text())) == [
        "prepare",
        "report",
        "train@a",
        "train@b",
        "train@c",
    ]
    assert dvc(place, "status").stdout == "Data and pipelines are up to date.\n"
    again = dvc(place, "repro", BRISC_SCRATCH=str(place / ".scratch"))
    assert (again.returncode, ran(place), results(place)) == (0, [], by_dvc)


def test_after_an_edit_the_result_is_that_of_the_edit(place: Path) -> None:
    """What the stages gave before is still in the cache."""
    assert repro(place).returncode == 0
    (place / "source").write_text("2")
    assert repro(place).returncode == 0
    assert (place / "prepared").read_text() == "prepare of ['2']"
    found = results(place)
    shutil.rmtree(place / ".dvc" / "cache")
    (place / "dvc.lock").unlink()
    assert dvc(place, "repro", BRISC_SCRATCH=str(place / ".scratch")).returncode == 0
    assert results(place) == found


def test_what_dvc_has_done_is_done_and_what_it_has_stored_is_taken(
    place: Path, by_dvc: dict[str, bytes]
) -> None:
    first = dvc(place, "repro", BRISC_SCRATCH=str(place / ".scratch"))
    assert (first.returncode, ran(place)) == (0, ALL)
    assert (repro(place).returncode, ran(place), results(place)) == (0, [], by_dvc)
    (place / "rate-b").write_text("2")
    assert (repro(place).returncode, ran(place)) == (0, ["train-b"])  # it writes the same, so no report
    for name in ("source", "rate-b"):
        (place / name).write_text("1")
    shutil.rmtree(place / "runs")
    done = repro(place)
    assert (done.returncode, ran(place), results(place)) == (0, [], by_dvc)
    assert "train@b is cached" in done.stdout


def test_a_new_stage_is_added_to_the_lock_where_dvc_adds_it(place: Path, tmp_path: Path) -> None:
    """Whichever ends first, and however often the run is broken off."""
    content = yaml.safe_load(DVC_YAML)
    content["stages"]["train"]["matrix"]["name"] = ["b"]
    content["stages"]["report"] |= {
        "cmd": "python stages/stub.py report report.txt runs/b",
        "deps": ["runs/b", "stages/stub.py"],
    }
    (place / "dvc.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert repro(place).returncode == 0
    (place / "dvc.yaml").write_text(DVC_YAML)
    (place / ".scratch" / "ran").unlink()
    shutil.copytree(place, tmp_path / "other")
    assert repro(place, FAILS="train-a").returncode == 1
    assert repro(place).returncode == 0
    assert ran(place) == ["report", "train-a", "train-a", "train-c"]
    expected = dvc(tmp_path / "other", "repro", BRISC_SCRATCH=str(tmp_path / "other" / ".scratch"))
    assert expected.returncode == 0
    assert results(place) == results(tmp_path / "other")


def test_a_stage_that_fails_stops_what_depends_on_it_alone(place: Path, by_dvc: dict[str, bytes]) -> None:
    failed = repro(place, FAILS="train-a")
    assert failed.returncode == 1
    assert "error: train@a: ended with 1: error: no memory (.scratch/logs/train@a.log)" in failed.stderr
    assert "error: failed: train@a; 1 that depend on it did not run" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "error: no memory" in (place / ".scratch" / "logs" / "train@a.log").read_text()
    assert sorted(results(place)) == ["dvc.lock", "prepared", "runs/b", "runs/c"]
    ran(place)
    assert (repro(place).returncode, ran(place), results(place)) == (0, ["report", "train-a"], by_dvc)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_killed_leaves_nothing_running_and_the_next_goes_on(
    place: Path, by_dvc: dict[str, bytes], number: signal.Signals
) -> None:
    with at_work(place, "train-a") as (process, stage):
        process.send_signal(number)
        assert process.wait(20) == (-9 if number == signal.SIGKILL else 128 + number)
        wait(lambda: gone(stage))
    assert not (place / "runs" / "a").exists()
    if number != signal.SIGKILL:
        assert "interrupted; run the same command again" in (place / ".scratch" / "said").read_text()
        locked = yaml.safe_load((place / "dvc.lock").read_text())["stages"]
        assert list(locked) == ["prepare", "train@b", "train@c"]
    ran(place)
    again = repro(place)
    assert (again.returncode, ran(place), results(place)) == (0, ["report", "train-a"], by_dvc)
    assert not (place / ".scratch" / "parcels").exists()


def test_a_half_entry_of_the_run_cache_is_none(place: Path, by_dvc: dict[str, bytes]) -> None:
    """Which a driver killed at that moment leaves."""
    assert repro(place).returncode == 0
    for entry in (place / ".dvc" / "cache" / "runs").glob("*/*/*"):
        entry.unlink()
        entry.with_name(".half.tmp").write_text("cmd: [")
    shutil.rmtree(place / "runs")
    (place / "dvc.lock").unlink()
    assert ran(place) == ALL
    again = repro(place)
    assert (again.returncode, ran(place), results(place)) == (0, ALL, by_dvc)


def test_ctrl_c_that_reaches_the_stages_first_is_no_failure(place: Path) -> None:
    with at_work(place, "train-a") as (process, stage):
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT
        wait(lambda: gone(stage))
    assert "error" not in (place / ".scratch" / "said").read_text()


def test_another_dvc_is_refused_in_its_own_words(place: Path) -> None:
    with at_work(place, "train-a"):
        for refused in (dvc(place, "repro"), repro(place)):
            assert refused.returncode != 0
            assert re.search(r"is busy, it is being blocked by:\n *\(PID \d+\): .*repro", refused.stderr)
            assert "Traceback" not in refused.stderr


def test_a_stage_whose_input_was_edited_meanwhile_runs_again(place: Path) -> None:
    with at_work(place, "train-a") as (process, _):
        (place / "rate-a").write_text("2")
        (place / ".scratch" / "go").touch()
        assert process.wait(60) == 0
    assert "train@a: its inputs were edited meanwhile" in (place / ".scratch" / "said").read_text()
    assert ran(place) == sorted([*ALL, "train-a"])
    assert dvc(place, "status").stdout == "Data and pipelines are up to date.\n"


def test_code_that_was_edited_since_it_was_planned_trains_nothing(
    place: Path, by_dvc: dict[str, bytes]
) -> None:
    """But a comment does."""
    (place / "net.py").write_text("layers = 2\n")
    refused = repro(place)
    assert refused.returncode == 1
    assert "net.py: code of train@a was edited since it was planned" in refused.stderr
    assert ran(place) == ["prepare"]
    (place / "net.py").write_text("layers = 1  # the first\n")
    assert (repro(place).returncode, results(place)) == (0, by_dvc)


def test_a_result_that_cannot_be_stored_is_told_and_the_next_run_goes_on(
    place: Path, by_dvc: dict[str, bytes]
) -> None:
    (place / ".dvc" / "cache").mkdir()
    (place / ".dvc" / "cache" / "files").write_text("where DVC's objects would be, no folder can be")
    failed = repro(place)
    assert failed.returncode == 1
    assert "error: prepare: " in failed.stderr
    assert "Traceback" not in failed.stderr
    (place / ".dvc" / "cache" / "files").unlink()
    assert (repro(place).returncode, results(place)) == (0, by_dvc)


def test_a_terminal_gets_one_table(place: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline.repro", "3"]
    environment = environment_of(place, TERM="xterm", TOGETHER="train-a train-b")
    with subprocess.Popen(command, cwd=place, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
        assert process.wait(60) == 0
    os.close(ours)
    text = said.decode()
    assert re.search(r"stage\b.*epoch\b.*time left", text)
    assert re.search(r"train@b.* 1/2 ", text)
    assert "train@b  epoch 1/2  loss" not in text


def test_as_many_workers_as_asked_for_or_as_pay(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRISC_DEVICES", "")
    monkeypatch.setattr(driver, "cores", lambda: 6)
    assert driver.how_many("5") == 5
    assert driver.how_many() == 6  # the demo's trainings take a core each
    monkeypatch.setenv("BRISC_DEVICES", "a,b,c")
    assert driver.how_many() == 3
    monkeypatch.setenv("BRISC_DEVICES", "")
    path = repository / "profiles" / "demo.yaml"
    path.write_text(path.read_text().replace("portable_cpu: true", "portable_cpu: false"))
    assert driver.how_many() == 1
