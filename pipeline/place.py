"""Where parcels run. A place starts one and tells when it has ended; the driver keeps the books."""

import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from pipeline.parcel import Parcel
from pipeline.processes import end, with_parent
from pipeline.remote import launch

MARK = "BRISC_PARCELS"


class Running(Protocol):
    """A stage at work. When it ended with 0 its outputs are in the parcel's folder."""

    def poll(self) -> int | None: ...


class Place(Protocol):
    def slots(self) -> int:
        """How many stages run at a time."""

    def start(self, parcel: Parcel, folder: Path, log: Path) -> Running:
        """Run the parcel that is laid in `folder`; what it prints goes to the file `log`."""

    def tidy(self) -> None:
        """Leave nothing running, also nothing of a driver that is no more."""


class Local:
    """This machine, a process for each stage."""

    def __init__(self, root: Path, workers: int) -> None:
        self.root, self.workers = root, workers

    def slots(self) -> int:
        return self.workers

    def start(self, parcel: Parcel, folder: Path, log: Path) -> Running:
        with log.open("wb") as output:
            return launch(
                parcel.command,
                folder,
                scratch=self.root / ".scratch",
                env={MARK: str(self.root), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=with_parent(),
            )

    def tidy(self) -> None:
        end(MARK, str(self.root))
        shutil.rmtree(self.root / ".scratch" / "parcels", ignore_errors=True)
