"""bash run.sh: the stages of a pack, run where there is neither git nor DVC nor network.

Settings, by environment:
RUNS             the runs to do, of those packed (unet grid/adam-0.001); without it all
WORKERS          stages at a time; without it as many as there are GPUs, at least one
SECONDS_ALL      after so many seconds no further training begins
RESULTS          the folder for what `make unpack` takes; without it results/ beside run.sh
RESULT_PART      the size of its files at most, 16M for instance; without it one file
WITHOUT_WEIGHTS  1: outputs with weights stay behind
WORK             the folder to work in; without it work/ beside run.sh

Killed at any moment and started again it goes on: finished stages are not repeated, a training goes on at its
last checkpoint. The results are written anew after each stage.
"""

import fcntl
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from brisc.atomic import write_json
from brisc.devices import devices
from brisc.errors import InputError
from pipeline.objects import digest, files_of
from pipeline.remote import launch
from pipeline.words import kind, last_words

PACK, RESULTS = "pack.json", "results.json"
WEIGHTS = "weights.pt"
UNKNOWN = "unknown"  # the version of what is there under another name
TAIL = 30  # lines of a log that come back
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Settings:
    runs: list[str]
    workers: int
    seconds: float
    results: Path
    part: str
    without_weights: bool
    work: Path


def settings_of(environment: Mapping[str, str], here: Path) -> Settings:
    for name in ("WORKERS", "SECONDS_ALL"):
        if not re.fullmatch(r"([1-9]\d*)?", environment.get(name, "")):
            raise InputError(
                "not a number", where=name, got=environment[name], expected="1 or more", mend="Correct it."
            )
    return Settings(
        runs=environment.get("RUNS", "").split(),
        workers=int(environment.get("WORKERS") or max(1, len(devices(environment)))),
        seconds=float(environment.get("SECONDS_ALL") or "inf"),
        results=Path(environment.get("RESULTS") or here / "results"),
        part=environment.get("RESULT_PART", ""),
        without_weights=leaves_weights(environment),
        work=Path(environment.get("WORK") or here / "work").absolute(),
    )


def leaves_weights(environment: Mapping[str, str]) -> bool:
    return environment.get("WITHOUT_WEIGHTS", "") not in ("", "0")


# --- packages


def missing(packages: Mapping[str, Any]) -> list[str]:
    """The packages that are not installed: of those that the code imports, and of what such a one needs."""
    found, waiting = set[str](), [name for name, package in packages.items() if package["imported"]]
    while waiting:
        name = waiting.pop()
        if name not in found and find_spec(packages[name]["module"]) is None:
            found.add(name)
            waiting += packages[name]["needs"]
    return sorted(found)


def unnamed(packages: Mapping[str, Any]) -> list[str]:
    """Those that are there without a name and version of their own: pytorch-lightning brings the modules of
    lightning-fabric, and a training that cannot say its version does not begin."""
    return [name for name, found in versions(packages).items() if found == UNKNOWN]


def provide(packages: Mapping[str, Any], here: Path, work: Path) -> None:
    """Install what is missing from the wheels beside run.sh, if there are any, into the folder work/site,
    where stages look for packages first."""
    site = work / "site"
    sys.path.append(str(site))
    if find_spec("mpi4py") is not None:
        # lightning-fabric asks it whether this is a job of MPI, and it fails where libmpi is not installed.
        site.mkdir(parents=True, exist_ok=True)
        (site / "mpi4py.py").write_text("raise ImportError('no training here is a job of MPI')\n", "utf-8")
    lacking = missing(packages)
    wheels = {path.name.split("-")[0].lower().replace("_", "-") for path in here.glob("wheels/*.whl")}
    wanted = dict.fromkeys([*lacking, *unnamed(packages)])
    if offered := [name for name in wanted if name.lower().replace("_", "-") in wheels]:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--upgrade"]
        words = [f"--find-links={here / 'wheels'}", f"--target={site}"]
        subprocess.run([*command, *words, *offered], check=True)
        invalidate_caches()
        lacking = missing(packages)
    if lacking:
        pins = " ".join(f"{name}=={packages[name]['version']}" for name in lacking)
        python = ".".join(platform.python_version_tuple()[:2])
        raise InputError(
            "packages are missing",
            where=sys.executable,
            got=f"no {', '.join(lacking)}",
            expected="what the code imports",
            mend=f"Run pip install {pins}, or where there is a network "
            f'make pack PYTHON_VERSION={python} WHEELS="{" ".join(lacking)}".',
        )


