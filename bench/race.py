"""Contestants take turns on the same machine, so that whatever else it does slows them alike; what counts is
their ratio."""

import math
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from brisc.errors import InputError

T = TypeVar("T")

# A fresh interpreter each: allocator settings and peak memory are its own.
PROCESSES = multiprocessing.get_context("spawn")


class Stopped(Exception):
    """The race is over; ends a contestant wherever it is."""


@dataclass(frozen=True)
class Lap:
    """What a contestant did in one turn; peak_mb: the most memory that its process has held so far."""

    images: int
    seconds: float
    peak_mb: int

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds


Laps = list[Lap]
Pace = Callable[..., Iterator[Any]]
Contestant = Callable[[Any, Pace], None]  # (its settings, what it draws its batches through)


class Turns:
    """A contestant's side of the race: it goes through its batches, and is held between turns.

    Called like brisc.progress.Track, so that a training loop can be raced as it stands. A turn begins with
    `skip` batches that do not count: the first ones were prepared while the others had their turns.
    """

    def __init__(self, connection: Connection, skip: int) -> None:
        self.connection, self.skip = connection, skip

    def __call__(self, items: Iterable[dict[str, T]], description: str) -> Iterator[dict[str, T]]:
        supply = iter(items)
        self.connection.send("ready")
        while (batches := self.connection.recv()) > 0:
            for _ in range(self.skip):
                yield next(supply)
            images, began = 0, time.perf_counter()
            for _ in range(batches):
                batch = next(supply)
                images += len(batch["image"])  # type: ignore[arg-type]
                yield batch
            # Here the contestant asks for the next batch, so it is done with this one.
            self.connection.send(Lap(images, time.perf_counter() - began, peak_mb()))
        raise Stopped


def peak_mb() -> int:
    """Most memory this process has held, in MiB; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 if sys.platform == "linux" else 1024**2)


def race(
    contestants: Mapping[str, tuple[Contestant, Any, int]],
    *,
    rounds: int,
    batches: int,
    tell: Callable[[str], None],
) -> dict[str, Laps]:
    """{name: its laps} of {name: (contestant, settings, batches that it prepares ahead)}, each in a process
    of its own.

    The first turn of each, of one batch, is left out: kernels are chosen and memory is touched for the first
    time.
    """
    lines: dict[str, Connection] = {}
    runners = []
    for name, (contestant, settings, ahead) in contestants.items():
        lines[name], theirs = PROCESSES.Pipe()
        runner = PROCESSES.Process(target=_run, args=(contestant, settings, theirs, ahead))
        runner.start()
        # else their end would stay open when the process dies, and we would wait for it forever
        theirs.close()
        runners.append(runner)
    try:
        laps: dict[str, Laps] = {name: [] for name in contestants}
        for name, line in lines.items():
            _receive(line, name)
            line.send(1)
            _receive(line, name)
            tell(f"{name}: ready")
        for number in range(rounds):
            for name, line in lines.items():
                line.send(batches)
                laps[name].append(_receive(line, name))
            tell(
                f"round {number + 1} of {rounds}: "
                + ", ".join(f"{name} {done[-1].rate:.1f}" for name, done in laps.items())
            )
        return laps
    finally:
        for line in lines.values():
            line.close()  # ends the contestants
        for runner in runners:
            runner.join()


def _run(contestant: Contestant, settings: Any, connection: Connection, skip: int) -> None:
    try:
        contestant(settings, Turns(connection, skip))
    except (Stopped, EOFError):
        connection.close()


def _receive(line: Connection, name: str) -> Any:
    try:
        return line.recv()
    except EOFError:
        raise RuntimeError(f"{name} ended before the race did; its error is above") from None


def alternate(actions: Mapping[str, Callable[[], int]], *, rounds: int, patience: float) -> dict[str, Laps]:
    """{name: its laps} of actions that return how many images they did, in turn in this process, after one
    turn to warm up.

    An action whose warm-up took more than `patience` seconds is so slow that warming up is no part of it:
    that is its only lap.
    """
    laps: dict[str, Laps] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            if laps[name] and laps[name][0].seconds > patience:
                continue
            began = time.perf_counter()
            lap = Lap(action(), time.perf_counter() - began, peak_mb())
            if number > 0 or lap.seconds > patience:
                laps[name].append(lap)
    return laps


def rate(laps: Laps) -> float:
    """Images per second: the median over the rounds."""
    return statistics.median(lap.rate for lap in laps)


def ratio(one: Laps, other: Laps) -> dict[str, float]:
    """How many times as fast `one` is: {"median", "low", "high"} over the rounds, each compared within
    itself."""
    ratios = [a.rate / b.rate for a, b in zip(one, other, strict=True)]
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """The b of seconds = a * sizes ** b: the least-squares slope in logarithms."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(value) for value in seconds]
    ).slope


def in_child(function: Callable[..., T], *arguments: Any) -> T:
    """What `function` returns in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=PROCESSES) as pool:
        return pool.submit(_call, function, arguments).result()


def _call(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    try:
        return function(*arguments)
    except InputError as error:
        # Its arguments are keywords, which exceptions lose between processes.
        raise RuntimeError(str(error)) from None
