"""One worker of DVC's queue, with everything that it starts, for as long as its parent lives.

    python -m pipeline.worker NAME      # in the repository whose queue it is

`dvc queue start` would leave a daemon behind that outlives a killed driver. This process leads a group
instead, and when its parent dies it ends the group: worker, experiment and training. It exits with the
worker's code.
"""

import os
import signal
import subprocess
import sys

from pipeline.dvc import DVC
from pipeline.processes import with_parent


def main(name: str) -> int:
    os.setsid()
    signal.signal(signal.SIGTERM, lambda number, frame: os.killpg(0, signal.SIGKILL))
    with_parent()()
    return subprocess.run(
        [*DVC, "exp", "queue-worker", f"{name}@localhost"], stdin=subprocess.DEVNULL, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
