"""The paper profile, made small and of phantoms, trained where there is neither git nor DVC: what comes back
is what `dvc repro` makes here."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from started import ROOT, environment_of, start
from test_offline import bare, unpack

from brisc.config import read_yaml
from test_stages import smaller

STAGES = ("train@paper-unet", "evaluate@paper-unet", "grid@paper-adam-0.001")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one run and one cell, whose data are prepared."""
    place = tmp_path_factory.mktemp("rehearsal") / "place"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "cache", "tmp", "config.local")
    for folder in ("src", "benchmark", "profiles", "stages", ".dvc"):
        shutil.copytree(ROOT / folder, place / folder, ignore=ignored)
    for name in ("dvc.yaml", "published.json", ".dvcignore", ".gitignore"):
        shutil.copyfile(ROOT / name, place / name)
    path = place / "profiles" / "paper.yaml"
    profile = smaller(read_yaml(path))
    profile["data"] |= {"source": "phantom", "manifest_sha256": None}
    profile["prepare"]["size"] = 64
    profile["train"] |= {"epochs": 1, "measure_seconds": False}  # seconds would be other bytes each time
    path.write_text(yaml.safe_dump(profile, sort_keys=False))
    params = read_yaml(ROOT / "params.yaml") | {"profile": "paper", "runs": ["unet"], "export": ["unet"]}
    params["grid"] |= {"optimizers": ["adam"], "learning_rates": [1.0e-3]}
    (place / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    repro(place, "prepare@paper")
    return place


def repro(place: Path, *stages: str) -> None:
    environment = environment_of(place, PYTHONPATH=str(place / "src"), BRISC_ARCHIVE="")
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", *stages]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_pack_run_elsewhere_gives_what_dvc_gives(place: Path) -> None:
    here, packed = place.parent / "here", place.parent / "pack"
    shutil.copytree(place, here)
    repro(here, *STAGES)

    done = start(place, "pipeline.pack", OUT=str(packed), PART="200K")
    assert done.returncode == 0, done.stderr
    for tree in (place, here):  # so that nothing of them can be read by mistake
        tree.rename(tree.with_name(f"{tree.name}-hidden"))
    node = bare(packed, RESULT_PART="200K", OMP_NUM_THREADS="1")  # as the trainings here
    ran = subprocess.run(**node, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for tree in (place, here):
        tree.with_name(f"{tree.name}-hidden").rename(tree)
    work = packed / "work" / "data" / "paper"
    assert contents(work / "cache") == contents(place / "data" / "paper" / "cache")

    stored = unpack(place, packed / "results")
    assert stored.returncode == 0, stored.stderr
    assert contents(place / "runs") == contents(here / "runs")
    assert (place / "dvc.lock").read_bytes() == (here / "dvc.lock").read_bytes()
    assert contents(place / ".dvc" / "cache") == contents(here / ".dvc" / "cache")
    said = json.loads(start(place, "pipeline.dvc", "status", "--json", *STAGES).stdout)
    assert said == {}
    record = json.loads((packed / "results" / "results.json").read_text())["stages"]["train@paper-unet"]
    assert record["device"]
    assert record["log"][-1].startswith("epoch 1/1")
