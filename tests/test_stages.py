"""The stages as a user runs them: a small pipeline end to end, each stage by itself, a line for bad input."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from brisc.config import read_yaml
from pipeline.parcel import Parcel, bring_back, lay, parcel_of
from pipeline.remote import launch

ROOT = Path(__file__).parents[1]
# A mask, a label, a joint net, a seed, two recipes; and what is not of the study: a pretrained net, the pair
# that copies are measured by, two folds.
MODELS = ["unet", "mobilenetv2", "joint", "unet_lite0"]
MORE = {
    "unet_lite0": {"model": {"arch": "unet_lite0", "pretrained": True}},
    "unet-no_copies": {"like": "unet", "prune": "copies"},
    "unet-no_others": {"like": "unet", "prune": "random"},
    "unet-fold0": {"like": "unet", "fold": 0},
    "unet-fold1": {"like": "unet", "fold": 1},
}
RUNS = ["unet", "mobilenetv2", "joint", "unet-43", "unet-short", "unet-ema", *MORE]
COPIES = ("same_bytes", "same_pixels", "reencoded", "rescaled", "mirrored", "within_train")
EACH = [
    *(f"{name}@demo" for name in ("plan", "fetch", "validate", "audit", "prepare")),
    *("train@demo-unet", "evaluate@demo-mobilenetv2", "evaluate@demo-unet-ema", "grid@demo-adam-0.001"),
    *("train@demo-unet-no_others", "evaluate@demo-unet-fold1", "evaluate@demo-unet_lite0", "vote@demo"),
    *("export@demo-unet", "export@demo-mobilenetv2"),
    *(f"{name}@demo" for name in ("collect_grid", "analyse", "render", "site")),
    "estimate",
]
OF_A_RUN = {"train": ["unet"], "evaluate": ["unet"], "export": ["unet"]}
STAGES = sorted({stage.split("@")[0] for stage in EACH} - {"estimate", "grid"})


def stage(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    name, *arguments = words
    command = [sys.executable, str(ROOT / "stages" / f"{name}.py"), *arguments]
    settings = {key: value for key, value in os.environ.items() if key not in ("BRISC_ARCHIVE", "DVC_ROOT")}
    return subprocess.run(
        command, cwd=folder, env={**settings, **environment}, capture_output=True, text=True, check=False
    )


def smaller(profile: dict[str, Any]) -> dict[str, Any]:
    """The demo with fewer images, smaller nets and two epochs."""
    profile["data"]["expected"] = {"images": {"train": 110, "test": 24}, "pairs": {"train": 86, "test": 21}}
    profile["phantom"] |= {
        "slices": {"train": 110, "test": 24},
        "neighbours": 1,
        "neighbours_within_train": 1,
    }
    profile["phantom"] |= {f"copies_{kind}": 1 for kind in COPIES}
    profile["train"]["epochs"] = profile["runs"]["unet-short"]["epochs"] = profile["grid"]["epochs"] = 2
    profile["runs"]["unet"]["model"]["base_channels"] = 4
    profile["evaluate"]["bootstrap_resamples"] = 100
    profile["runs"] |= MORE
    return profile


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of a smaller demo, reproduced by DVC."""
    place = tmp_path_factory.mktemp("small")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "cache", "tmp", "config.local")
    for folder in ("src", "benchmark", "profiles", "stages", ".dvc"):
        shutil.copytree(ROOT / folder, place / folder, ignore=ignored)
    for name in ("dvc.yaml", "published.json", ".dvcignore", ".gitignore", "params.yaml"):
        shutil.copyfile(ROOT / name, place / name)
    path = place / "profiles" / "demo.yaml"
    path.write_text(yaml.safe_dump(smaller(read_yaml(path)), sort_keys=False))
    params = read_yaml(place / "params.yaml") | {"runs": RUNS, "export": ["unet", "mobilenetv2"]}
    params["grid"] |= {"optimizers": ["adam"], "learning_rates": [1.0e-3]}
    params["vote"] = {"members": ["unet", "of_another_profile", "joint"], "agree": 2}
    (place / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("BRISC_ARCHIVE", None)
    done = subprocess.run(
        ["dvc", "repro"], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return place


def contents(folder: Path) -> dict[str, bytes]:
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_from_nothing_to_a_report(small: Path) -> None:
    reports = small / "reports" / "demo"
    metrics = json.loads((reports / "metrics.json").read_text())
    assert list(metrics) == [run for run in RUNS if "fold" not in run]
    for run in (*MODELS, "unet-43", "unet-no_copies", "unet-no_others"):
        assert {"official", "clean", "strict", "validation", "cost"} == metrics[run].keys() - {"temperature"}
    assert {"validation", "cost"} == metrics["unet-ema"].keys()
    assert metrics["unet"]["official"]["n_images"] == metrics["mobilenetv2"]["official"]["n_images"] == 24
    assert metrics["unet"]["official"]["n_pairs"] == 21
    # What training saw as the score of the best epoch is what evaluation measures on the same weights.
    history = pd.read_csv(reports / "history.csv").groupby("run")["validation_score"].max()
    for run, metric in (
        ("unet", "dice_per_image"),
        ("mobilenetv2", "accuracy"),
        ("unet-ema", "dice_per_image"),
    ):
        assert metrics[run]["validation"][metric] == pytest.approx(history[run], abs=1e-4)
    runs = json.loads((reports / "runs.json").read_text())
    full, *pruned = (runs[run]["train_images"] for run in ("unet", "unet-no_copies", "unet-no_others"))
    assert pruned[0] == pruned[1] < full
    beyond = json.loads((reports / "beyond.json").read_text())
    (copies,) = beyond["copies"]
    assert (copies["model"], copies["removed"]) == ("unet", full - pruned[0])
    assert copies["subsets"]["official"]["full"] == pytest.approx(
        metrics["unet"]["official"]["dice_per_image"], abs=1e-5
    )
    assert [row["model"] for row in beyond["flips"]] == [
        "unet",
        "mobilenetv2",
        "joint",
        "joint",
        "unet_lite0",
    ]
    assert beyond["vote"]["members"] == ["unet", "joint"]
    (folds,) = json.loads((reports / "out_of_fold.json").read_text())["models"].values()
    assert (folds["folds"], folds["complete"]) == ([0, 1], False)
    assert folds["n_pairs"] == sum(runs_of_fold(small, k) for k in (0, 1)) > 107 / 5
    comparisons = json.loads((reports / "comparisons.json").read_text())
    assert comparisons["seeds"]["models"]["unet"]["official"]["dice_study"]["values"].keys() == {"42", "43"}
    (study,) = json.loads((reports / "recipes.json").read_text())["studies"]
    plain, flipped, ema, _ = study["rows"]
    assert (study["baseline"], plain["run"], ema["run"]) == ("unet-short", "unet-short", "unet-ema")
    assert plain["score"] != ema["score"]
    assert flipped["difference"] == pytest.approx(flipped["score"] - plain["score"], abs=1e-5)
    assert "phantom" in (reports / "report.md").read_text().lower()
    assert "phantom" in (small / "site/demo/index.html").read_text().lower()


def runs_of_fold(place: Path, fold: int) -> int:
    return int((pd.read_csv(place / "data/demo/cache/samples.csv")["fold"] == fold).sum())


def read_parcel(place: Path, name: str) -> Parcel:
    with Repo(str(place)) as repo:
        (found,) = [stage for stage in repo.index.stages if stage.name == name]
        return parcel_of(found)


def run_parcel(parcel: Parcel, folder: Path, scratch: Path) -> tuple[int, str]:
    """Its exit code, and what it says on stderr."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with launch(parcel.command, folder, scratch=scratch, **options) as process:
        _, said = process.communicate()
    return process.returncode, said


@pytest.mark.parametrize("name", EACH)
def test_a_stage_needs_no_more_than_it_declares_and_gives_the_same_bytes(
    small: Path, tmp_path: Path, name: str
) -> None:
    parcel = read_parcel(small, name)
    folder, back = tmp_path / "folder", tmp_path / "back"
    lay(parcel, small, folder)
    code, said = run_parcel(parcel, folder, tmp_path / "scratch")
    assert code == 0, said
    bring_back(parcel, folder, back)
    for out in parcel.outputs:
        assert contents(back / out) == contents(small / out) != {}


@pytest.mark.parametrize(
    ("name", "forgotten"),
    [
        ("plan@demo", "profiles/demo.yaml"),
        ("validate@demo", "src/brisc/vocabulary.py"),
        ("prepare@demo", "data/demo/groups.csv"),
        ("train@demo-unet", "data/demo/plan/train/unet.json"),
        ("evaluate@demo-mobilenetv2", "data/demo/masks.npz"),
        ("analyse@demo", "runs/demo/grid"),
        ("render@demo", "src/brisc/analysis"),
    ],
)
def test_a_stage_that_does_not_declare_what_it_needs_fails(
    small: Path, tmp_path: Path, name: str, forgotten: str
) -> None:
    parcel = read_parcel(small, name)
    assert forgotten in parcel.inputs
    parcel = replace(parcel, inputs=tuple(path for path in parcel.inputs if path != forgotten))
    lay(parcel, small, tmp_path / "folder")
    code, _ = run_parcel(parcel, tmp_path / "folder", tmp_path / "scratch")
    assert code != 0


def test_a_setting_that_is_not_declared_is_not_there(small: Path, tmp_path: Path) -> None:
    parcel = read_parcel(small, "collect_grid@demo")
    assert parcel.settings == {"params.yaml": {"grid": read_yaml(small / "params.yaml")["grid"]}}
    lay(parcel, small, tmp_path)
    assert read_yaml(tmp_path / "params.yaml").keys() == {"grid"}


@pytest.mark.parametrize("name", STAGES)
def test_an_unknown_profile_is_one_line(repository: Path, name: str) -> None:
    shutil.copyfile(ROOT / "published.json", repository / "published.json")
    done = stage(repository, name, "huge", *OF_A_RUN.get(name, []))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "huge" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    expected = ["params.yaml", "profiles", "published.json", "src", "stages"]
    assert sorted(path.name for path in repository.iterdir()) == expected


@pytest.mark.parametrize("name", [name for name in STAGES if name != "plan"])
def test_a_missing_input_is_one_line(repository: Path, name: str) -> None:
    assert stage(repository, "plan", "demo").returncode == 0
    if name == "fetch":
        (repository / "data/demo/plan/fetch.json").unlink()
    done = stage(repository, name, "demo", *OF_A_RUN.get(name, []))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("train", "demo"), ("train", "demo", "unet", "more"), ("fetch",)])
def test_a_wrong_number_of_words_shows_the_use(repository: Path, words: tuple[str, ...]) -> None:
    done = stage(repository, *words)
    assert done.returncode == 1
    assert f"error: {words[0]}.py: got {len(words) - 1} arguments" in done.stderr
    assert "Use: python" in done.stderr
    assert "PROFILE" in done.stderr


def test_a_run_the_profile_does_not_know_is_named(repository: Path) -> None:
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("  - unet\n", "  - vnet\n", 1))
    done = stage(repository, "plan", "demo")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: profiles/demo.yaml: no block 'runs.vnet': got 'vnet', expected one of attention_unet"
    )


def test_real_data_without_network_or_path_names_both_ways_out(repository: Path) -> None:
    # A proxy that nobody listens at: every request is refused at once.
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    assert stage(repository, "plan", "laptop").returncode == 0
    done = stage(repository, "fetch", "laptop", **nowhere)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "BRISC_ARCHIVE" in done.stderr
    assert not any((repository / "data").rglob("*.zip"))


def test_a_path_that_does_not_exist_is_told(repository: Path) -> None:
    assert stage(repository, "plan", "laptop").returncode == 0
    done = stage(repository, "fetch", "laptop", BRISC_ARCHIVE=str(repository / "nowhere.zip"))
    assert done.returncode == 1
    assert "nowhere.zip" in done.stderr
    assert len(done.stderr.splitlines()) == 1
