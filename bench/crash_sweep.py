"""kill -9 at random moments, Ctrl-C, a flipped bit, a full disk: does the same command, run again, end as if
nothing had been?

    python bench/crash_sweep.py [MOMENTS] [--parts repro,workers,grid,interrupt,cache,disk,ray] [--whole]
        [--seed]

Works on a clone of the commit that is checked out, in a temporary folder. By default with a smaller demo:
fewer phantoms, one model, a grid of one cell in `make repro` and of four in `make grid`; --whole takes the
demo as it is. MOMENTS (30) are shared by `make repro` and `make grid`. Prints a Markdown table for each part.
Exit code 1 if any run did not come through.

A moment is a place in the unbroken run, a stage and a time since it began, so that it is the same on a busy
machine.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is started as a file

from brisc.config import read_yaml
from pipeline import objects
from pipeline.git import experiment_refs, git
from pipeline.processes import marked
from pipeline.remote import sha256

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("repro", "workers", "grid", "interrupt", "cache", "disk")
RAY = ["-m", "bench.nodes", sys.executable, "-m", "pipeline.repro"]  # of --parts ray, which needs Ray
REPRO, WORKERS = (["-m", "pipeline.repro", workers] for workers in ("1", "2"))
GRID, VERIFY = (["-m", "pipeline.grid", "2"], ["-m", "pipeline.verify"])
MARK = "BRISC_CRASH_SWEEP"
GRACE_SECONDS = 5.0
RUNNING = re.compile(r"== stage \d+ of \d+: (\S+), ")
EPOCH = r"^(\S+  )?epoch \d"  # with several workers after the stage's name

# What is killed, and how its command line is known. "all" is the command with everything it started in its
# process group.
REPRO_VICTIMS = {
    "the stage": "stages/",
    "dvc": "pipeline.dvc repro",
    "make repro": "pipeline.repro",
    "all of them": None,
}
WORKERS_VICTIMS = {"the stage": "stages/", "make repro": "pipeline.repro", "all of them": None}
GRID_VICTIMS = {
    "a training": "stages/train.py",
    "a worker": "queue-worker",
    "an experiment": "exec-run",
    "make grid": None,
}

# The smaller demo. Every copy and neighbour is still planted, so that no stage is trivial.
SMALLER = {
    "phantom": {
        "slices": {"train": 110, "test": 24},
        "copies_within_train": 1,
        "neighbours": 1,
        "neighbours_within_train": 1,
    }
    | {f"copies_{kind}": 1 for kind in ("same_bytes", "same_pixels", "reencoded", "rescaled", "mirrored")},
    "data": {"expected": {"images": {"train": 110, "test": 24}, "pairs": {"train": 86, "test": 21}}},
    "train": {"epochs": 4, "checkpoint_seconds": 0.0},
    "grid": {"epochs": 3},
    "evaluate": {"bootstrap_resamples": 100},
}
FEWER = {
    "runs": ["unet"],
    "export": ["unet"],
    "grid": {"optimizers": ["adam"], "learning_rates": [1e-3]},
}
CELLS = {"grid": {"optimizers": ["adam", "sgd"], "learning_rates": [1e-4, 1e-3]}}


def merge(content: dict, changes: dict) -> None:
    for key, value in changes.items():
        if isinstance(value, dict):
            merge(content[key], value)
        else:
            content[key] = value


def edit(path: Path, changes: dict) -> None:
    content = read_yaml(path)
    merge(content, changes)
    path.write_text(yaml.safe_dump(content))


def processes(place: Path) -> list[psutil.Process]:
    """Everything alive that was started for the clone at `place`, orphans included."""
    return marked(MARK, str(place))


@dataclass
class Run:
    """A command at work in a clone: what it has printed so far, and when each stage began."""

    place: Path
    process: subprocess.Popen[str]
    began: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if match := RUNNING.match(line):
                self.stages[match[1]] = time.monotonic() - self.began

    def finish(self) -> int:
        code = self.process.wait()
        self.seconds = time.monotonic() - self.began
        self.reader.join(timeout=30)
        return code

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.output, re.M))

    def victim(self, command: str | None) -> psutil.Process | None:
        """The process whose command line has `command`; of several the oldest."""
        found = []
        for process in processes(self.place):
            try:
                if command is not None and command in " ".join(process.cmdline()):
                    found.append((process.create_time(), process.pid, process))
            except psutil.Error:
                continue
        return min(found)[2] if found else None

    def left(self) -> int:
        """How many of its processes live on GRACE_SECONDS from now; returns as soon as none does."""
        deadline = time.monotonic() + GRACE_SECONDS
        while processes(self.place) and time.monotonic() < deadline:
            time.sleep(0.1)
        return len(processes(self.place))


class Bench:
    """A folder of clones: `template`, in which nothing has run, and copies of it, one for each broken run."""

    def __init__(self, folder: Path, *, whole: bool) -> None:
        self.folder, self.copies = folder, 0
        self.template = folder / "template"
        git(ROOT, "clone", "--quiet", str(ROOT), str(self.template))
        if not whole:
            edit(self.template / "profiles/demo.yaml", SMALLER)
            edit(self.template / "params.yaml", FEWER)
        (self.template / "dvc.lock").unlink(missing_ok=True)  # which would hold results of before
        self.commit(self.template, "where every run begins")

    def commit(self, place: Path, message: str) -> None:
        git(place, "add", "--all")
        identity = ["-c", "user.name=sweep", "-c", "user.email=sweep@localhost"]
        git(place, *identity, "commit", "--quiet", "--allow-empty", "--message", message)

    def copy(self, source: Path, to: Path | None = None) -> Path:
        self.copies += 1
        place = to or self.folder / f"copy-{self.copies}"
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
        return place

    def start(self, place: Path, command: list[str]) -> Run:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "BRISC_"))
        }
        environment |= {
            MARK: str(place),
            "PYTHONPATH": str(place / "src"),
            "PYTHONUNBUFFERED": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(self.folder / "site"),
        }
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=place,
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Run(place, process)

    def finish(self, place: Path, command: list[str]) -> Run:
        """Run to the end; this one must succeed."""
        run = self.start(place, command)
        if code := run.finish():
            sys.exit(f"error: an unbroken run ended with {code}:\n{run.output[-4000:]}")
        return run


def content(place: Path) -> dict[str, str]:
    """SHA-256 of all results and of dvc.lock, which has the MD5 of everything else."""
    files = [place / "dvc.lock", *place.glob("runs/**/*"), *place.glob("reports/**/*")]
    named = {path.relative_to(place).as_posix(): path for path in files if path.is_file()}
    return {name: sha256(named[name]) for name in sorted(named)}


def cells(place: Path) -> dict[str, str]:
    """{experiment: MD5 of its cell's files, weights among them} as the refs of the commit that is checked out
    say."""
    found = {}
    for name, ref in experiment_refs(place, git(place, "rev-parse", "HEAD")).items():
        stages = yaml.safe_load(git(place, "show", f"{ref}:dvc.lock"))["stages"]
        outs = [
            out["md5"] for key, stage in stages.items() if key.startswith("grid@") for out in stage["outs"]
        ]
        found[name] = " ".join(outs)
    return found


def finished(place: Path) -> set[str]:
    """The stages that dvc.lock says are done."""
    lock = place / "dvc.lock"
    return set((read_yaml(lock) or {}).get("stages", {})) if lock.exists() else set()


def stored(place: Path) -> set[str]:
    """Those of them whose results DVC's cache has: on a full disk it says that it could not store one, and
    goes on."""
    stages = read_yaml(place / "dvc.lock")["stages"] if finished(place) else {}

    def held(digest: str) -> bool:
        path = objects.path_of(place / ".dvc" / "cache", digest)
        if not path.is_file() or path.suffix != ".dir":
            return path.is_file()
        return all(held(entry["md5"]) for entry in json.loads(path.read_bytes()))

    return {
        name
        for name, stage in stages.items()
        if all(
            held(out["md5"]) for out in stage["outs"] if out["path"].split("/")[0] in ("data", "runs", "site")
        )
    }


def await_moment(run: Run, unbroken: Run, when: float) -> str:
    """Wait until `run` is where `unbroken` was after `when` seconds, or has ended. Where that is, in
    words."""
    stage, begun = max(
        ((s, t) for s, t in unbroken.stages.items() if t <= when), key=lambda pair: pair[1], default=("", 0.0)
    )
    while run.alive and stage and stage not in run.stages:
        time.sleep(0.05)
    time.sleep(when - begun)
    return f"{stage} + {when - begun:.0f} s" if stage else f"{when:.0f} s"


def kill(run: Run, command: str | None) -> bool:
    """kill -9 the process with `command` in its command line, as soon as there is one, or the whole group.
    False if none came."""
    while run.alive:
        try:
            if command is None:
                os.killpg(run.process.pid, signal.SIGKILL)
                return True
            if (victim := run.victim(command)) is not None:
                victim.kill()
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
        time.sleep(0.05)
    return False


def strike(
    bench: Bench, source: Path, command: list[str], unbroken: Run, when: float, hit: Callable[[Run], bool]
) -> tuple[Run, str]:
    """A run of `command` in a copy of `source` that `hit` broke at that moment, and where it was; if it ended
    first, another."""
    while True:
        run = bench.start(bench.copy(source), command)
        where = await_moment(run, unbroken, when)
        if hit(run):
            return run, where
        run.finish()
        shutil.rmtree(run.place)
        when /= 2


def interrupt(run: Run) -> bool:
    """Ctrl-C: a terminal sends it to the whole group."""
    if run.alive:
        os.killpg(run.process.pid, signal.SIGINT)
    return run.alive


class Table:
    """Rows printed as they come, and whether all of them are as they should be. The folder of a run that is
    goes; of one that is not its last words are printed."""

    def __init__(self, *header: str) -> None:
        self.good = True
        for row in (header, ["--"] * len(header)):
            print(f"| {' | '.join(row)} |", flush=True)

    def row(self, *cells: object, good: bool, run: Run, what: str) -> None:
        self.good &= good
        print(f"| {' | '.join(str(cell) for cell in cells)} | {'yes' if good else '**NO**'} |", flush=True)
        if good:
            shutil.rmtree(run.place)
        else:
            print(f"\n```\n{run.place}: {what}\n{run.output[-3000:]}\n```\n", flush=True)


def sweep_repro(
    bench: Bench, unbroken: Run, moments: int, generator: random.Random, *, workers: int = 1
) -> bool:
    """kill -9 during `make repro`."""
    command, victims = (WORKERS, WORKERS_VICTIMS) if workers > 1 else (REPRO, REPRO_VICTIMS)
    expected, epochs = content(unbroken.place), unbroken.count(EPOCH)
    print(
        f"\n`make repro WORKERS={workers}`: {len(unbroken.stages)} stages, {epochs} epochs, "
        f"{unbroken.seconds:.0f} s when nothing breaks it\n"
    )
    table = Table(
        "killed",
        "at",
        "alive 5 s later",
        "finished stages run again",
        "epochs trained twice",
        "same bytes in the end",
    )
    for number in range(moments):
        name = list(victims)[number % len(victims)]
        hit = partial(kill, command=victims[name])
        run, where = strike(
            bench, bench.template, command, unbroken, generator.uniform(0, unbroken.seconds), hit
        )
        place = run.place
        if name == "the stage":
            run.finish()  # DVC tells of it and ends by itself
        left = run.left()
        run.finish()
        done = finished(place)
        again = bench.start(place, command)
        code = again.finish()
        repeated = sorted(done & set(again.stages))
        twice = run.count(EPOCH) + again.count(EPOCH) - epochs
        same = content(place) == expected
        good = code == 0 and left == 0 and not repeated and twice <= workers and same
        row = name, where, left, ", ".join(repeated) or 0, twice
        table.row(*row, good=good, run=again, what=f"code {code}, same {same}")
    return table.good


def sweep_grid(bench: Bench, source: Path, unbroken: Run, moments: int, generator: random.Random) -> bool:
    """kill -9 during `make grid`. All but the last victim are the driver's to replace; the last needs the
    command again."""
    expected = cells(unbroken.place)
    print(f"\n`make grid`: {len(expected)} cells, {unbroken.seconds:.0f} s when nothing breaks it\n")
    table = Table(
        "killed",
        "at",
        "alive 5 s later",
        "run again",
        "finished cells trained again",
        "same weights in the end",
    )
    for number in range(moments):
        name = list(GRID_VICTIMS)[number % len(GRID_VICTIMS)]
        hit = partial(kill, command=GRID_VICTIMS[name])
        run, where = strike(bench, source, GRID, unbroken, generator.uniform(0, unbroken.seconds), hit)
        place = run.place
        left, again, by_hand = 0, run, "no"
        done = 0
        if GRID_VICTIMS[name] is None:
            left, by_hand = run.left(), "yes"
            run.finish()
            done = len(cells(place))
            again = bench.start(place, GRID)
        code = again.finish()
        trained = sum(int(count) for count in re.findall(r"(\d+) trained now", again.output))
        broken = 1 if name in ("a training", "an experiment") else 0
        repeated = max(0, trained - (len(expected) - done) - broken)
        same = cells(place) == expected
        good = code == 0 and left == 0 and repeated == 0 and same and not processes(place)
        what = f"code {code}, {trained} trained, {done} done before, same {same}"
        table.row(name, where, left, by_hand, repeated, good=good, run=again, what=what)
    return table.good


def sweep_interrupt(
    bench: Bench, source: Path, repro: Run, grid: Run, moments: int, generator: random.Random
) -> bool:
    print("\nCtrl-C\n")
    table = Table("command", "at", "everything ended after", "run again: same in the end")
    for _ in range(moments):
        for name, begin, command, unbroken, result in (
            ("make repro", bench.template, REPRO, repro, content),
            ("make grid", source, GRID, grid, cells),
        ):
            when = generator.uniform(0.1, 0.9) * unbroken.seconds
            run, where = strike(bench, begin, command, unbroken, when, interrupt)
            pressed = time.monotonic()
            while processes(run.place) and time.monotonic() - pressed < 60:
                time.sleep(0.05)
            seconds = time.monotonic() - pressed
            run.finish()
            again = bench.start(run.place, command)
            good = (
                again.finish() == 0
                and seconds < GRACE_SECONDS
                and result(run.place) == result(unbroken.place)
            )
            table.row(name, where, f"{seconds:.1f} s", good=good, run=again, what=run.output[-1000:])
    return table.good


def sweep_cache(bench: Bench, unbroken: Run, generator: random.Random) -> bool:
    """One flipped bit in objects of DVC's cache: found, named, and made again although the work tree has lost
    it too."""
    expected = content(unbroken.place)
    print("\nA flipped bit in DVC's cache\n")
    table = Table("object", "found by make verify", "same bytes after make repro")
    for pattern in ("weights.pt", "raw.zip", ".dir"):
        place = bench.copy(unbroken.place)
        digests = {objects.md5(path) for path in place.rglob(pattern) if ".dvc" not in path.parts}
        cached = objects.objects(place / ".dvc" / "cache")
        damaged = generator.choice([path for md5, path in cached if path.suffix == pattern or md5 in digests])
        damaged.chmod(0o644)
        whole = bytearray(damaged.read_bytes())
        whole[len(whole) // 2] ^= 1
        damaged.write_bytes(whole)
        shutil.rmtree(place / "runs")
        shutil.rmtree(place / "data")
        first = bench.start(place, VERIFY)
        found = first.finish() == 1 and str(damaged) in first.output
        again = bench.start(place, REPRO)
        code = again.finish()
        good = found and code == 0 and content(place) == expected and bench.start(place, VERIFY).finish() == 0
        row = pattern.removeprefix("."), "yes" if found else "**NO**"
        table.row(*row, good=good, run=again, what=f"code {code}\n{first.output}")
    return table.good


def sweep_disk(bench: Bench, unbroken: Run) -> bool:
    """The disk full at several places of a run, on a small tmpfs: told in clear words, nothing finished is
    lost."""
    print("\nA full disk\n")
    mount = bench.folder / "disk"
    mount.mkdir()
    before, after = (
        sum(p.stat().st_size for p in q.rglob("*") if p.is_file()) for q in (bench.template, unbroken.place)
    )
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], capture_output=True, check=False
    ).returncode:
        print("skipped: it takes a small file system of its own, and only root may mount one here")
        return True
    table = Table("space", "says", "stored stages run again", "same bytes once there is space")
    try:
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            size = int(before * 1.25 + share * (after - before))
            subprocess.run(["mount", "-o", f"remount,size={size}", "tmpfs", str(mount)], check=True)
            place = bench.copy(bench.template, mount / f"share-{share}")
            run = bench.start(place, REPRO)
            failed = run.finish()
            words = re.findall(r"No space left on device|disk is full|disk full", run.output)
            done = stored(place)
            subprocess.run(["mount", "-o", "remount,size=8g", "tmpfs", str(mount)], check=True)
            again = bench.start(place, REPRO)
            code = again.finish()
            repeated = sorted(done & set(again.stages))
            traceback = "Traceback" in run.output
            good = failed != 0 and bool(words) and not traceback and code == 0 and not repeated
            good &= content(place) == content(unbroken.place)
            says = words[0] if words else f"code {failed}"
            row = f"{size / 2**20:.0f} MiB", says, ", ".join(repeated) or 0
            what = f"code {failed}, then {code}\n{again.output[-1500:]}"
            table.row(*row, good=good, run=run, what=what)
            shutil.rmtree(place, ignore_errors=True)  # its space is needed
    finally:
        subprocess.run(["umount", str(mount)], check=False)
    return table.good


def sweep_ray(bench: Bench, unbroken: Run, moments: int, generator: random.Random) -> bool:
    """kill -9 of a node, or of the worker of a training, in mid-training on a cluster of two nodes."""
    expected = content(unbroken.place)
    print("\n`make repro ON=ray`, two nodes\n")
    table = Table("killed", "at", "went on from a checkpoint", "code", "same bytes in the end")
    for number in range(moments):
        run = bench.start(bench.copy(bench.template), RAY)
        epoch = generator.randint(1, 3)  # of four
        while run.alive and not (mark := re.search(rf"^(train@\S+)  epoch {epoch}/", run.output, re.M)):
            time.sleep(0.05)
        name = ("raylet", "ray::")[number % 2]
        killed = mark is not None and kill_above(run, mark[1], name)
        code = run.finish()
        same = content(run.place) == expected
        good = killed and code == 0 and same
        where = f"{mark[1]}, epoch {epoch}" if mark and killed else "not killed"
        resumed = "yes" if re.search(r"^train@\S+  resum", run.output, re.M) else "no"
        row = "a node" if name == "raylet" else "a worker", where, resumed, code
        table.row(*row, good=good, run=run, what=f"code {code}, same {same}")
    return table.good


def kill_above(run: Run, stage: str, name: str) -> bool:
    """kill -9 the process of Ray that the stage's runs below: its worker or its node."""
    words = f"stages/train.py {stage.removeprefix('train@').replace('-', ' ', 1)}"
    for process in psutil.Process(run.process.pid).children(recursive=True):
        try:
            if words in " ".join(process.cmdline()) and "ray::" not in process.cmdline()[0]:
                for parent in process.parents():
                    if name in parent.cmdline()[0]:
                        parent.kill()
                        return True
        except (psutil.Error, IndexError):
            continue
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description="Crash safety of make repro and make grid, measured.")
    parser.add_argument("moments", nargs="?", type=int, default=30)
    parser.add_argument("--parts", default=",".join(PARTS), help="of these, or ray")
    parser.add_argument("--whole", action="store_true", help="the demo as it is, not a smaller one")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    # A job in the background of a script ignores Ctrl-C, and so does all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parts = arguments.parts.split(",")
    if unknown := sorted(set(parts) - {*PARTS, "ray"}):
        parser.error(f"--parts: got {', '.join(unknown)}, expected of {', '.join(PARTS)}, ray")
    if git(ROOT, "status", "--porcelain"):
        print("note: the commit is measured, not what differs from it in the work tree", file=sys.stderr)
    generator, good = random.Random(arguments.seed), True
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name).resolve(), whole=arguments.whole)
        of_repro = of_grid = arguments.moments
        if {"repro", "grid"} <= set(parts):
            of_grid //= 2
            of_repro -= of_grid
        if set(parts) != {"grid"}:
            repro = bench.finish(bench.copy(bench.template), REPRO)
        if "repro" in parts:
            good &= sweep_repro(bench, repro, of_repro, generator)
        if "workers" in parts:
            unbroken = bench.finish(bench.copy(bench.template), WORKERS)
            same = content(unbroken.place) == content(repro.place)
            print(f"\nthe same bytes with one worker and with two: {'yes' if same else '**NO**'}")
            good &= same and sweep_repro(bench, unbroken, arguments.moments // 2, generator, workers=2)
        if "grid" in parts or "interrupt" in parts:
            source = bench.copy(bench.template)
            if not arguments.whole:
                edit(source / "params.yaml", CELLS)
            bench.finish(source, ["-m", "dvc", "repro", "prepare@demo"])
            bench.commit(source, "data is there")
            grid = bench.finish(bench.copy(source), GRID)
        if "grid" in parts:
            good &= sweep_grid(bench, source, grid, of_grid, generator)
        if "interrupt" in parts:
            good &= sweep_interrupt(bench, source, repro, grid, max(1, arguments.moments // 10), generator)
        if "cache" in parts:
            good &= sweep_cache(bench, repro, generator)
        if "ray" in parts:
            good &= sweep_ray(bench, repro, arguments.moments, generator)
        if "disk" in parts:
            good &= sweep_disk(bench, repro)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
