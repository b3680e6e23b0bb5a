"""kill -9 at random moments of a demo training, then run it again: do the files equal those of an unbroken run?

    python bench/kill_sweep.py [MOMENTS]

Needs the demo's cache (make repro). Works in a temporary folder and leaves the repository alone. Exit code 1 if any file differs.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, str(ROOT / "stages" / "train.py"), "demo", "unet"]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def start(place: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "DVC_ROOT": str(place)}
    return subprocess.Popen(COMMAND, cwd=place, env=environment, text=True, stdout=subprocess.PIPE, start_new_session=True)


def finish(place: Path) -> tuple[dict[str, str], int]:
    """Run to the end: the files' hashes and how many epochs were trained in this call."""
    process = start(place)
    output, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"error: the training ended with {process.returncode}")
    return digests(place / "runs" / "demo" / "train" / "unet"), output.count("train loss")


def main(moments: int) -> None:
    if not (ROOT / "data" / "demo" / "cache").is_dir():
        sys.exit("error: data/demo/cache: got no such folder, expected the demo's cache. Run make repro first.")
    console, generator = Console(), random.Random(42)
    table = Table("moment", "killed after", "epochs trained again", "files equal to the unbroken run's")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "profiles", place / "profiles")
        (place / "data").symlink_to(ROOT / "data")
        began = time.perf_counter()
        unbroken, epochs = finish(place)
        length = time.perf_counter() - began
        console.print(f"unbroken: {length:.1f} s, {epochs} epochs, weights.pt {unbroken['weights.pt'][:12]}")
        different = 0
        for moment in range(1, moments + 1):
            for leftover in (place / "runs", place / ".scratch"):
                shutil.rmtree(leftover)
            wait = generator.uniform(0, length)
            process = start(place)
            time.sleep(wait)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            for needed in (place / "runs", place / ".scratch"):
                needed.mkdir(exist_ok=True)
            again, trained = finish(place)
            different += again != unbroken
            table.add_row(str(moment), f"{wait:.1f} s", str(trained), "yes" if again == unbroken else "NO")
    console.print(table)
    if different:
        sys.exit(f"error: {different} of {moments} runs differ")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
