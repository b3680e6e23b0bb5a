"""make repro with several workers: stages run beside each other, and one process keeps the books.

A stage is ready when all that it depends on is done. It runs in a parcel, a folder of its own with the files
that it declares. This process alone brings what it wrote into the work tree, DVC's cache, its run-cache and
dvc.lock, with DVC's own code: DVC reproduces the stage, and where it would run the command it is given the
parcel's outputs. So what it takes from the run-cache, stores and leaves out is what `dvc repro` does.

dvc.lock lists new stages in the order in which `dvc repro` comes to them, whichever was done first.
"""

import logging
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dvc.dvcfile import LOCK_FILE
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph
from dvc.stage import PipelineStage
from dvc_data.hashfile.hash_info import HashInfo
from pydantic import TypeAdapter

from brisc.atomic import write_json
from brisc.errors import InputError
from pipeline.books import held, locked, reproduce, steps, write_lock
from pipeline.parcel import Parcel, bring_back, lay, parcel_of
from pipeline.place import Place, Running
from pipeline.progress import EPOCH, Progress, Screen, remember
from pipeline.words import last_words, roughly

SCRATCH = Path(".scratch")
BEFORE = SCRATCH / "locked.json"  # what dvc.lock held before a run that has not ended well yet
POLL_SECONDS = 0.1
# Between two writings of the lock, or ten times as long as the last one took; till then the run-cache has
# what was done.
LOCK_SECONDS = 20.0
FEW_MB = 100  # which may be why something failed


class AwayError(Exception):
    """DVC has come to the command of a stage whose result nobody has."""


class ChangedError(Exception):
    """Something that a stage reads was edited while it ran."""


@dataclass
class Job:
    """A stage at work in its parcel. inputs: the digests of what it depends on, when it began."""

    stage: PipelineStage
    parcel: Parcel
    folder: Path
    inputs: list[Any]
    process: Running
    log: IO[str]
    began: float = field(default_factory=time.monotonic)
    rest: str = ""
    epoch: tuple[int, int] = (0, 0)

    def lines(self) -> list[str]:
        """The whole lines that it has printed since this was asked last."""
        *lines, self.rest = (self.rest + self.log.read()).split("\n")
        for line in lines:
            if match := EPOCH.match(line):
                self.epoch = int(match[1]), int(match[2])
        return lines

    def left(self, expected: float | None) -> float | None:
        """Seconds, from the pace of its epochs, else from what it is expected to take."""
        passed, (done, epochs) = time.monotonic() - self.began, self.epoch
        if done:
            return passed / done * (epochs - done)
        return None if expected is None else max(0.0, expected - passed)


