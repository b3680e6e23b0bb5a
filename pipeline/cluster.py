"""Parcels as tasks of a Ray cluster. Nothing else imports ray.

Inputs travel by content, once to each node, through Ray's object store or the folder BRISC_SHARED; outputs
come back as one object. A task whose worker or node is lost runs again elsewhere, LOST times; a stage's own
error is its result. A task ends with the driver that owns it.
"""

import io
import os
import shutil
import signal
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from brisc.atomic import atomic
from brisc.config import Train, load, load_params
from brisc.errors import InputError
from pipeline import processes, remote
from pipeline.objects import files_of
from pipeline.parcel import Parcel
from pipeline.place import Local, Running
from pipeline.processes import with_parent
from pipeline.words import kind

LOST = 3  # lost workers or nodes, for each stage
PART = 32 * 2**20  # bytes of an object, so that a small object store does
STORE = 200 * 2**20  # bytes of a local Ray's object store
LOOK_SECONDS = 2.0


class Lines:
    """What tasks print, till the driver asks. On the driver's node, whatever node is lost."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def say(self, key: str, text: str) -> None:
        self.texts[key] = self.texts.get(key, "") + text

    def take(self) -> dict[str, str]:
        texts, self.texts = self.texts, {}
        return texts


class Task:
    """A stage that runs somewhere in the cluster."""

    def __init__(self, cluster: "Cluster", ref: Any, folder: Path, log: Path) -> None:
        self.cluster, self.ref, self.folder, self.log = cluster, ref, folder, log
        self.code: int | None = None

    def poll(self) -> int | None:
        self.cluster.hear()
        if self.code is None and ray.wait([self.ref], timeout=0)[0]:
            try:
                self.code, outputs = ray.get(self.ref)
                if outputs:
                    with tarfile.open(fileobj=io.BytesIO(outputs)) as tar:
                        tar.extractall(self.folder, filter="data")
            except ray.exceptions.RayError as error:
                self.code = 1
                self.tell(f"error: lost on the cluster: {str(error).strip().splitlines()[-1]}\n")
            self.cluster.hear(now=True)
            self.cluster.tasks.pop(str(self.log), None)
        return self.code

    def tell(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(text)


class Cluster:
    """The cluster at RAY_ADDRESS, else a Ray of this machine."""

    def __init__(self, root: Path, workers: int | None) -> None:
        self.root, self.workers, self.looked, self.heard = root, workers, -LOOK_SECONDS, 0.0
        self.local = Local(root, 1)
        self.train: Train = load(load_params().profile, "train")
        self.shared = os.environ.get("BRISC_SHARED")
        self.timeout = seconds_of("BRISC_TIMEOUT")
        self.refs: dict[str, list[Any]] = {}
        self.digests: dict[tuple[int, ...], str] = {}
        self.tasks: dict[str, Task] = {}
        self.found = 1
        connect()
        for module in (remote, processes, sys.modules[__name__]):  # a node has none of them
            ray.cloudpickle.register_pickle_by_value(module)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.lines = (
            ray.remote(Lines)
            .options(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)
            .remote()
        )

    def slots(self) -> int:
        """WORKERS, else as many as the nodes of this moment can run."""
        if self.workers:
            return self.workers
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self.looked = time.monotonic()
            have, need = ray.cluster_resources(), self.needs("train")
            self.found = max(1, min(int(have.get(kind, 0) // count) for kind, count in need.items() if count))
        return self.found

    def needs(self, stage: str) -> dict[str, float]:
        """What a stage asks for: its GPUs where the cluster has some, else cores."""
        if self.train.accelerator in ("auto", "cuda") and ray.cluster_resources().get("GPU"):
            devices = {"train": self.train.devices, "grid": self.train.devices, "evaluate": 1}
            return {"GPU": devices.get(stage, 0), "CPU": 1}
        cores = [each["Resources"].get("CPU", 0) for each in ray.nodes() if each["Alive"]]
        return {"CPU": 1 if self.train.portable_cpu else max(1, min(filter(None, cores), default=1))}

    def start(self, parcel: Parcel, folder: Path, log: Path) -> Running:
        if kind(parcel.stage) == "fetch":  # the data, or the network, are the driver's
            return self.local.start(parcel, folder, log)
        log.write_bytes(b"")
        files = {path.relative_to(folder).as_posix(): self.send(path) for path in files_of(folder)}
        need = self.needs(kind(parcel.stage))
        task = ray.remote(run).options(
            num_cpus=need["CPU"], num_gpus=need.get("GPU", 0), max_retries=LOST, name=parcel.stage
        )
        # Inside a list, references reach the node without what they refer to.
        refs = {digest: self.refs.get(digest, []) for digest in files.values()}
        ref = task.remote(
            refs,
            self.lines,
            str(log),
            self.shared,
            command=parcel.command,
            files=files,
            outputs=parcel.outputs,
            scratch=os.environ.get("BRISC_SCRATCH"),
            seconds=self.timeout,
        )
        self.tasks[str(log)] = Task(self, ref, folder, log)
        return self.tasks[str(log)]

    def send(self, path: Path) -> str:
        """Make the file's content known to all nodes, once; its SHA-256."""
        stat = path.stat()
        key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if key not in self.digests:
            self.digests[key] = remote.sha256(path)
        digest = self.digests[key]
        if self.shared:
            target = Path(self.shared, "objects", digest[:2], digest[2:])
            if not target.exists():
                with atomic(target) as temporary:
                    shutil.copyfile(path, temporary)
        elif digest not in self.refs:
            with path.open("rb") as file:
                self.refs[digest] = [ray.put(part) for part in iter(lambda: file.read(PART), b"")]
        return digest

    def hear(self, *, now: bool = False) -> None:
        """Put what tasks have printed into their logs."""
        if not now and time.monotonic() - self.heard < remote.SAY_SECONDS:
            return
        self.heard = time.monotonic()
        try:
            for key, text in ray.get(self.lines.take.remote(), timeout=10).items():
                if key in self.tasks:
                    self.tasks[key].tell(text)
        except ray.exceptions.RayError:  # lines alone are lost
            return

    def tidy(self) -> None:
        for task in self.tasks.values():
            ray.cancel(task.ref, force=True)
        if self.tasks:
            ray.wait([task.ref for task in self.tasks.values()], num_returns=len(self.tasks), timeout=10)
        self.tasks = {}
        self.local.tidy()


