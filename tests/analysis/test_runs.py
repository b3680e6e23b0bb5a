"""Evaluated runs, read back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from brisc.analysis.runs import of_kind, read_runs
from brisc.errors import InputError

NAMES = ["recipe", "net", "again"]


@pytest.fixture
def three(write_run: Callable[..., None]) -> None:
    write_run("net", dice=0.7)
    write_run("again", kind="seed", like="net", seed=43)
    write_run("recipe", kind="recipe", like="net", epochs=3)


@pytest.mark.usefixtures("three")
def test_runs_are_read_in_the_order_of_their_names(runs: Path) -> None:
    found = read_runs(runs, NAMES)
    assert [(run.name, run.kind) for run in found] == [
        ("recipe", "recipe"),
        ("net", "model"),
        ("again", "seed"),
    ]
    assert [[run.name for run in of_kind(found, kind)] for kind in ("model", "seed", "recipe")] == [
        ["net"],
        ["again"],
        ["recipe"],
    ]
    recipe, net, again = found
    assert (net.metrics["clean"], net.inference["macs"]) == ({"dice_per_image": pytest.approx(0.7)}, 4)
    assert (recipe.metrics.keys(), recipe.inference) == ({"validation"}, {})
    assert (again.summary["settings"]["seed"], list(again.history["epoch"])) == (43, [1, 2])
    assert (list(net.images()["id"]), len(recipe.images())) == (["net"], 30)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "file",
    [
        "run.json",
        "metrics.json",
        "inference.json",
        "data.json",
        *(f"training/{name}" for name in ("summary.json", "cost.json", "history.csv")),
    ],
)
def test_a_missing_result_is_told_by_its_path(runs: Path, file: str) -> None:
    (runs / "again" / file).unlink()
    with pytest.raises(InputError, match=f"eval/again/{file}: a result is missing: got no file.*dvc repro"):
        read_runs(runs, NAMES)


@pytest.mark.usefixtures("three")
def test_a_missing_table_is_told_when_it_is_asked_for(runs: Path) -> None:
    (runs / "net" / "per_image.csv").unlink()
    (runs / "recipe" / "validation.csv").unlink()
    for run in read_runs(runs, NAMES)[:2]:
        with pytest.raises(InputError, match=rf"eval/{run.name}/\w+\.csv: a result is missing"):
            run.images()


@pytest.mark.usefixtures("three")
def test_results_of_different_data_are_refused(runs: Path) -> None:
    (runs / "again" / "data.json").write_text(json.dumps({"fingerprint": "g"}))
    told = r"eval/again/data\.json: results of different data: got g, expected ffff.*, as in .*eval/recipe"
    with pytest.raises(InputError, match=told):
        read_runs(runs, NAMES)


def test_a_model_that_diverged_cannot_be_compared(runs: Path, write_run: Callable[..., None]) -> None:
    write_run("recipe", kind="recipe", diverged=True)
    assert read_runs(runs, ["recipe"])[0].metrics == {}
    write_run("net", diverged=True)
    with pytest.raises(InputError, match=r"eval/net: a training that diverged.*in epoch 1"):
        read_runs(runs, ["recipe", "net"])