class Driver:
    def __init__(self, repo: Repo, progress: Progress, place: Place, screen: Screen) -> None:
        self.repo, self.progress, self.place, self.screen = repo, progress, place, screen
        self.root = Path(repo.root_dir)
        graph = get_active_graph(repo.index.graph)  # edges lead from a stage to what it depends on
        self.steps = steps(repo)
        self.needs = {stage: set(graph.successors(stage)) for stage in self.steps}
        self.waiting, self.jobs = list(self.steps), list[Job]()
        self.done, self.unlocked = set[PipelineStage](), list[PipelineStage]()
        self.failed: list[str] = []
        self.stopped: list[int] = []  # signals
        self.locked, self.patience = time.monotonic(), LOCK_SECONDS
        self.before = stages_before(repo)

    def run(self) -> None:
        """Until nothing is left that can be done, or somebody stops it."""
        self._tidy()
        try:
            while not self.stopped:
                moved = self._step()
                self._tell()
                if not moved and not self.jobs:
                    return
                if not moved:
                    time.sleep(POLL_SECONDS)
        finally:
            self._tidy()
            self._write_lock()

    def _tidy(self) -> None:
        """Leave no stage running, no parcel and no half lock, also none of a driver that is no more."""
        self.place.tidy()
        for half in self.root.glob(f".{LOCK_FILE}.*.tmp"):
            half.unlink()

    def _step(self) -> bool:
        """Take in a stage that has ended or begin one that is ready. False when there is neither."""
        for job in self.jobs:
            if job.process.poll() is not None:
                self.jobs.remove(job)
                self._finish(job)
                return True
        for stage in self.waiting:
            if self.needs[stage] <= self.done and len(self.jobs) < self.place.slots():
                self.waiting.remove(stage)
                self._begin(stage)
                return True
        return False

    def _begin(self, stage: PipelineStage) -> None:
        """Run the stage, unless it did not change or DVC has its result."""

        def away() -> None:
            raise AwayError

        try:
            self._reproduce(stage, away)
        except AwayError:
            # DVC knows its inputs of now, and its outputs of then: together they would pass for a result.
            for out in stage.outs:
                out.hash_info = HashInfo()
            with self._failing(stage):
                self._start(stage)

    def _start(self, stage: PipelineStage) -> None:
        name, parcel = stage.addressing, parcel_of(stage)
        folder, path = self.root / SCRATCH / "parcels" / name, log_of(self.root, name)
        lay(parcel, self.root, folder, link)
        path.parent.mkdir(parents=True, exist_ok=True)
        process = self.place.start(parcel, folder, path)
        log = path.open(encoding="utf-8", errors="replace")
        self.jobs.append(Job(stage, parcel, folder, digests(stage), process, log))
        self.progress.pending.discard(name)
        self.progress.ran.append(name)
        self.screen.say(f"== {self._count()}: {name}, {self._left()}")

    def _finish(self, job: Job) -> None:
        name = job.stage.addressing
        self._tell_of(job)
        job.log.close()
        if self.stopped:  # which it may have ended of
            return
        if code := job.process.poll():
            path = log_of(self.root, name)
            why = last_words(path.read_text(encoding="utf-8", errors="replace"))
            self._fail(name, f"ended with {code}: {why} ({path.relative_to(self.root)})")
            return

        def bring() -> None:
            if digests(job.stage) != job.inputs:
                raise ChangedError
            bring_back(job.parcel, job.folder, self.root)

        try:
            self._reproduce(job.stage, bring, time.monotonic() - job.began)
        except ChangedError:
            self.screen.say(f"== {name}: its inputs were edited meanwhile, so it runs again")
            self.waiting.insert(0, job.stage)
        shutil.rmtree(job.folder, ignore_errors=True)

    def _reproduce(
        self, stage: PipelineStage, command: Callable[[], None], seconds: float | None = None
    ) -> None:
        """Bring the stage up to date, with `command` in the place of its command; it took so long. dvc.lock
        comes later."""
        with self._failing(stage):
            changed = reproduce(self.repo, stage, command)
            name = stage.addressing
            self.done.add(stage)
            self.progress.seen += 1
            self.progress.pending.discard(name)
            if changed and isinstance(stage, PipelineStage):
                self.unlocked.append(stage)
            elif changed:  # what `dvc add` made has a file of its own
                stage.dump()
            if seconds is not None:
                self.progress.seconds[name] = round(seconds, 1)
                remember(self.progress.seconds)
            elif changed:
                self.screen.say(f"== {self._count()}: {name} is cached")
            once = changed and not all(out.use_cache for out in stage.outs)  # the run-cache has none of these
            if once or time.monotonic() - self.locked > self.patience:
                self._write_lock()

    @contextmanager
    def _failing(self, stage: PipelineStage) -> Iterator[None]:
        """What fails here is this stage, and all that does not depend on it goes on."""
        try:
            yield
        except (DvcException, InputError, OSError, sqlite3.Error) as error:
            self._fail(stage.addressing, str(error))

    def _fail(self, name: str, why: str) -> None:
        self.failed.append(name)
        free = shutil.disk_usage(self.root).free // 2**20
        full = f". Is the disk full? {free} MB are free" if free < FEW_MB else ""
        print(f"error: {name}: {why}{full}", file=sys.stderr, flush=True)

    def _write_lock(self) -> None:
        if self.unlocked:
            began = time.monotonic()
            new = [step.addressing for step in self.steps if step.addressing not in self.before]
            write_lock(self.repo, self.unlocked, new)
            self.unlocked = []
            self.patience = max(LOCK_SECONDS, 10 * (time.monotonic() - began))
        self.locked = time.monotonic()

    def _tell(self) -> None:
        rows = []
        for job in self.jobs:
            self._tell_of(job)
            name, (done, epochs) = job.stage.addressing, job.epoch
            left = job.left(self.progress.expected(name))
            rows.append((name, f"{done}/{epochs}" if done else "", "" if left is None else roughly(left)))
        self.screen.show(rows, f"{self._count()}, {self._left()}")

    def _tell_of(self, job: Job) -> None:
        for line in job.lines():
            more = f"  [{self._count()}, {self._left()}]" if EPOCH.match(line) else ""
            self.screen.detail(f"{job.stage.addressing}  {line}{more}")

    def _count(self) -> str:
        return f"stage {self.progress.seen + len(self.jobs)} of {self.progress.stages}"

    def _left(self) -> str:
        running = [job.left(self.progress.expected(job.stage.addressing)) for job in self.jobs]
        return self.progress.left(*running, workers=self.place.slots())


def drive(progress: Progress, place: Place) -> int:
    """Run what must run. Raises LockError where another DVC process works in this tree."""
    logging.getLogger("dvc").setLevel(logging.WARNING)  # its news and bars would run through the table
    began, screen = time.monotonic(), Screen()
    with Repo(_wait_for_lock=True) as repo, held(repo), screen():
        driver = Driver(repo, progress, place, screen)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: driver.stopped.append(number))
        driver.run()
    print(f"== {len(progress.ran)} of {progress.stages} stages ran, in {roughly(time.monotonic() - began)}")
    if driver.stopped:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 128 + driver.stopped[0]
    if driver.failed:
        waiting = f"; {len(driver.waiting)} that depend on it did not run" if driver.waiting else ""
        print(f"error: failed: {', '.join(driver.failed)}{waiting}", file=sys.stderr)
        return 1
    BEFORE.unlink(missing_ok=True)
    return 0


def stages_before(repo: Repo) -> set[str]:
    """The stages that dvc.lock had when the run began, of which this one may be the second part."""
    path = Path(repo.root_dir) / BEFORE
    try:
        return TypeAdapter(set[str]).validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        found = locked(repo)
        write_json(path, sorted(found))
        return found


def digests(stage: PipelineStage) -> list[Any]:
    """Of what the stage depends on, as DVC has seen it last."""
    return [dep.hash_info for dep in stage.deps]


def link(source: str, target: str) -> None:
    """The same file under another name; a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def log_of(root: Path, stage: str) -> Path:
    return root / SCRATCH / "logs" / f"{stage}.log"
