"""The results of all runs in a few files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from brisc.analysis.collect import collect, f1_weighted_interval
from brisc.analysis.runs import read_runs
from brisc.atomic import write_json
from brisc.config import load
from brisc.vocabulary import SUBSETS

COST = dict.fromkeys(("device", "threads", "precision", "seconds", "images_per_second", "peak_memory_mb"))


@pytest.fixture
def gather(runs: Path, tmp_path: Path) -> Callable[..., Path]:
    def gathered(*names: str) -> Path:
        provenance = {"profile": "p", "source": "s", "prepare": {"size": 64}}
        settings = load("demo", "evaluate")
        reports, vote = tmp_path / "reports", tmp_path / "vote"
        if not vote.is_dir():
            vote.mkdir()
            write_json(vote / "vote.json", {"members": [], "agree": 2})
        collect(
            read_runs(runs, names),
            reports,
            vote=vote,
            provenance=provenance,
            study=["unet"],
            settings=settings,
        )
        return reports

    return gathered


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_runs_of_every_kind_are_gathered(gather: Callable[..., Path], write_run: Callable[..., None]) -> None:
    write_run("net", dice=0.5)
    write_run("net-43", kind="seed", like="net", dice=0.25, seed=43)
    write_run("short", kind="recipe", like="net", dice=0.75, epochs=3)
    write_run("lost", kind="recipe", like="short", diverged=True, model={"arch": "other"})
    names = ["net", "net-43", "short", "lost"]
    reports = gather(*names)
    files = sorted(path.relative_to(reports).as_posix() for path in reports.rglob("*") if path.is_file())
    assert files == [
        "history.csv",
        "metrics.json",
        "per_image/net-43.csv",
        "per_image/net.csv",
        "provenance.json",
        "runs.json",
        "scores.json",
    ]
    metrics, runs = read(reports / "metrics.json"), read(reports / "runs.json")
    assert (list(metrics), list(runs)) == (names, names)
    assert metrics["net"] == {
        **{subset: {"dice_per_image": 0.5} for subset in SUBSETS},
        "cost": {"parameters": 9, "epochs": 2, "images_seen": 0, "latency_ms": None, "macs": 4, **COST},
    }
    size = {"parameters": 9, "epochs": 2, "images_seen": 0}
    assert metrics["short"] == {"validation": {"dice_per_image": 0.75}, "cost": {**size, **COST}}
    assert metrics["lost"].keys() == {"cost"}
    assert read(reports / "scores.json") == {"net": 0.5, "short": 0.75, "lost": None}
    seed, lost = runs["net-43"], runs["lost"]
    assert [runs[name]["of_study"] for name in names] == [True, True, True, False]
    assert [seed[key] for key in ("kind", "like", "changes")] == ["seed", "net", {"seed": 43}]
    assert (seed["settings"]["seed"], seed["heads"], seed["stopped"]) == (43, ["mask"], "early")
    assert [lost[key] for key in ("kind", "like", "stopped", "best_epoch")] == [
        "recipe",
        "short",
        "diverged",
        None,
    ]
    assert (reports / "per_image" / "net.csv").read_text() == "id,dice\nnet,0.5\n"


def test_the_table_of_the_vote_stands_beside_those_of_the_runs(
    tmp_path: Path, gather: Callable[..., Path], write_run: Callable[..., None]
) -> None:
    write_run("net", dice=0.5)
    (tmp_path / "vote").mkdir()
    write_json(tmp_path / "vote" / "vote.json", {"members": ["net", "other"], "agree": 2})
    (tmp_path / "vote" / "per_image.csv").write_text("id,dice\na,0.75\n")
    tables = gather("net") / "per_image"
    assert sorted(path.name for path in tables.iterdir()) == ["net.csv", "vote.csv"]
    assert (tables / "vote.csv").read_text() == "id,dice\na,0.75\n"


def test_the_history_has_a_row_for_each_run_and_epoch(
    gather: Callable[..., Path], write_run: Callable[..., None]
) -> None:
    write_run("net", dice=0.5)
    write_run("lost", kind="recipe", like="net", dice=0.25, diverged=True)
    rate = "0.01"
    assert (gather("net", "lost") / "history.csv").read_text().splitlines() == [
        "run,epoch,learning_rate,train_loss,validation_loss,validation_dice,validation_score,best",
        f"net,1,{rate},1,1,0.5,0.5,0",
        f"net,2,{rate},1,1,0.5,0.5,1",
        f"lost,1,{rate},,,0.25,0.25,0",
    ]


def test_provenance_has_what_all_models_share(
    gather: Callable[..., Path], write_run: Callable[..., None]
) -> None:
    write_run("one", batch_size=4)
    write_run("two", batch_size=5)
    write_run("two-43", kind="seed", like="two", seed=43)
    found = read(gather("one", "two", "two-43") / "provenance.json")
    settings = found.pop("train")
    assert "batch_size" not in settings
    assert (settings["seed"], settings["model"]["arch"]) == (42, "unet")
    assert found.keys() == {"profile", "source", "prepare", "data", "versions", "device"}
    assert (found["profile"], found["data"]) == ("p", {"fingerprint": "f" * 64})


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        (["A CPU", "A CPU"], "A CPU"),
        (["A CPU", "A GPU"], "A CPU; A GPU"),
        ([None, "A GPU"], "A GPU"),
        ([None, None], None),
    ],
)
def test_every_device_that_a_model_was_trained_on_is_told_once(
    gather: Callable[..., Path],
    write_run: Callable[..., None],
    devices: list[str | None],
    told: str | None,
) -> None:
    for name, device in zip(("one", "two"), devices, strict=True):
        write_run(name, cost={"device": device})
    write_run("recipe", kind="recipe", cost={"device": "another"})
    assert read(gather("one", "two", "recipe") / "provenance.json")["device"] == told


def test_a_second_time_changes_no_byte(gather: Callable[..., Path], write_run: Callable[..., None]) -> None:
    write_run("net")
    write_run("old")
    gather("net", "old")
    first, second = (
        {path: path.read_bytes() for path in gather("net").rglob("*") if path.is_file()} for _ in range(2)
    )
    assert first == second
    assert "old.csv" not in {path.name for path in first}


def test_the_weighted_f1_has_the_interval_of_its_groups() -> None:
    """Two groups alike: each resample has F1 2/3 and 4/5, of two images each; of one nothing is known."""
    half = [("glioma", "glioma"), ("glioma", "meningioma"), *[("meningioma", "meningioma")] * 2]
    table = pd.DataFrame(half * 2, columns=["label", "predicted"]).assign(group=[0] * 4 + [1] * 4)
    settings = load("demo", "evaluate")
    expected = (2 * 2 / 3 + 2 * 4 / 5) / 4
    assert f1_weighted_interval(table, settings) == {
        "f1_weighted_low": pytest.approx(expected),
        "f1_weighted_high": pytest.approx(expected),
    }
    assert set(f1_weighted_interval(table[:4], settings).values()) == {None}
