"""Settings of every test: one profile of settings small enough for seconds, and no network."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

import pipeline  # noqa: F401  this tree's code, and nothing of what git tells its hooks

os.environ["OMP_NUM_THREADS"] = "1"  # nets this small spend more time handing work over than doing it

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:  # by which processes of one machine talk
            raise AssertionError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the profiles and params.yaml, free to be changed, and the code."""
    for name in ("src", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "profiles").mkdir()
    for source in (*(ROOT / "profiles").glob("*.yaml"), ROOT / "params.yaml"):
        (tmp_path / source.relative_to(ROOT)).write_text(source.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path