def run(
    refs: dict[str, list[Any]], lines: Any, key: str, shared: str | None, **stage: Any
) -> tuple[int, bytes]:
    """On a node. refs: {SHA-256: the parts of that content}, where no folder `shared` has it. lines, key: who
    gets what the stage prints, and under which name. stage: see remote.carry."""

    def fetch(digest: str, path: Path) -> None:
        if shared:
            shutil.copyfile(Path(shared, "objects", digest[:2], digest[2:]), path)
            return
        with path.open("wb") as file:
            for ref in refs[digest]:
                file.write(ray.get(ref))

    def say(text: str) -> None:
        # In order, and there before the result is: the driver reads them last when it has that.
        ray.get(lines.say.remote(key, text))

    # A worker of a raylet that was killed lives on where init is not its next parent, and its task with it.
    with_parent(signal.SIGKILL)()
    environment = {"PYTHONUNBUFFERED": "1"}
    if ray.get_gpu_ids():  # shared out by Ray; lock files in a folder that nodes share would name others'
        environment[remote.LEASED] = os.environ["CUDA_VISIBLE_DEVICES"]
    preexec = with_parent(signal.SIGKILL)
    return remote.carry(fetch=fetch, say=say, environment=environment, preexec=preexec, **stage)


def connect() -> None:
    address = os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {} if address else {"object_store_memory": STORE, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            "no Ray cluster answers",
            where="RAY_ADDRESS",
            got=f"{address}: {str(error).splitlines()[0]}",
            expected="host:port of a head that runs",
            mend="Start it with ray start --head, or unset RAY_ADDRESS for a Ray of this machine.",
        ) from None


def seconds_of(name: str) -> float | None:
    """The positive number of seconds in that variable of the environment; None where it is not set."""
    word = os.environ.get(name)
    if not word:
        return None
    try:
        if (seconds := float(word)) > 0:
            return seconds
    except ValueError:
        pass
    raise InputError(
        "not a time", where=name, got=word, expected="seconds, above 0", mend=f"Set {name}=3600."
    )
