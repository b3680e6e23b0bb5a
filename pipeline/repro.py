"""make repro: what must run of the pipeline, and where that is: stage k of n, epoch, time left.

    python -m pipeline.repro [WORKERS]        ON=ray in the environment: on a Ray cluster, see cluster.py

With one worker it is `dvc repro`: DVC's lines and the stages' pass through as they are, errors and progress
bars untouched, and its exit code is this one's. With several see parallel.py.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import networkx
from dvc.exceptions import DvcException
from dvc.repo import Repo

from brisc.config import Train, load, load_params
from brisc.devices import devices
from brisc.errors import InputError
from pipeline import command, parallel
from pipeline.dvc import DVC
from pipeline.locks import drop_empty, release_dead
from pipeline.place import Local, Place
from pipeline.processes import end, with_parent
from pipeline.progress import Progress, remember, remembered
from pipeline.words import roughly

MARK = "BRISC_REPRO"


def plan() -> tuple[int, set[str]]:
    """How many stages there are, and the names of those that may run: what is changed now and everything that
    follows from it."""
    with Repo() as repo:
        drop_empty(Path(repo.stage_cache.cache_dir))
        graph = repo.index.graph  # edges lead from a stage to what it depends on
        changed = set(repo.status())
        pending = {
            stage
            for node in graph
            if node.addressing in changed
            for stage in (node, *networkx.ancestors(graph, node))
        }
        return len(graph), {stage.addressing for stage in pending}


def tidy_after(process: subprocess.Popen[str], mark: str) -> None:
    """Wait for DVC. If it was killed, end what it had started: a stage not yet up when its parent died knows
    nothing of it."""
    if process.wait() < 0:
        end(MARK, mark)


def how_many(*words: str) -> int:
    """Workers as the command line says; else one for each GPU that trainings may use, one for each core when
    a training takes one, or one."""
    if asked := command.workers("make repro", *words):
        return asked
    train: Train = load(load_params().profile, "train")
    if train.accelerator in ("auto", "cuda") and (found := devices(os.environ)):
        return max(1, len(found) // train.devices)
    return cores() if train.portable_cpu else 1


def cores() -> int:
    """Those that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(*words: str) -> int:
    on, workers = place_named(os.environ.get("ON", "")), how_many(*words)
    release_dead(Path(".dvc/tmp"))
    try:
        stages, pending = plan()
        progress = Progress(stages, pending, remembered())
        if pending and on:
            return parallel.drive(progress, on(Path.cwd(), command.workers("make repro", *words)))
        if workers > 1 and pending:
            return parallel.drive(progress, Local(Path.cwd(), workers))
    except DvcException:
        # DVC says in its own words what is wrong.
        return subprocess.run([*DVC, "repro"], check=False).returncode
    return by_dvc(progress)


def place_named(name: str) -> Callable[[Path, int | None], Place] | None:
    """What ON names: the maker of a Ray cluster's place, or None for this machine."""
    if name not in ("", "ray"):
        raise InputError("no such place", where="ON", got=name, expected="ray or nothing", mend="Use ON=ray.")
    if not name:
        return None
    try:
        from pipeline.cluster import Cluster
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise InputError(
            "Ray is not installed",
            where="ON=ray",
            got="no module ray",
            expected="the pin of requirements-cluster.txt",
            mend="Run make .venv/cluster.",
        ) from None
    return Cluster


def by_dvc(progress: Progress) -> int:
    """One stage after the other, by DVC."""
    began = time.monotonic()
    # A terminal sends Ctrl-C to the whole group, DVC and stage included; this process waits for their last
    # words.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    mark = f"{os.getpid()} {time.time_ns()}"
    process = subprocess.Popen(
        [*DVC, "repro"],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1", MARK: mark},
        preexec_fn=with_parent(),
    )
    signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    # Beside the reading below, which ends no sooner than the last process that holds DVC's output.
    tidying = threading.Thread(target=tidy_after, args=(process, mark), daemon=True)
    tidying.start()
    assert process.stdout is not None
    for line in process.stdout:
        now = time.monotonic()
        if (news := progress.read(line, now)) is not None:
            print(news)
            remember(progress.seconds)  # of the stages before this one, in case this run is broken off
        print(f"{line.rstrip()}{progress.after(line, now)}", flush=True)
    tidying.join()  # DVC's output may end before all that it had started has
    code = process.wait()
    if code == 0:
        progress.close(time.monotonic())
        remember(progress.seconds)
    print(f"== {len(progress.ran)} of {progress.stages} stages ran, in {roughly(time.monotonic() - began)}")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    command.run(main)