def versions(packages: Mapping[str, Any]) -> dict[str, str]:
    """What is installed here of the packages that the code imports."""
    found = {}
    for name in (name for name, package in packages.items() if package["imported"]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # under another name, as opencv may be
            found[name] = UNKNOWN
    return found


@cache
def machine() -> str:
    """Its GPUs, else its processor."""
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0 and (names := asked.stdout.splitlines()):
            return ", ".join(names)
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)", info.read_text() if info.exists() else "", re.M)
    return found[1] if found else platform.machine()


# --- stages


@dataclass
class Job:
    name: str
    process: subprocess.Popen[str]
    log: IO[str]
    inputs: dict[str, str]
    began: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    rest: str = ""

    def tell(self, *, last: bool = False) -> None:
        *lines, self.rest = (self.rest + self.log.read()).split("\n")
        if last and self.rest:
            lines.append(self.rest)
        for line in lines:
            self.lines.append(line)
            print(f"{self.name}  {line}", flush=True)


def trains(stage: str) -> bool:
    return kind(stage) != "evaluate"


class Node:
    """Runs what a pack holds. All its paths are relative to the folder that it works in."""

    def __init__(self, pack: dict[str, Any], settings: Settings) -> None:
        from pipeline import bundle  # only now: it needs packages

        self.bundle, self.pack, self.settings, self.work = bundle, pack, settings, settings.work
        self.part = bundle.size_of(settings.part, "RESULT_PART")
        self.stages: dict[str, Any] = pack["stages"]
        self.asked = [
            name for name, stage in self.stages.items() if not settings.runs or stage["run"] in settings.runs
        ]
        self.told = {*self.asked, *_told(settings.results / RESULTS)}
        self.made = {output for stage in self.stages.values() for output in stage["outputs"]}
        self.digests: dict[str, str] = {}  # of what was packed: it does not change
        self.began = time.monotonic()
        self.jobs: list[Job] = []
        self.waiting = list(self.asked)
        self.failed: dict[str, Any] = {}
        self.done: dict[str, Any] = {}
        self.stopped: list[int] = []

    def run(self) -> int:
        self._take_up()
        self._write()
        while not self.stopped and (self._step() or self.jobs):
            for job in self.jobs:
                job.tell()
            time.sleep(POLL_SECONDS)
        for job in self.jobs:
            self._end(job)
        done = [name for name in self.asked if name in self.done]
        left = [name for name in self.asked if name not in self.done and name not in self.failed]
        said = f"{len(done)} of {len(self.asked)} stages are done"
        said += f", {len(left)} are left: run the same line again" if left else ""
        print(f"{said}; results in {self.settings.results}", flush=True)
        return 128 + self.stopped[0] if self.stopped else int(bool(self.failed))

    def _take_up(self) -> None:
        """What earlier starts have finished, of the same inputs, with these RUNS or others."""
        for name in self.stages:
            path = self._record(name)
            if not path.is_file() or not self._ready(name):
                continue
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["inputs"] == self._inputs(name) and record["outputs"] == self._outputs(name):
                self.done[name] = record
                if name in self.waiting:
                    self.waiting.remove(name)
                    print(f"{name} is done already", flush=True)

    def _step(self) -> bool:
        """Take in what has ended or begin what is ready. False when there is neither."""
        for job in self.jobs:
            if job.process.poll() is not None:
                self.jobs.remove(job)
                self._finish(job)
                return True
        late = time.monotonic() - self.began > self.settings.seconds
        # Evaluations first: they end what a training has begun.
        for name in sorted(self.waiting, key=trains):
            free = len(self.jobs) < self.settings.workers and not (late and trains(name))
            if free and self._ready(name):
                self.waiting.remove(name)
                self._begin(name)
                return True
        return False

    def _ready(self, name: str) -> bool:
        return all(need in self.done for need in self.stages[name]["needs"])

    def _begin(self, name: str) -> None:
        stage, path = self.stages[name], self.work / "logs" / f"{name}.log"
        for output in stage["outputs"]:
            shutil.rmtree(self.work / output, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as log:
            process = launch(
                stage["command"],
                self.work,
                scratch=self.work / ".scratch",
                env={"PYTHONPATH": str(self.work / "site"), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process, which ends its stages itself
            )
        said = path.open(encoding="utf-8", errors="replace")
        self.jobs.append(Job(name, process, said, self._inputs(name)))
        print(f"{name} begins", flush=True)

    def _finish(self, job: Job) -> None:
        job.tell(last=True)
        job.log.close()
        seconds = round(time.monotonic() - job.began, 1)
        tail = job.lines[-TAIL:]
        if job.process.returncode:
            self.failed[job.name] = {"code": job.process.returncode, "log": tail}
            why = last_words("\n".join(job.lines))
            print(
                f"error: {job.name}: ended with {job.process.returncode}: {why}", file=sys.stderr, flush=True
            )
        else:
            self.done[job.name] = {
                "command": self.stages[job.name]["command"],
                "inputs": job.inputs,
                "outputs": self._outputs(job.name),
                "device": machine(),
                "seconds": seconds,
                "log": tail,
            }
            write_json(self._record(job.name), self.done[job.name])
            print(f"{job.name} is done, {seconds:.0f} s", flush=True)
        self._write()

    def _end(self, job: Job) -> None:
        job.process.terminate()
        try:
            job.process.wait(5)
        except subprocess.TimeoutExpired:
            job.process.kill()
            job.process.wait()

    def _record(self, name: str) -> Path:
        return self.work / "done" / f"{name}.json"

    def _inputs(self, name: str) -> dict[str, str]:
        for path in self.stages[name]["inputs"]:
            if path in self.made or path not in self.digests:
                self.digests[path] = digest(self.work / path)
        return {path: self.digests[path] for path in self.stages[name]["inputs"]}

    def _outputs(self, name: str) -> dict[str, Any]:
        found = {}
        for output in self.stages[name]["outputs"]:
            path = self.work / output
            if path.exists():
                files = files_of(path)
                size = sum(file.stat().st_size for file in files)
                found[output] = {"md5": digest(path), "size": size, "files": len(files)}
        return found

    def _write(self) -> None:
        """The results so far of these RUNS, and of those that the folder has already, as `make unpack` takes
        them."""
        files, behind = list[tuple[str, Path]](), list[str]()
        done = {name: record for name, record in self.done.items() if name in self.told}
        for output in (output for record in done.values() for output in record["outputs"]):
            path = self.work / output
            if self.settings.without_weights and (path / WEIGHTS).exists():
                behind.append(output)
            else:
                files += [(file.relative_to(self.work).as_posix(), file) for file in files_of(path)]
        about = {
            "profile": self.pack["profile"],
            "data": self.pack["data"],
            "machine": machine(),
            "python": platform.python_version(),
            "packages": versions(self.pack["packages"]),
            "stages": done,
            "left_behind": behind,
            "failed": self.failed,
        }
        self.bundle.write(self.settings.results, RESULTS, files, about, self.part)


def _told(results: Path) -> list[str]:
    """The stages that results of an earlier start are of."""
    try:
        return list(json.loads(results.read_text(encoding="utf-8"))["stages"])
    except (OSError, ValueError, LookupError, TypeError):  # none, or what was cut off: written anew
        return []


def hold(work: Path) -> IO[str]:
    """The folder to work in, for this process alone."""
    work.mkdir(parents=True, exist_ok=True)
    lock = (work / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            "another run.sh is at work there",
            where=work,
            got="a held lock",
            expected="none",
            mend="Wait for it, or set both WORK and RESULTS to other folders.",
        ) from None
    return lock


def read_pack(path: Path) -> dict[str, Any]:
    try:
        pack: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(
            "a damaged list", where=path, got="something else", expected="JSON", mend="Bring it again."
        ) from None
    return pack


def main(here: Path) -> int:
    settings = settings_of(os.environ, here)
    with hold(settings.work):
        pack = read_pack(here / PACK)
        known = [stage["run"] for stage in pack["stages"].values()]
        if unknown := [run for run in settings.runs if run not in known]:
            raise InputError(
                "a run that is not packed",
                where="RUNS",
                got=", ".join(unknown),
                expected=f"some of {', '.join(dict.fromkeys(known))}",
                mend="Correct RUNS, or pack it.",
            )
        provide(pack["packages"], here, settings.work)
        node = Node(pack, settings)
        packed = node.bundle.read(here, PACK)
        node.bundle.lay_out(packed, settings.work)
        print(f"{len(packed.files)} files in {settings.work}, equal to what was packed", flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: node.stopped.append(number))
        return node.run()


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(
            f"error: {error.filename or 'disk'}: {error.strerror}. Mend this and run the same line again."
        )
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: pip ended with {error.returncode}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same line again to go on")
