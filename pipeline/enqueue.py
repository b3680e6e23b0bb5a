"""Put cells of the grid into DVC's queue, one `dvc exp run --queue` each.

    python -m pipeline.enqueue PROFILE OPTIMIZER-RATE...

All in one process, since importing DVC takes longer than queueing. A cell is the same matrix stage that `dvc
repro` runs, picked by axes of one element, and so has the same entry in the run-cache.
"""

from pipeline import command
from pipeline.dvc import main as dvc


def main(profile: str, *cells: str) -> int:
    for cell in cells:
        optimizer, rate = cell.split("-", 1)
        axes = [f"--set-param=grid.optimizers=[{optimizer}]", f"--set-param=grid.learning_rates=[{rate}]"]
        if code := dvc(["exp", "run", "--queue", f"--name=grid-{cell}", *axes, f"collect_grid@{profile}"]):
            return code
    return 0


if __name__ == "__main__":
    command.run(main)
