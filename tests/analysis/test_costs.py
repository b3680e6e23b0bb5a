"""What every training cost, gathered from the records that it left."""

import json
from pathlib import Path

import pandas as pd
import pytest

from brisc.analysis.costs import COSTS, core_seconds, gather_costs
from brisc.config import Ablated, Compare, GridAxes, Params, Seeds
from brisc.errors import InputError

FOLDERS = {
    "unet": "eval/unet/training",
    "unet-43": "seeds/eval/unet-43/training",
    "adam-1e-05": "grid/eval/adam-1e-05",
    "plain": "ablation/eval/plain",
}


@pytest.fixture
def params() -> Params:
    return Params(
        profile="p",
        models=["unet"],
        seeds=Seeds(models=["unet"], values=[43]),
        grid=GridAxes(model="unet", optimizers=["adam"], learning_rates=[1e-5]),
        ablation=Ablated(model="unet", recipes=["plain"]),
        compare=Compare(joint=[], like_for_like={}, separate={}),
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The k-th training took 100 k seconds on k threads."""
    for k, folder in enumerate(FOLDERS.values(), start=1):
        place = tmp_path / folder
        place.mkdir(parents=True)
        cost = {
            "device": "A CPU",
            "threads": k,
            "precision": "32-true",
            "seconds": 100.0 * k,
            "peak_memory_mb": 1,
        }
        (place / "cost.json").write_text(json.dumps(cost))
        (place / "summary.json").write_text(json.dumps({"epochs": k, "images_seen": 10 * k, "parameters": 1}))
    return tmp_path


def test_every_training_has_a_row(runs: Path, params: Params) -> None:
    costs = gather_costs(runs, params)
    assert list(costs.columns) == COSTS
    assert list(zip(costs["part"], costs["training"], strict=True)) == [
        ("model", "unet"),
        ("seed", "unet-43"),
        ("grid", "adam-1e-05"),
        ("recipe", "plain"),
    ]
    assert costs.loc[2].to_list() == ["grid", "adam-1e-05", "A CPU", 3, "32-true", 3, 30, 300.0]


def test_core_seconds_weigh_each_training_by_its_own_threads(runs: Path, params: Params) -> None:
    assert core_seconds(gather_costs(runs, params)) == 100 * 1 + 200 * 2 + 300 * 3 + 400 * 4


@pytest.mark.parametrize("name", FOLDERS)
def test_a_training_without_records_is_told(runs: Path, params: Params, name: str) -> None:
    (runs / FOLDERS[name] / "cost.json").unlink()
    with pytest.raises(InputError, match=rf"{FOLDERS[name]}/cost\.json: a result is missing: got no file"):
        gather_costs(runs, params)


def test_unmeasured_costs_are_empty(runs: Path, params: Params) -> None:
    for folder in FOLDERS.values():
        (runs / folder / "cost.json").write_text(
            json.dumps(dict.fromkeys(("device", "threads", "precision", "seconds")))
        )
    lines = gather_costs(runs, params).to_csv(index=False).splitlines()
    assert lines[1] == "model,unet,,,,1,10,"
    assert pd.isna(gather_costs(runs, params)["seconds"]).all()
