"""Each training takes devices that no other one on this machine has: a lock file a device, held until the
process ends.

`dvc queue start --jobs N` starts workers that know nothing of each other and would all compute on the first
device. The lock is an flock, which the kernel takes back however the process ends, so there is never a lock
to remove by hand.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import IO

from brisc.errors import InputError

# The names to share out, separated by commas. On a machine without a GPU any names do, so that sharing can be
# rehearsed.
SHARED = "BRISC_DEVICES"
# What a process and its children have got; the other processes of a training on several devices must not ask
# for more.
LEASED = "BRISC_LEASED"
VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICE = re.compile(r"\d+$|GPU-|MIG-")
POLL_SECONDS = 0.5


def devices(environment: Mapping[str, str]) -> list[str]:
    """The devices to share out: those of BRISC_DEVICES, else those that CUDA_VISIBLE_DEVICES leaves, else all
    of this machine.

    Named by UUID where the driver is asked: CUDA numbers devices by speed and the driver by slot, so numbers
    mean two things.
    """
    if SHARED in environment:
        return _names(environment[SHARED])
    if VISIBLE in environment:
        # CUDA stops at the first name of no device, such as -1 or Slurm's NoDevFiles.
        return list(takewhile(DEVICE.match, _names(environment[VISIBLE])))
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.split() if asked.returncode == 0 else []


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def lease(folder: Path, names: list[str], count: int, log: Callable[[str], None]) -> dict[str, IO[str]]:
    """Wait until `count` of the devices `names` are free and hold them: {device: its lock, held until
    closed}.

    folder: where the lock files device-<name>.lock are. Takes all of `count` or none, so that two trainings
    on several devices never wait for each other. Raises InputError when there are not that many.
    """
    if count > len(names):
        raise InputError(
            "not that many devices",
            where="train.devices",
            got=f"{len(names)}: {', '.join(names)}",
            expected=count,
            mend=f"Lower train.devices, or name more devices in {SHARED}.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        held: dict[str, IO[str]] = {}
        for name in names:
            if (
                len(held) < count
                and (lock := _lock(folder / f"device-{name.replace('/', '-')}.lock")) is not None
            ):
                held[name] = lock
        if len(held) == count:
            return held
        for lock in held.values():
            lock.close()
        if not told:
            log(f"waiting for {count} free of {len(names)} devices")
            told = True
        time.sleep(POLL_SECONDS)


def take(folder: Path, count: int, log: Callable[[str], None]) -> dict[str, IO[str]]:
    """Give this process `count` free devices and show CUDA no others. Call before torch is imported; keep
    what is returned.

    Does nothing on a machine without devices, and in the processes that a training on several devices starts
    itself.
    """
    names = devices(os.environ)
    if not names or LEASED in os.environ:
        return {}
    held = lease(folder, names, count, log)
    os.environ[LEASED] = os.environ[VISIBLE] = ",".join(held)
    log(f"device {os.environ[VISIBLE]}")
    return held


def _lock(path: Path) -> IO[str] | None:
    """The locked file, or None when another process has it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
