"""Processes found by a mark in their environment, which children inherit and nothing loses: neither daemons
nor orphans."""

import ctypes
import os
import signal
import sys

import psutil

INTERRUPT_SECONDS = 3.0


def marked(name: str, value: str) -> list[psutil.Process]:
    """The living processes, this one left out, that were started with the variable `name` set to `value`."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(name) == value
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # ended meanwhile, or another user's
            continue
    return found


def end(name: str, value: str) -> None:
    """End the marked processes: interrupted first, so that they tidy up, then killed. Returns when none is
    left."""
    send, patience = signal.SIGINT, INTERRUPT_SECONDS
    while processes := marked(name, value):
        for process in processes:
            try:
                process.send_signal(send)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, timeout=patience)
        send = signal.SIGKILL


def end_with_parent() -> None:
    """Ask Linux to send this process SIGTERM when its parent dies, however it dies. Elsewhere an orphan lives
    on."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
