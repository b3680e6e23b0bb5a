"""DVC's experiment queue in a clone of its own, which is thrown away.

`dvc exp run --queue` detaches HEAD, changes params.yaml and resets the tree; killed meanwhile it leaves all
that behind. A killed worker leaves tasks that run for ever, temporary folders and messages. In a clone
nothing of this matters: whatever state the last run left, the next begins with a new clone at the same
commit. What is worth keeping is elsewhere: results in the repository's cache and run-cache, checkpoints in
its .scratch, finished experiments in its refs.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.dvc import DVC, cache_of
from pipeline.git import experiment_refs, git
from pipeline.processes import end, marked

MARK = "BRISC_QUEUE"


class Queue:
    """The queue of the repository `root` at commit `head`. Only one process at a time may have it, see
    `alone`."""

    def __init__(self, root: Path, head: str, profile: str) -> None:
        self.root, self.head, self.profile = root, head, profile
        self.place = root / ".scratch" / "queue"
        self.started = 0
        self.workers: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            MARK: str(self.place),
            "BRISC_SCRATCH": str(root / ".scratch"),
            "PYTHONPATH": str(self.place / "src"),  # the code of the commit, whatever is edited meanwhile
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def reset(self) -> None:
        """A new clone with an empty queue; what an earlier one left running is ended."""
        self.discard()
        git(self.root, "clone", "--quiet", "--no-checkout", str(self.root), str(self.place))
        git(self.place, "checkout", "--quiet", "--detach", self.head)
        git(self.place, "remote", "remove", "origin")  # DVC copies that path into each experiment
        local = self.root / ".dvc" / "config.local"
        if local.exists():
            shutil.copyfile(local, self.place / ".dvc" / "config.local")
        self._run(*DVC, "cache", "dir", "--local", str(cache_of(self.root)))

    def discard(self) -> None:
        """Leave nothing of the queue."""
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    def prepare(self, *stages: str) -> None:
        """Run what all cells need once, before several workers would each do it."""
        subprocess.run([*DVC, "repro", "--quiet", *stages], cwd=self.place, env=self.environment, check=True)

    def add(self, cells: Iterable[str]) -> None:
        self._run(sys.executable, "-m", "pipeline.enqueue", self.profile, *cells)

    def waiting(self) -> int:
        """Tasks that no worker has taken yet."""
        return len(list((self.place / ".dvc/tmp/exps/celery/broker/in").glob("*.celery.msg")))

    def keep(self, workers: int) -> None:
        """Start workers until `workers` of them live."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < workers:
            self.started += 1  # never a name twice: the queue may hold an order for a worker to end
            command = [sys.executable, "-m", "pipeline.worker", f"grid-{self.started}"]
            with (self.place / f".dvc/tmp/worker-{self.started}.log").open("wb") as log:
                self.workers.append(
                    subprocess.Popen(
                        command, cwd=self.place, env=self.environment, stdout=log, stderr=subprocess.STDOUT
                    )
                )

    def busy(self) -> bool:
        """Whether a worker lives, or an experiment whose worker was killed."""
        return any(worker.poll() is None for worker in self.workers) or bool(marked(MARK, str(self.place)))

    def stop(self) -> None:
        """End workers, experiments and trainings, also those of a driver that is no more."""
        end(MARK, str(self.place))
        for worker in self.workers:
            worker.wait()
        self.workers = []

    def collect(self) -> None:
        """Bring the refs of finished experiments into the repository."""
        here, there = (set(experiment_refs(place, self.head).values()) for place in (self.root, self.place))
        for ref in sorted(there - here):
            git(self.root, "fetch", "--quiet", "--no-tags", str(self.place), f"{ref}:{ref}")

    def logs(self) -> dict[str, str]:
        """{experiment: what it has printed so far}; of several tries the last."""
        found = {}
        for path in sorted(
            (self.place / ".dvc/tmp/exps/run").glob("*/*.out"), key=lambda path: path.stat().st_mtime
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            if text.startswith("Reproducing experiment '"):
                found[text.split("'")[1]] = text
        return found

    def what_workers_said(self) -> str:
        """Of themselves, which is where an experiment that never began is told of."""
        logs = sorted((self.place / ".dvc/tmp").glob("worker-*.log"))
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)

    def _run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.place, env=self.environment, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def alone(root: Path) -> Iterator[bool]:
    """Whether this process is the only one that drives the repository's queue; holds that until the block
    ends."""
    (root / ".scratch").mkdir(exist_ok=True)
    with (root / ".scratch" / "queue.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
