"""A run killed at any moment goes on after a whole epoch and ends with the bytes of a run never killed.

Checkpoints lie in a scratch folder named by the run's fingerprint, so that a run with other settings, other
code or other data never picks up a stranger's weights.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from brisc.atomic import atomic
from brisc.config import TrainingPlan
from brisc.errors import InputError

# What torch.load raises for a file that it did not write, or of which a part is missing.
UNREADABLE = (RuntimeError, UnpicklingError, EOFError, ValueError)


def run_fingerprint(plan: TrainingPlan, data_fingerprint: str) -> str:
    """SHA-256 over everything that decides the result: settings, code, data, torch."""
    parts = {**asdict(plan), "data": data_fingerprint, "torch": torch.__version__}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def hold(folder: Path) -> IO[str]:
    """Hold `folder` until the returned file is closed, at the latest when this process ends, however it ends.

    A run orphaned by a killed parent must not write beside its successor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InputError(
            "another process is training this run",
            where=folder,
            got="a held lock",
            expected="none",
            mend="Wait for it or end it; the lock goes with it.",
        ) from None
    return lock


def save(path: Path, state: dict[str, Any]) -> None:
    """torch.save into an open file: into a path it would write the temporary file's name as well."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


class Checkpoints:
    """Writes the state of a training after an epoch that ends `seconds` or more after the one written last.

    The state is copied at once and written beside the training, which waits only while the one before is
    still being written. A `with` block ends when all is written. clock: seconds of any origin.
    """

    def __init__(self, path: Path, *, seconds: float, clock: Callable[[], float]) -> None:
        self.path, self.seconds, self.clock = path, seconds, clock
        self.written_at = clock()
        self.writer = ThreadPoolExecutor(1)
        self.writing: Future[None] | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *raised: object) -> None:
        self.writer.shutdown()
        if raised == (None, None, None):
            self.wait()

    def offer(self, parts: dict[str, Any], progress: dict[str, Any], *, last: bool) -> None:
        """The state of each part after an epoch, and how far the training is; the `last` one is always
        written."""
        if not last and self.clock() - self.written_at < self.seconds:
            return
        self.wait()
        state = {**{name: part.state_dict() for name, part in parts.items()}, "progress": progress}
        self.written_at = self.clock()
        self.writing = self.writer.submit(save, self.path, tree_map(copied, state))

    def wait(self) -> None:
        """Until nothing is being written; raises what writing raised."""
        if self.writing is not None:
            self.writing.result()


def copied(value: Any) -> Any:
    """A tensor as it is now, in the CPU's memory; anything else as it is."""
    return value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else value


def load_checkpoint(path: Path, parts: dict[str, Any], log: Callable[[str], None]) -> dict[str, Any] | None:
    """Put `parts` back to where the checkpoint left them; the progress, or None where there is none.

    A checkpoint that cannot be read, as a power cut may leave one, is left aside: the run starts over.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        progress: dict[str, Any] = state.pop("progress")
    except (*UNREADABLE, OSError, KeyError, TypeError, AttributeError) as error:
        log(f"{path}: a broken checkpoint is left aside, the run starts over ({type(error).__name__})")
        return None
    for name, part in parts.items():
        part.load_state_dict(state[name])
    log(f"resumed after epoch {len(progress['history'])}")
    return progress


def load_weights(net: nn.Module, path: Path) -> None:
    """Load weights.pt into `net`, both of one architecture."""
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except UNREADABLE as error:
        raise InputError(
            "weights that do not fit the model",
            where=path,
            got=" ".join(str(error).split())[:200],
            expected="the state of the net that the profile names",
            mend="Train the model again.",
        ) from None


def drop_others(scratch: Path) -> None:
    """Remove the scratch folders of this stage's earlier runs.

    A run's own folder stays until another run succeeds: if the disk is full when the result is stored, the
    training is not lost.
    """
    for other in sorted(scratch.parent.iterdir()):
        if other != scratch and other.is_dir():
            shutil.rmtree(other)
