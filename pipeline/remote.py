"""What runs where a stage runs, here or on a node of a cluster: the standard library alone, since a node has
neither DVC nor this tree.

A node keeps a folder of file contents by their SHA-256, and links a stage's inputs from it, so that nothing
travels to it twice.
"""

import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ARCHIVE = "BRISC_ARCHIVE"  # the path of the data, which may be given relative to the repository
LEASED = "BRISC_LEASED"  # brisc.devices: the devices are this process's already
SAY_SECONDS = 0.5


def launch(command: str, folder: Path, *, scratch: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a stage's command in `folder`, which has its inputs. scratch: where it may keep what survives a
    kill. options: of Popen; `env` is added to this process's environment."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DVC_ROOT", "PYTHONPATH")
    }
    if environment.get(ARCHIVE):
        environment[ARCHIVE] = str(Path(environment[ARCHIVE]).absolute())
    environment |= {"BRISC_SCRATCH": str(scratch), **options.pop("env", {})}
    # A shell that nobody needs would stand between the stage and its parent, whose death is to end it.
    command = re.sub(r"^python(?= )", shlex.quote(sys.executable), command)
    shell = re.fullmatch(r"[\w@%+:,./ -]+", command) is None
    words = command if shell else command.split()
    return subprocess.Popen(words, shell=shell, cwd=folder, env=environment, text=True, **options)


def carry(
    *,
    command: str,
    files: Mapping[str, str],
    outputs: tuple[str, ...],
    fetch: Callable[[str, Path], None],
    say: Callable[[str], None],
    scratch: str | None,
    seconds: float | None,
    environment: Mapping[str, str],
    preexec: Callable[[], None],
) -> tuple[int, bytes]:
    """Run a stage on this node: its exit code, and its outputs as a tar when that is 0.

    files: the SHA-256 of each file that it may see. fetch(digest, path): write a content that the node lacks.
    scratch: a folder that nodes share, else the node's own. seconds: how long it may take. say: gets what it
    prints.
    """
    home = Path(tempfile.gettempdir(), f"brisc-{os.getuid()}")
    parcels = home / "parcels"
    parcels.mkdir(parents=True, exist_ok=True)
    sweep(parcels)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parcels))
    try:
        for name, digest in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(kept(home / "objects", digest, fetch), target)
        process = launch(
            command,
            folder,
            scratch=Path(scratch) if scratch else home / "scratch",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            preexec_fn=preexec,
        )
        code = follow(process, say, seconds)
        return code, b"" if code else packed(folder, outputs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parcels: Path) -> None:
    """Remove the parcels of workers that are no more; each name begins with a process's number."""
    for path in parcels.iterdir():
        number = path.name.partition("-")[0]
        if number.isdecimal() and not Path("/proc", number).exists():
            shutil.rmtree(path, ignore_errors=True)


def kept(objects: Path, digest: str, fetch: Callable[[str, Path], None]) -> Path:
    """The node's file of that SHA-256, fetched if there is none; a content that came damaged is an error."""
    path = objects / digest[:2] / digest[2:]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        os.close(descriptor)
        try:
            fetch(digest, Path(name))
            if sha256(Path(name)) != digest:
                raise OSError(f"the content {digest} came damaged")
            Path(name).chmod(0o444)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    return path


def follow(process: subprocess.Popen[str], say: Callable[[str], None], seconds: float | None) -> int:
    """Pass on what the stage prints, now and then, till it ends."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end) if seconds else None
    if timer:
        timer.start()
    assert process.stdout is not None
    said, spoke = "", 0.0
    try:
        for line in process.stdout:
            said += line
            if time.monotonic() - spoke > SAY_SECONDS:
                say(said)
                said, spoke = "", time.monotonic()
        code = process.wait()
    finally:
        process.kill()
        if timer:
            timer.cancel()
    if code and late.is_set():
        said += f"\nerror: ended after {seconds:g} s, which BRISC_TIMEOUT allows\n"
    say(said)
    return code


def packed(folder: Path, outputs: tuple[str, ...]) -> bytes:
    """Those outputs that are there, as a tar; which are missing is told where they are taken in."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in outputs:
            if (folder / name).exists():
                tar.add(folder / name, name)
    return buffer.getvalue()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
