"""What every training of a profile cost, in one table.

costs.csv, a row for each training: kind (model | seed | recipe | pruned | fold | grid), run, device, threads,
precision, epochs, images_seen, seconds (of wall time, validation included, over interruptions). Empty where
the profile does not measure.
"""

from collections.abc import Sequence

import pandas as pd

from brisc.analysis.grid import TrainedCell
from brisc.analysis.runs import Evaluated

COSTS = ["kind", "run", "device", "threads", "precision", "epochs", "images_seen", "seconds"]


def gather_costs(runs: Sequence[Evaluated], cells: Sequence[TrainedCell]) -> pd.DataFrame:
    """A row for each run and for each cell of the grid."""
    trainings = [(run.kind, run.name, run.summary, run.cost) for run in runs]
    trainings += [("grid", cell.name, cell.summary, cell.cost) for cell in cells]
    rows = [
        {
            "kind": kind,
            "run": name,
            **cost,
            "epochs": summary["epochs"],
            "images_seen": summary["images_seen"],
        }
        for kind, name, summary, cost in trainings
    ]
    return pd.DataFrame(rows, columns=COSTS)


def core_seconds(costs: pd.DataFrame) -> float:
    """Wall time by the threads that each training computed with: more than the cores spent where something
    else ran beside it."""
    return float((costs["seconds"] * costs["threads"]).sum())
