"""Recipes of training: what each is compared with, and what the paired tests say of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brisc.analysis.recipes import summarise_recipes
from brisc.analysis.runs import read_runs
from brisc.config import Evaluate, Run
from brisc.errors import InputError

PLAIN = np.random.default_rng(3).uniform(0.3, 0.7, 30)
NOISE = np.random.default_rng(4).permuted([0.1, -0.1] * 15)
NAMES = ["plain", "good", "bad", "noise", "lost"]


@pytest.fixture
def recipes(write_run: Callable[..., None]) -> None:
    """Each recipe differs from the first by the same on every image, but `noise`; `lost` diverged."""
    write_run("plain", kind="recipe", like="net", dice=PLAIN, epochs=3)
    write_run("good", kind="recipe", like="plain", dice=PLAIN + 0.1, ema_decay=0.9)
    write_run("bad", kind="recipe", like="plain", dice=PLAIN - 0.1, cost={"seconds": 5.0})
    write_run("noise", kind="recipe", like="plain", dice=PLAIN + NOISE)
    write_run("lost", kind="recipe", like="plain", diverged=True)


Summary = Callable[[list[str]], list[dict[str, Any]]]


@pytest.fixture
def studies(runs: Path, settings: Evaluate) -> Summary:
    return lambda names: summarise_recipes(read_runs(runs, names), settings)["studies"]


def test_a_recipe_without_mirror_images_has_no_row_with_flips(
    write_run: Callable[..., None], run: Run, studies: Summary
) -> None:
    bare = replace(run.augment, horizontal_flip=0.0, vertical_flip=0.0)
    write_run("plain", kind="recipe", like="net")
    write_run("bare", kind="recipe", like="plain", augment=bare)
    (study,) = studies(["plain", "bare"])
    rows = [(row["run"], row["flips"]) for row in study["rows"]]
    assert rows == [("plain", False), ("plain", True), ("bare", False)]


@pytest.mark.usefixtures("recipes")
def test_every_row_is_compared_with_the_first(studies: Summary) -> None:
    (study,) = studies(NAMES)
    rows = {(row["run"], row["flips"]): row for row in study.pop("rows")}
    assert study == {"baseline": "plain", "model": "net", "epochs": 3, "measure": "dice", "images": 30}
    assert list(rows) == [(name, flips) for name in NAMES for flips in (False, True)]
    assert {key: row["verdict"] for key, row in rows.items()} == {
        ("plain", False): None,
        ("plain", True): "better",
        ("good", False): "better",
        ("good", True): "better",
        ("bad", False): "worse",
        ("bad", True): "worse",
        ("noise", False): "inconclusive",
        ("noise", True): "better",
        ("lost", False): None,
        ("lost", True): None,
    }
    first, good, bad, lost = (
        rows[key] for key in (("plain", False), ("good", True), ("bad", False), ("lost", False))
    )
    assert first["score"] == pytest.approx(PLAIN.mean(), abs=1e-6)
    assert first["low"] < first["score"] < first["high"]
    # 0.1 by the recipe and 0.05 by flips, on every image.
    assert [good[key] for key in ("difference", "difference_low", "difference_high")] == [0.15] * 3
    assert (good["changes"], good["epoch"], good["epochs"], good["diverged_at"]) == (
        {"ema_decay": 0.9},
        2,
        2,
        None,
    )
    assert (bad["difference"], bad["seconds"]) == (-0.1, 5.0)
    # The smallest p of 2000 resamples is 2 / 2001; Holm multiplies it by how many rows were tested, seven of
    # the ten.
    assert (bad["p"], bad["p_holm"]) == pytest.approx((2 / 2001, 7 * 2 / 2001), abs=1e-6)
    assert [lost[key] for key in ("score", "low", "difference", "p", "p_holm", "epoch")] == [None] * 6
    assert (lost["epochs"], lost["diverged_at"]) == (1, 1)


@pytest.mark.usefixtures("recipes")
def test_holm_corrects_within_a_study(studies: Summary, write_run: Callable[..., None]) -> None:
    # Alone, `bad` is one of three rows: two of its own, and the flips of the first.
    (study,) = studies(["plain", "bad"])
    assert study["rows"][2]["p_holm"] == pytest.approx(3 * 2 / 2001, abs=1e-6)
    write_run("other", kind="recipe", like="joint", dice=PLAIN, epochs=5)
    write_run("other_bad", kind="recipe", like="other", dice=PLAIN - 0.2)
    first, second = studies(["plain", "other", "bad", "other_bad"])
    assert first == study
    assert [second[key] for key in ("baseline", "model", "epochs")] == ["other", "joint", 5]
    assert [row["run"] for row in second["rows"]] == ["other"] * 2 + ["other_bad"] * 2
    assert second["rows"][2]["difference"] == -0.2


def test_a_recipe_is_compared_with_the_recipe_that_it_is_like(
    studies: Summary, write_run: Callable[..., None]
) -> None:
    write_run("plain", kind="recipe", like="net", dice=PLAIN)
    write_run("ema", kind="recipe", like="plain", dice=PLAIN + 0.1)
    write_run("ema_long", kind="recipe", like="ema", dice=PLAIN + 0.25)
    found = {
        study["baseline"]: {row["run"]: row["difference"] for row in study["rows"] if not row["flips"]}
        for study in studies(["plain", "ema", "ema_long"])
    }
    assert found == {"plain": {"plain": None, "ema": 0.1}, "ema": {"ema": None, "ema_long": 0.15}}


def test_models_and_seeds_are_no_recipes(studies: Summary, write_run: Callable[..., None]) -> None:
    write_run("net")
    write_run("net-43", kind="seed", like="net", seed=43)
    assert studies(["net", "net-43"]) == []


@pytest.mark.usefixtures("recipes")
def test_too_few_groups_are_no_evidence(runs: Path, studies: Summary) -> None:
    for name in NAMES[:-1]:
        path = runs / name / "validation.csv"
        pd.read_csv(path).assign(group=[f"g{i % 5}" for i in range(30)]).to_csv(path, index=False)
    (study,) = studies(NAMES)
    assert {row["verdict"] for row in study["rows"][1:-2]} == {"inconclusive"}
    assert all(row["low"] is row["p_holm"] is None for row in study["rows"])
    assert study["rows"][2]["difference"] == 0.1


@pytest.mark.usefixtures("recipes")
def test_against_a_baseline_that_diverged_nothing_is_said(runs: Path, studies: Summary) -> None:
    about = json.loads((runs / "good" / "run.json").read_text())
    (runs / "good" / "run.json").write_text(json.dumps({**about, "like": "lost"}))
    (study,) = studies(["lost", "good"])
    assert [row["verdict"] for row in study["rows"]] == [None] * 4
    assert [row["score"] is None for row in study["rows"]] == [True, True, False, False]
    assert (study["measure"], study["images"]) == ("dice", 30)


@pytest.mark.usefixtures("recipes")
def test_recipes_measured_on_other_images_are_told(runs: Path, studies: Summary) -> None:
    path = runs / "good" / "validation.csv"
    pd.read_csv(path).iloc[1:].to_csv(path, index=False)
    with pytest.raises(InputError, match=r"eval/good: recipes measured on different images: got 29.*plain"):
        studies(NAMES)
