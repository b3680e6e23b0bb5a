"""Processes found by a mark in their environment, which children inherit and nothing loses: neither daemons
nor orphans; and processes that end with their parent."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

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


def with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """What a process calls, as the preexec_fn of Popen for instance, to get that signal from Linux when its
    parent dies, however it dies. Elsewhere an orphan lives on."""
    if sys.platform != "linux":
        return lambda: None
    pr_set_pdeathsig, prctl = 1, ctypes.CDLL(None).prctl  # found before a fork: a worker of Ray has threads
    return lambda: prctl(pr_set_pdeathsig, number)
