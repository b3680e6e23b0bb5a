"""Put cells of the grid into DVC's queue, one `dvc exp run --queue` each.

    python -m pipeline.enqueue PROFILE OPTIMIZER-RATE...

All in one process, since importing DVC takes longer than queueing. A cell is the same matrix stage that `dvc
repro` runs, picked by axes of one element, and so has the same entry in the run-cache.
"""

import sys

from dvc.cli import main as dvc


def main(profile: str, *cells: str) -> int:
    for cell in cells:
        optimizer, rate = cell.split("-", 1)
        axes = [f"grid.optimizers=[{optimizer}]", f"grid.learning_rates=[{rate}]"]
        words = [
            "exp",
            "run",
            "--queue",
            "--name",
            f"grid-{cell}",
            "--set-param",
            axes[0],
            "--set-param",
            axes[1],
        ]
        if code := dvc([*words, f"collect_grid@{profile}"]):
            return int(code)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
