"""The grid's stages as DVC runs them: a cell that learns, one that diverges, and both collected."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
RATES = "[1.0e-5, 5.0e-5, 1.0e-4, 5.0e-4, 1.0e-3]"
EPOCHS = 3  # of the grid, other than the model's own


def stage(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    name, *arguments = words
    command = [sys.executable, str(ROOT / "stages" / f"{name}.py"), *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


@pytest.fixture
def repository(repository: Path) -> Path:
    """The demo with two rates of SGD, and a cache of 24 bright discs to train on and 24 to validate."""
    edit(repository / "params.yaml", ("[adam, sgd, adamw, rmsprop]", "[sgd]"), (RATES, "[0.01, 1.0e+30]"))
    profile = repository / "profiles" / "demo.yaml"
    profile.write_text(re.sub(r"(\ngrid:.*\n  epochs: )\d+", rf"\g<1>{EPOCHS}", profile.read_text()))
    (repository / "published.json").write_text((ROOT / "published.json").read_text())
    cache = repository / "data" / "demo" / "cache"
    cache.mkdir(parents=True)
    generator = np.random.default_rng(5)
    images = generator.integers(0, 60, (48, 32, 32), dtype=np.uint8)
    y, x = np.mgrid[:32, :32]
    centres = generator.uniform(8, 24, (48, 2))
    masks = np.stack([((y - cy) ** 2 + (x - cx) ** 2 < 30).astype(np.uint8) for cy, cx in centres])
    images[masks == 1] += 120
    table = {
        "id": [f"i{i:02}" for i in range(48)],
        "label": "glioma",
        "group": [f"g{i:02}" for i in range(48)],
    }
    pd.DataFrame({**table, "split": ["train"] * 24 + ["validation"] * 24}).to_csv(
        cache / "samples.csv", index=False
    )
    np.save(cache / "images.npy", images)
    np.save(cache / "masks.npy", masks)
    (cache / "fingerprint.json").write_text('{"fingerprint": "f"}')
    return repository


def test_a_cell_that_learns_and_one_that_diverges(repository: Path) -> None:
    assert stage(repository, "plan", "demo").returncode == 0
    for rate in ("0.01", "1e+30"):
        done = stage(repository, "train", "demo", f"grid/sgd-{rate}")
        assert done.returncode == 0, done.stderr
    learned, lost = (repository / "runs" / "demo" / "grid" / f"sgd-{rate}" for rate in ("0.01", "1e+30"))
    summary = json.loads((learned / "summary.json").read_text())
    assert summary["settings"]["epochs"] == summary["epochs"] == EPOCHS
    assert summary["settings"]["optimizer"]["name"] == "sgd"
    assert pd.read_csv(learned / "validation.csv")["score"].mean() == pytest.approx(
        summary["best_validation_score"], abs=1e-5
    )
    assert json.loads((lost / "summary.json").read_text())["diverged_at"] == 1
    assert not (lost / "validation.csv").exists()

    done = stage(repository, "collect_grid", "demo")
    assert done.returncode == 0, done.stderr
    reports = repository / "reports" / "demo"
    first, second = json.loads((reports / "grid.json").read_text())["cells"]
    assert (first["learning_rate"], first["rank_first"], first["rank_last"]) == (0.01, 1, 1)
    assert (second["learning_rate"], second["score"], second["diverged_at"]) == (1e30, None, 1)
    assert len(pd.read_csv(reports / "grid.csv")) == 2
    assert len(pd.read_csv(reports / "grid_history.csv")) == EPOCHS + 1
    assert json.loads((reports / "grid_scores.json").read_text())["optimizer"] == "sgd"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "demo", "grid/adma-0.01"), "bad value for run.optimizer.name: got 'adma'"),
        (("train", "demo", "grid/adam-fast"), "bad value for run.optimizer.learning_rate: got 'fast'"),
        (("train", "demo", "vnet"), "data/demo/plan/train/vnet.json"),
        (("collect_grid", "demo"), "runs/demo/grid/sgd-0.01/summary.json"),
    ],
)
def test_what_cannot_be_run_is_one_line(repository: Path, words: tuple[str, ...], told: str) -> None:
    assert stage(repository, "plan", "demo").returncode == 0
    done = stage(repository, *words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_accelerator_that_is_not_there_is_one_line(repository: Path) -> None:
    edit(repository / "profiles" / "demo.yaml", ("  accelerator: auto", "  accelerator: mps"))
    assert stage(repository, "plan", "demo").returncode == 0
    done = stage(repository, "train", "demo", "unet")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: train.accelerator: no such accelerator on this machine: got 1 of mps"
    )
    assert len(done.stderr.splitlines()) == 1
