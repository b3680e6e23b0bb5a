"""Where a run of the pipeline is: stage k of n, epoch, time left.

Times are those that stages took here before, from .scratch/seconds.json. A stage never timed here is taken to
last as long as its likes, a training as long as other models' trainings; where there is none it is counted
and said to be unknown.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from pydantic import TypeAdapter
from rich.live import Live
from rich.table import Table

from brisc.atomic import write_json
from pipeline.words import kind, roughly

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
        runs, rests = RUNS.match(line), RESTS.match(line)
        if not (match := runs or rests):
            return None
        self.close(now)
        self.seen += 1
        self.pending.discard(match[1])
        if rests:
            return None
        self.stage, self.began = match[1], now
        self.ran.append(match[1])
        return f"== stage {self.seen} of {self.stages}: {match[1]}, {self.left(self.expected(match[1]))}"

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
        alike = [seconds for other, seconds in self.seconds.items() if kind(other) == kind(stage)]
        return fmean(alike) if alike else None

    def left(self, *running: float | None, workers: int = 1) -> str:
        """In words: the stages that run now, with so many seconds left, and all that may follow."""
        times = [*running, *(self.expected(stage) for stage in sorted(self.pending))]
        known, unknown = [seconds for seconds in times if seconds is not None], times.count(None)
        words = [roughly(max(sum(known) / workers, *known))] if known else []
        words += [f"{unknown} stage{'s' if unknown > 1 else ''} never timed here"] if unknown else []
        return f"{'at most' if workers == 1 else 'about'} {' and '.join(words)} left"


class Screen:
    """One live table in a terminal; lines in a log."""

    def __init__(self) -> None:
        self.live = Live(auto_refresh=False, transient=True) if sys.stdout.isatty() else None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        if self.live is None:
            yield
        else:
            with self.live:
                yield

    def say(self, line: str) -> None:
        if self.live is None:
            print(line, flush=True)
        else:
            self.live.console.print(line, markup=False, highlight=False)

    def detail(self, line: str) -> None:
        """What the table shows as well."""
        if self.live is None:
            self.say(line)

    def show(self, rows: list[tuple[str, str, str]], caption: str) -> None:
        if self.live is not None:
            table = Table("stage", "epoch", "time left", caption=caption, caption_justify="left")
            for row in rows:
                table.add_row(*row)
            self.live.update(table, refresh=True)


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
