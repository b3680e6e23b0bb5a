"""What every training of a profile cost, in one table.

costs.csv, a row for each training: part (model | seed | grid | recipe), training (its name in runs/), device,
threads, precision, epochs, images_seen, seconds (of wall time, validation included, over interruptions).
Empty where the profile does not measure.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brisc.analysis.collect import read_result
from brisc.config import Params

COSTS = ["part", "training", "device", "threads", "precision", "epochs", "images_seen", "seconds"]


def gather_costs(runs: Path, params: Params) -> pd.DataFrame:
    """A row for each training that `params` names. runs: the folder of eval/, seeds/, grid/ and ablation/.

    Raises InputError for the first whose records are missing.
    """
    rows = []
    for part, name, folder in _trainings(runs, params):
        summary, cost = (read_result(folder / f"{record}.json") for record in ("summary", "cost"))
        rows.append(
            {
                "part": part,
                "training": name,
                **cost,
                **{key: summary[key] for key in ("epochs", "images_seen")},
            }
        )
    return pd.DataFrame(rows, columns=COSTS)


def core_seconds(costs: pd.DataFrame) -> float:
    """Wall time by the threads that each training computed with: more than the cores spent where something
    else ran beside it."""
    return float((costs["seconds"] * costs["threads"]).sum())


def _trainings(runs: Path, params: Params) -> Iterator[tuple[str, str, Path]]:
    """(part, name, the folder of its records); one that was evaluated has them in training/."""
    for model in params.models:
        yield "model", model, runs / "eval" / model / "training"
    for model in params.seeds.models:
        for seed in params.seeds.values:
            name = f"{model}-{seed}"
            yield "seed", name, runs / "seeds" / "eval" / name / "training"
    for optimizer in params.grid.optimizers:
        for learning_rate in params.grid.learning_rates:
            name = f"{optimizer}-{learning_rate}"
            yield "grid", name, runs / "grid" / "eval" / name
    for recipe in params.ablation.recipes:
        yield "recipe", recipe, runs / "ablation" / "eval" / recipe
