"""make repro's own lines: where the run is, and how long it may still take."""

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from started import start

from pipeline.progress import Progress


def progress(pending: set[str], **seconds: float) -> Progress:
    return Progress(4, pending, {name.replace("_at_", "@"): value for name, value in seconds.items()})


def test_stages_are_counted_as_dvc_comes_to_them() -> None:
    run = progress({"train@unet", "render@demo"}, train_at_unet=300.0, render_at_demo=60.0)
    assert run.read("Stage 'fetch@demo' didn't change, skipping", 1.0) is None
    assert run.read("Stage 'prepare@demo' is cached - skipping run, checking out outputs", 2.0) is None
    assert run.read("Running stage 'train@unet':", 3.0) == "== stage 3 of 4: train@unet, at most 6 min left"
    assert run.read("> python stages/train.py demo unet", 3.1) is None
    assert (
        run.read("Running stage 'render@demo':", 103.0) == "== stage 4 of 4: render@demo, at most 60 s left"
    )
    run.close(110.0)
    assert run.seconds == {"train@unet": 100.0, "render@demo": 7.0}
    assert run.ran == ["train@unet", "render@demo"]


def test_an_epoch_s_pace_replaces_what_was_known_of_the_stage() -> None:
    run = progress({"train@unet", "render@demo"}, train_at_unet=300.0, render_at_demo=60.0)
    run.read("Running stage 'train@unet':", 0.0)
    # Two of eight epochs took 20 s, so the other six take 60 s, and render 60 s more.
    assert (
        run.after("epoch 2/8  train loss 1.2  10.0 s, 60 s left", 20.0)
        == "  [stage 1 of 4, at most 120 s left]"
    )
    assert run.after("resumed after epoch 2", 20.0) == ""


def test_a_stage_never_timed_counts_as_its_kind_or_is_said_to_be_unknown() -> None:
    run = progress({"train@unet", "train@joint", "grid@a", "grid@b"}, train_at_unet=200.0)
    assert run.read("Running stage 'train@unet':", 0.0) == (
        "== stage 1 of 4: train@unet, at most 7 min and 2 stages never timed here left"
    )


def test_a_stage_that_turns_out_unchanged_is_not_waited_for() -> None:
    run = progress({"train@unet", "evaluate@unet"}, train_at_unet=200.0, evaluate_at_unet=600.0)
    run.read("Stage 'evaluate@unet' didn't change, skipping", 0.0)
    assert run.read("Running stage 'train@unet':", 0.0) == "== stage 2 of 4: train@unet, at most 3 min left"


def test_a_stage_that_was_broken_off_is_not_timed() -> None:
    run = progress({"train@unet"})
    run.read("Running stage 'train@unet':", 0.0)
    assert run.seconds == {}


STAGES = """
stages:
  train:
    matrix: {model: [a, b]}
    cmd: echo "epoch 1/1 of ${item.model}" && mkdir runs-${item.model}
    deps: [setting]
    outs: ["runs-${item.model}"]
  report:
    cmd: cat report-source > report
    deps: [runs-a, runs-b, report-source]
    outs: [report]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A pipeline of three stages, the last of which fails as long as report-source cannot be read as a
    file."""
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "setting").write_text("1")
    (tmp_path / "report-source").mkdir()
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    return tmp_path


def repro(place: Path) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.repro", "1")


def test_dvc_runs_with_its_own_lines_and_exit_code(place: Path) -> None:
    failed = repro(place)
    assert failed.returncode == 255
    assert "ERROR: failed to reproduce 'report'" in failed.stderr
    assert (
        "== stage 1 of 3: train@a, at most 3 stages never timed here left\nRunning stage 'train@a':\n"
        in failed.stdout
    )
    assert "epoch 1/1 of b  [stage 2 of 3, at most " in failed.stdout
    assert sorted(json.loads((place / ".scratch" / "seconds.json").read_text())) == ["train@a", "train@b"]

    (place / "report-source").rmdir()
    (place / "report-source").write_text("text")
    again = repro(place)
    assert again.returncode == 0
    assert (
        "== stage 3 of 3: report, at most 1 stage never timed here left\nRunning stage 'report':\n"
        in again.stdout
    )
    assert again.stdout.count("Running stage") == 1
    assert "== 1 of 3 stages ran" in again.stdout


def test_times_that_cannot_be_stored_do_not_stop_a_run(place: Path) -> None:
    (place / "report-source").rmdir()
    (place / "report-source").write_text("text")
    (place / ".scratch").write_text("where the times would be, no file can be")
    done = repro(place)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "== 3 of 3 stages ran" in done.stdout


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"{", b"[1]", b'{"train@a": "soon"}', b"\xff"])
def test_times_that_a_power_cut_broke_are_forgotten(place: Path, content: bytes) -> None:
    (place / "report-source").rmdir()
    (place / "report-source").write_text("text")
    (place / ".scratch").mkdir()
    (place / ".scratch" / "seconds.json").write_bytes(content)
    done = repro(place)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert done.stdout.count(".scratch/seconds.json: not readable") == 1
    assert len(json.loads((place / ".scratch" / "seconds.json").read_text())) == 3


def test_what_dvc_refuses_is_told_by_dvc(place: Path) -> None:
    (place / "dvc.yaml").write_text("stages: [")
    done = repro(place)
    assert done.returncode != 0
    assert "dvc.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stage_that_outlives_a_killed_dvc_is_ended(place: Path) -> None:
    """Like a stage that is not up yet when DVC is killed: nothing has asked the kernel to end it with its
    parent."""
    (place / "dvc.yaml").write_text("stages:\n  slow:\n    cmd: exec python slow.py\n    outs: [pid]\n")
    (place / "slow.py").write_text(
        "import os, pathlib, signal, time\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGKILL)\n"
        "time.sleep(600)\n"
    )
    done = repro(place)
    assert done.returncode == 128 + signal.SIGKILL
    pid = int((place / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
