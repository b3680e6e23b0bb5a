"""make repro: `dvc repro`, and where it is: stage k of n, epoch, time left.

    python -m pipeline.repro

DVC's lines and the stages' pass through as they are, errors and progress bars untouched, and its exit code is
this one's. Times are those that stages took here before, from .scratch/seconds.json. A stage never timed here
is taken to last as long as its likes, a training as long as other models' trainings; where there is none it
is counted and said to be unknown.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import networkx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from pydantic import TypeAdapter

from brisc.atomic import write_json
from pipeline import command
from pipeline.dvc import DVC
from pipeline.locks import release_dead
from pipeline.processes import end, end_with_parent
from pipeline.words import roughly

MARK = "BRISC_REPRO"
SECONDS = Path(".scratch/seconds.json")
RUNS = re.compile(r"Running stage '(.+)':")
RESTS = re.compile(r"Stage '(.+)' (didn't change, skipping|is cached - skipping run)")
EPOCH = re.compile(r"epoch (\d+)/(\d+) ")


@dataclass
class Progress:
    """What is known of a run: how many stages there are, which may still run, and how long each took
    before."""

    stages: int
    pending: set[str]  # no more than these run; of these a stage whose inputs come out as they were does not
    seconds: dict[str, float]
    seen: int = 0
    ran: list[str] = field(default_factory=list)
    stage: str | None = None
    began: float = 0.0

    def read(self, line: str, now: float) -> str | None:
        """Take in a line of DVC or of a stage. What there is to say before it, if anything."""
        if (match := RUNS.match(line)) or RESTS.match(line):
            self.close(now)
            self.seen += 1
            if match is None:
                self.pending.discard(RESTS.match(line)[1])  # type: ignore[index]
                return None
            self.stage, self.began = match[1], now
            self.pending.discard(match[1])
            self.ran.append(match[1])
            return f"== stage {self.seen} of {self.stages}: {match[1]}, {self.left(self.expected(match[1]))}"
        return None

    def after(self, line: str, now: float) -> str:
        """What to add to a line that tells of an epoch: the time left of the whole run."""
        if self.stage is None or (match := EPOCH.match(line)) is None:
            return ""
        done, epochs = int(match[1]), int(match[2])
        of_this = (now - self.began) / done * (epochs - done)
        return f"  [stage {self.seen} of {self.stages}, {self.left(of_this)}]"

    def close(self, now: float) -> None:
        """The stage that ran is done."""
        if self.stage is not None:
            self.seconds[self.stage] = round(now - self.began, 1)
            self.stage = None

    def expected(self, stage: str) -> float | None:
        """Seconds of a stage: its own last time, else the mean of its kind, else None."""
        if stage in self.seconds:
            return self.seconds[stage]
        kind = stage.split("@")[0]
        alike = [seconds for other, seconds in self.seconds.items() if other.split("@")[0] == kind]
        return fmean(alike) if alike else None

    def left(self, of_this: float | None) -> str:
        """In words: this stage and all that may follow."""
        times = [of_this, *(self.expected(stage) for stage in sorted(self.pending))]
        known, unknown = [seconds for seconds in times if seconds is not None], times.count(None)
        words = [roughly(sum(known))] if known else []
        words += [f"{unknown} stage{'s' if unknown > 1 else ''} never timed here"] if unknown else []
        return f"at most {' and '.join(words)} left"


def plan() -> tuple[int, set[str]]:
    """How many stages there are, and the names of those that may run: what is changed now and everything that
    follows from it."""
    with Repo() as repo:
        graph = repo.index.graph  # edges lead from a stage to what it depends on
        changed = set(repo.status())
        pending = {
            stage
            for node in graph
            if node.addressing in changed
            for stage in (node, *networkx.ancestors(graph, node))
        }
        return len(graph), {stage.addressing for stage in pending}


def remembered() -> dict[str, float]:
    """The times of earlier runs; none where there is no file, or one that a power cut emptied."""
    try:
        return TypeAdapter(dict[str, float]).validate_json(SECONDS.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        print(f"{SECONDS}: not readable, so the times of earlier runs are forgotten", flush=True)
        return {}


def remember(seconds: dict[str, float]) -> None:
    """For the next run's estimates, which are not worth more than a run on a full disk."""
    with contextlib.suppress(OSError):
        write_json(SECONDS, seconds)


def tidy_after(process: subprocess.Popen[str], mark: str) -> None:
    """Wait for DVC. If it was killed, end what it had started: a stage not yet up when its parent died knows
    nothing of it."""
    if process.wait() < 0:
        end(MARK, mark)


def main() -> int:
    release_dead(Path(".dvc/tmp"))
    try:
        stages, pending = plan()
    except DvcException:
        # DVC says in its own words what is wrong.
        return subprocess.run([*DVC, "repro"], check=False).returncode
    progress, began = Progress(stages, pending, remembered()), time.monotonic()
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
        preexec_fn=end_with_parent,
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
    print(f"== {len(progress.ran)} of {stages} stages ran, in {roughly(time.monotonic() - began)}")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    command.run(main)
