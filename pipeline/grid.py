"""make grid: every cell of the grid as a DVC experiment, driven until each has a result.

    python -m pipeline.grid [WORKERS]

Cells are the matrix stages that `dvc repro` runs as well; either finds what the other trained in the
run-cache. An experiment counts as done when its ref says so: grid-<optimiser>-<rate> on the commit that is
checked out, with that cell in its grid.json. What the queue says of it is not asked. A cell without a result
is tried TRIES times; a worker that dies is replaced. Exit code 0 when every cell has a result, else 1.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from brisc.analysis.grid import cell_name
from brisc.config import Grid, load_params
from brisc.devices import devices
from pipeline import command
from pipeline.git import clean_head, experiment_refs, git
from pipeline.queue import Queue, alone
from pipeline.words import last_words, roughly

TRIES = 3
POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 60.0


class Cells:
    """The cells that params.yaml lists, and which of them have a result on commit `head`."""

    def __init__(self, root: Path, head: str, profile: str, axes: Grid) -> None:
        self.root, self.head, self.profile = root, head, profile
        self.cells = {
            cell_name(optimizer, rate): (optimizer, rate)
            for optimizer, rate in itertools.product(axes.optimizers, axes.learning_rates)
        }

    def results(self) -> dict[str, dict[str, Any]]:
        """{cell: its row of grid.json} of the cells with a result; a ref of that name with anything else in
        it is removed."""
        refs, rows = experiment_refs(self.root, self.head), {}
        for cell in self.cells:
            if (ref := refs.get(f"grid-{cell}")) is not None:
                if (row := self._row(ref, cell)) is None:
                    git(self.root, "update-ref", "-d", ref)
                else:
                    rows[cell] = row
        return rows

    def _row(self, ref: str, cell: str) -> dict[str, Any] | None:
        try:
            rows = json.loads(git(self.root, "show", f"{ref}:reports/{self.profile}/grid.json"))["cells"]
            named = [row for row in rows if (row["optimizer"], row["learning_rate"]) == self.cells[cell]]
        except (subprocess.CalledProcessError, json.JSONDecodeError, KeyError):
            return None
        return named[0] if len(rows) == len(named) == 1 else None


class Tally:
    """Tells each cell's result once, and from time to time what is being trained."""

    def __init__(self, grid: Cells) -> None:
        self.grid = grid
        self.told = dict(grid.results())
        self.start()

    def start(self) -> None:
        """From now on the pace counts that the time left is reckoned from."""
        self.began = self.spoke = time.monotonic()
        self.first = len(self.told)

    def update(self, queue: Queue) -> bool:
        """Tell what is new. True when every cell has a result."""
        queue.collect()
        results = self.grid.results()
        for cell in [cell for cell in results if cell not in self.told]:
            self.told[cell] = results[cell]
            self._say(f"grid-{cell}  {described(results[cell])}  {self._left()}")
        if time.monotonic() - self.spoke > HEARTBEAT_SECONDS:
            logs = sorted(queue.logs().items())
            running = [f"{n} {epoch(text)}" for n, text in logs if n.removeprefix("grid-") not in self.told]
            self._say("; ".join(running) or "waiting for workers")
        return len(self.told) == len(self.grid.cells)

    def _say(self, line: str) -> None:
        self.spoke = time.monotonic()
        print(f"[{len(self.told)}/{len(self.grid.cells)}] {line}", flush=True)

    def _left(self) -> str:
        if not (missing := len(self.grid.cells) - len(self.told)):
            return "all done"
        seconds = (time.monotonic() - self.began) / (len(self.told) - self.first) * missing
        return f"about {roughly(seconds)} left"


def drive(grid: Cells, queue: Queue, workers: int) -> None:
    """Run what has no result yet until everything has, or a cell was tried TRIES times. `queue` is left at
    rest."""
    tally, tries, trained = Tally(grid), Counter[str](), 0
    while missing := [cell for cell in grid.cells if cell not in tally.told and tries[cell] < TRIES]:
        have = f"{len(grid.cells) - len(missing)} of {len(grid.cells)} cells have a result"
        print(f"{have}; queueing {len(missing)}", flush=True)
        queue.reset()
        queue.prepare(f"prepare@{grid.profile}", f"plan@{grid.profile}")
        queue.add(missing)
        queue.keep(min(workers, len(missing)))
        tally.start()
        while not tally.update(queue) and (queue.busy() or queue.waiting()):
            if waiting := queue.waiting():
                queue.keep(min(workers, len(queue.workers) + waiting))
            time.sleep(POLL_SECONDS)
        tally.update(queue)
        tries.update(cell for cell in missing if cell not in tally.told)
        logs = queue.logs()
        trained += sum(text.count("Running stage 'grid@") for text in logs.values())
        for cell in missing:
            if cell not in tally.told:
                why = last_words(logs.get(f"grid-{cell}") or queue.what_workers_said())
                print(f"grid-{cell} ended without a result (try {tries[cell]} of {TRIES}): {why}", flush=True)
        queue.stop()
    if len(tally.told) == len(grid.cells):
        queue.discard()  # else its logs may be wanted
    have = f"{len(tally.told)} of {len(grid.cells)} cells have a result"
    print(f"{have}; {trained} trained now, the others were found", flush=True)


def described(row: dict[str, Any]) -> str:
    if row["score"] is None:
        return f"diverged in epoch {row['diverged_at']}"
    return f"{row['score']:.4f} in epoch {row['epoch']}"


def epoch(log: str) -> str:
    """The last epoch that a training told of."""
    found = re.findall(r"^epoch (\d+/\d+)", log, re.M)
    return f"epoch {found[-1]}" if found else "starts"


def how_many(*words: str) -> int:
    """Workers as the command line says, else one for each GPU, at least one."""
    return command.workers("make grid", *words) or max(1, len(devices(os.environ)))


def main(*words: str) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = Path.cwd()
    head, params = clean_head(root), load_params()
    grid = Cells(root, head, params.profile, params.grid)
    queue = Queue(root, head, params.profile)
    workers = how_many(*words)
    with alone(root) as only:
        if not only:
            sys.exit("error: .scratch/queue.lock: another make grid runs here. Wait for it or end it.")
        try:
            drive(grid, queue, workers)
        finally:
            queue.stop()
    return 0 if grid.results().keys() == grid.cells.keys() else 1


if __name__ == "__main__":
    command.run(main)
