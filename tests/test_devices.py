"""Devices: each process takes free ones, waits for them, and loses them with its life."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from brisc import devices
from brisc.devices import lease, take
from brisc.errors import InputError

HOLDER = """
import sys
from pathlib import Path
from brisc.devices import take
held = take(Path(sys.argv[1]), int(sys.argv[2]), lambda line: print(line, file=sys.stderr, flush=True))
import os
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that holds devices until it is told to end."""

    def __init__(self, folder: Path, count: int, shared: str) -> None:
        environment = {
            key: value for key, value in os.environ.items() if key not in (devices.LEASED, devices.VISIBLE)
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder), str(count)],
            env={**environment, devices.SHARED: shared},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def got(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def told(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.communicate()


def test_two_processes_get_two_devices_and_the_third_waits_for_one(tmp_path: Path) -> None:
    first, second = Holder(tmp_path, 1, "7,9"), Holder(tmp_path, 1, "7,9")
    got = {first.got(), second.got()}
    assert got == {"7", "9"}
    third = Holder(tmp_path, 1, "7,9")
    assert third.told() == "waiting for 1 free of 2 devices"
    first.end(signal.SIGKILL)  # the kernel gives the device back
    assert third.got() in got
    for holder in (second, third):
        holder.end()


def test_several_devices_are_taken_together(tmp_path: Path) -> None:
    pair = Holder(tmp_path, 2, "0,1,2")
    assert pair.got() == "0,1"
    waiting = Holder(tmp_path, 2, "0,1,2")
    assert waiting.told() == "waiting for 2 free of 3 devices"
    one = lease(tmp_path, ["0", "1", "2"], 1, lambda line: None)  # the waiting one holds nothing meanwhile
    assert list(one) == ["2"]
    pair.end()
    assert waiting.got() == "0,1"
    waiting.end()
    one["2"].close()


def test_more_devices_than_there_are_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.devices: not that many devices: got 2: a, b, expected 3"):
        lease(tmp_path, ["a", "b"], 3, lambda line: None)


def test_processes_of_one_training_do_not_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.SHARED, "0")
    monkeypatch.setenv(devices.LEASED, "0")
    assert take(tmp_path, 1, lambda line: None) == {}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"BRISC_DEVICES": "a, b"}, ["a", "b"]),
        ({"BRISC_DEVICES": "a", "CUDA_VISIBLE_DEVICES": "2,3"}, ["a"]),
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, ["2", "3"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-1a,MIG-2b"}, ["GPU-1a", "MIG-2b"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),  # hidden on purpose, as by the next two
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,1"}, ["0"]),  # as CUDA has it
    ],
)
def test_what_is_shared_out(environment: dict[str, str], expected: list[str]) -> None:
    assert devices.devices(environment) == expected


@pytest.mark.parametrize(
    ("answer", "code", "expected"), [("GPU-1\nGPU-2", 0, ["GPU-1", "GPU-2"]), ("no driver", 9, [])]
)
def test_the_driver_is_asked_last(
    answer: str, code: int, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{answer}\n'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.devices({}) == expected
