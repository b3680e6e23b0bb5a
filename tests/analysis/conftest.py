"""Evaluated runs of given scores, as the stages train and evaluate leave them."""

from collections.abc import Callable
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from torch import nn

from brisc.atomic import write_json
from brisc.config import Evaluate, Run, load, resolve
from brisc.vocabulary import SUBSETS
from trained import SAMPLES, write_training


@pytest.fixture
def settings(repository: Path) -> Evaluate:
    settings: Evaluate = load("demo", "evaluate")
    return settings


@pytest.fixture
def run(repository: Path) -> Run:
    return resolve("demo", "unet").run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "eval"


@pytest.fixture
def write_run(runs: Path, run: Run) -> Callable[..., None]:
    """Write the results of a run; flips give 0.05 more to every image. changes: top settings of the run."""

    def written(
        name: str,
        *,
        kind: str = "model",
        like: str | None = None,
        dice: ArrayLike = 0.5,
        diverged: bool = False,
        cost: dict[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        judge = "validation" if kind == "recipe" else "test"
        folder, scores = runs / name, np.broadcast_to(np.asarray(dice, dtype=float), 30)
        write_training(
            folder / "training",
            nn.Linear(2, 3),
            SAMPLES,
            replace(run, **changes),
            {"dice": scores},
            diverged=diverged,
        )
        if cost is not None:
            write_json(folder / "training" / "cost.json", cost)
        write_json(folder / "data.json", {"fingerprint": "f" * 64})
        told = {name: asdict(to) if is_dataclass(to) else to for name, to in changes.items()}
        write_json(folder / "run.json", {"kind": kind, "like": like, "changes": told, "judge": judge})
        subsets = () if diverged else ("validation",) if kind == "recipe" else SUBSETS
        write_json(folder / "metrics.json", {name: {"dice_per_image": scores.mean()} for name in subsets})
        if diverged:
            return
        if kind != "recipe":
            write_json(folder / "inference.json", {"latency_ms": None, "macs": 4})
            (folder / "per_image.csv").write_text(f"id,dice\n{name},0.5\n")
        else:
            flipped = {"dice": scores, "score": scores, "dice_flips": scores + 0.05}
            table = SAMPLES.table.drop(columns="split").assign(**flipped, score_flips=scores + 0.05)
            table.to_csv(folder / "validation.csv", index=False)

    return written
