"""What every training cost."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from brisc.analysis.costs import core_seconds, gather_costs
from brisc.analysis.grid import TrainedCell
from brisc.analysis.runs import read_runs

NAMES = ["net", "net-43", "short"]


def cost(k: int) -> dict[str, object]:
    """100 k seconds on k threads."""
    return {
        "device": "A CPU",
        "threads": k,
        "precision": "32-true",
        "seconds": 100.0 * k,
        "peak_memory_mb": 1,
    }


def cell(cost: dict[str, object]) -> TrainedCell:
    summary = {"epochs": 3, "images_seen": 30, "parameters": 1}
    return TrainedCell("adam", 1e-5, summary, cost, history=pd.DataFrame(), images=None)


@pytest.fixture
def costs(runs: Path, write_run: Callable[..., None]) -> pd.DataFrame:
    write_run("net", cost=cost(1))
    write_run("net-43", kind="seed", like="net", cost=cost(2))
    write_run("short", kind="recipe", like="net", diverged=True, cost=cost(3))
    return gather_costs(read_runs(runs, NAMES), [cell(cost(4))])


def test_every_training_has_a_row(costs: pd.DataFrame) -> None:
    assert costs.to_csv(index=False).splitlines() == [
        "kind,run,device,threads,precision,epochs,images_seen,seconds",
        "model,net,A CPU,1,32-true,2,0,100.0",
        "seed,net-43,A CPU,2,32-true,2,0,200.0",
        "recipe,short,A CPU,3,32-true,1,0,300.0",
        "grid,adam-1e-05,A CPU,4,32-true,3,30,400.0",
    ]


def test_core_seconds_weigh_each_training_by_its_own_threads(costs: pd.DataFrame) -> None:
    assert core_seconds(costs) == 100 * 1 + 200 * 2 + 300 * 3 + 400 * 4


def test_unmeasured_costs_are_empty(runs: Path, write_run: Callable[..., None]) -> None:
    write_run("net", measure_seconds=False)
    none = dict.fromkeys(("device", "threads", "precision", "seconds"))
    lines = gather_costs(read_runs(runs, ["net"]), [cell(none)]).to_csv(index=False).splitlines()
    assert lines[1:] == ["model,net,,,,2,0,", "grid,adam-1e-05,,,,3,30,"]
