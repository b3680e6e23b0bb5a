"""The stages as a user runs them: a small pipeline end to end, and one line for every bad input."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
MODELS = ("unet", "mobilenetv2")  # a mask and a label
FROM_DATA = ("fetch", "validate", "audit", "prepare", "sources", "sheets")
FROM_RESULTS = ("collect", "collect_grid", "collect_ablation", "collect_costs", "compare", "render", "site")
WORDS = {
    "train": ["unet"],
    "evaluate": ["unet"],
    "seed": ["unet", "43"],
    "evaluate_seed": ["unet", "43"],
    "grid": ["adam", "0.001", "unet"],
    "ablate": ["ema", "unet"],
}
STAGES = (*FROM_DATA, *WORDS, *FROM_RESULTS)
COPIES = {
    "same_bytes": 3,
    "same_pixels": 3,
    "reencoded": 6,
    "rescaled": 4,
    "mirrored": 8,
    "within_train": 5,
}  # in the demo


def stage(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    name, *arguments = words
    command = [sys.executable, str(ROOT / "stages" / f"{name}.py"), *arguments]
    settings = {key: value for key, value in os.environ.items() if key not in ("BRISC_ARCHIVE", "DVC_ROOT")}
    return subprocess.run(
        command, cwd=folder, env={**settings, **environment}, capture_output=True, text=True, check=False
    )


def shrink(folder: Path) -> None:
    """The demo profile with fewer images, a smaller net and two epochs."""
    path = folder / "profiles" / "demo.yaml"
    text = path.read_text()
    for old, new in (
        ("slices: {train: 300, test: 100}", "slices: {train: 110, test: 24}"),
        ("images: {train: 300, test: 100}", "images: {train: 110, test: 24}"),
        ("pairs: {train: 236, test: 86}", "pairs: {train: 86, test: 21}"),
        *((f"copies_{kind}: {old}", f"copies_{kind}: 1") for kind, old in COPIES.items()),
        ("neighbours: 8 ", "neighbours: 1 "),
        ("neighbours_within_train: 8", "neighbours_within_train: 1"),
        ("base_channels: 8", "base_channels: 4"),
        ("epochs: 8", "epochs: 2"),
        ("bootstrap_resamples: 2000", "bootstrap_resamples: 100"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    params = (folder / "params.yaml").read_text()
    listed = f"[{', '.join(MODELS)}]"
    for key, value in (
        ("models", listed),
        ("  models", "[unet]"),
        ("  optimizers", "[adam]"),
        ("  learning_rates", "[1.0e-3]"),
        ("  recipes", "[plain, ema]"),
    ):
        params, count = re.subn(rf"^{key}: \[.*", f"{key}: {value}", params, count=1, flags=re.M)
        assert count == 1, key
    (folder / "params.yaml").write_text(params)
    (folder / "published.json").write_text((ROOT / "published.json").read_text())


def run(folder: Path, name: str, *words: str) -> None:
    done = stage(folder, name, "demo", *words)
    assert done.returncode == 0, f"{name}: {done.stderr}"


def test_from_nothing_to_a_report(repository: Path) -> None:
    shrink(repository)
    for name in FROM_DATA:
        run(repository, name)
    for model in MODELS:
        run(repository, "train", model)
        run(repository, "evaluate", model)
    for name in ("seed", "evaluate_seed", "grid", "ablate"):
        run(repository, name, *WORDS[name])
    run(repository, "ablate", "plain", "unet")
    for name in FROM_RESULTS:
        run(repository, name)
    reports = repository / "reports" / "demo"
    metrics = json.loads((reports / "metrics.json").read_text())
    assert all(
        {"official", "clean", "strict", "validation", "cost"} <= metrics[model].keys() for model in MODELS
    )
    assert metrics["unet"]["official"]["n_images"] == metrics["mobilenetv2"]["official"]["n_images"] == 24
    assert metrics["unet"]["official"]["n_pairs"] == 21
    # What training saw as the score of the best epoch is what evaluation measures on the same weights.
    history = pd.read_csv(reports / "history.csv").groupby("model")["validation_score"].max()
    assert metrics["unet"]["validation"]["dice_per_image"] == pytest.approx(history["unet"], abs=1e-4)
    assert metrics["mobilenetv2"]["validation"]["accuracy"] == pytest.approx(history["mobilenetv2"], abs=1e-4)
    assert json.loads((reports / "seeds.json").read_text())["unet"].keys() == {"42", "43"}
    plain, flipped, ema, _ = json.loads((reports / "ablation.json").read_text())["rows"]
    assert plain["score"] != ema["score"]
    assert flipped["difference"] == pytest.approx(flipped["score"] - plain["score"], abs=1e-5)
    summary = json.loads((repository / "runs/demo/ablation/eval/plain/summary.json").read_text())
    assert plain["score"] == pytest.approx(summary["best_validation_score"], abs=1e-5)
    assert "phantom" in (reports / "report.md").read_text().lower()
    assert "phantom" in (repository / "site/demo/index.html").read_text().lower()
    places = [reports, repository / "site"]
    first = {
        path: path.read_bytes() for place in places for path in sorted(place.rglob("*")) if path.is_file()
    }
    for name in FROM_RESULTS:
        run(repository, name)
    assert {
        path: path.read_bytes() for place in places for path in sorted(place.rglob("*")) if path.is_file()
    } == first


@pytest.mark.parametrize("name", STAGES)
def test_an_unknown_profile_is_one_line(repository: Path, name: str) -> None:
    (repository / "published.json").write_text((ROOT / "published.json").read_text())
    done = stage(repository, name, "huge", *WORDS.get(name, []))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "huge" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in repository.iterdir()) == ["params.yaml", "profiles", "published.json"]


@pytest.mark.parametrize("name", [name for name in STAGES if name not in ("fetch", "sources")])
def test_a_missing_input_is_one_line(repository: Path, name: str) -> None:
    done = stage(repository, name, "demo", *WORDS.get(name, []))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("train", "demo"), ("train", "demo", "unet", "more"), ("fetch",)])
def test_a_wrong_number_of_words_shows_the_use(repository: Path, words: tuple[str, ...]) -> None:
    done = stage(repository, *words)
    assert done.returncode == 1
    assert f"error: {words[0]}.py: got {len(words) - 1} arguments" in done.stderr
    assert "Use: python" in done.stderr
    assert "PROFILE" in done.stderr


def test_a_model_the_profile_does_not_know_is_named(repository: Path) -> None:
    done = stage(repository, "train", "demo", "vnet")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: profiles/demo.yaml: no block 'models.vnet': got 'vnet', expected one of attention_unet"
    )


def test_real_data_without_network_or_path_names_both_ways_out(repository: Path) -> None:
    # A proxy that nobody listens at: every request is refused at once.
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = stage(repository, "fetch", "laptop", **nowhere)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "BRISC_ARCHIVE" in done.stderr
    assert not (repository / "data").exists() or not any((repository / "data").rglob("*.zip"))


def test_a_path_that_does_not_exist_is_told(repository: Path) -> None:
    done = stage(repository, "fetch", "laptop", BRISC_ARCHIVE=str(repository / "nowhere.zip"))
    assert done.returncode == 1
    assert "nowhere.zip" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_helping_thread_computes_on_one_core_and_the_training_on_as_many_as_before() -> None:
    said = """
import sys, threading, torch
sys.path.insert(0, "stages")
import command
before = torch.get_num_threads()
command.helpers_take_one_core()
threads = []
helper = threading.Thread(target=lambda: threads.append(torch.get_num_threads()))
helper.start()
helper.join()
print(torch.get_num_threads() == before, *threads)
"""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    }
    command = [sys.executable, "-c", said]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True 1\n", "")
