"""dvc.yaml: what an edit repeats. Every stage is a stub but `sources`, so that a whole pipeline takes
seconds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from brisc.config import read_yaml

ROOT = Path(__file__).parents[1]
TRAINED = (
    "train",
    "evaluate",
    "seed",
    "evaluate_seed",
    "grid",
    "ablate",
)  # stages that need a training or are one
STUB = """import sys
from pathlib import Path
item = dict(zip({names!r}, sys.argv[1:]))
for template in {paths!r}:
    path = Path(template.format(**item))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("result of " + " ".join(sys.argv) + ": " + str(path) + chr(10))
"""


def written(name: str, stages: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The words of a stage's command line, and what its stub writes: its outputs, or what others read of an
    output folder."""
    stage = stages[name]
    names = re.findall(r"\$\{item\.(\w+)\}", stage["cmd"])
    outs = [
        next(iter(out)) if isinstance(out, dict) else out
        for kind in ("outs", "metrics", "plots")
        for out in stage.get(kind, [])
    ]
    deps = {dep for other in stages.values() for dep in other["deps"]}
    paths = []
    for out in outs:
        inside = [dep for dep in sorted(deps) if dep.startswith(f"{out}/")]
        paths += inside or [out if Path(out).suffix else f"{out}/content"]
    return names, [re.sub(r"\$\{item\.(\w+)\}", r"{\1}", path) for path in paths]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the real dvc.yaml, profiles and sources, two models, one seed, one grid cell;
    reproduced once."""
    place = tmp_path_factory.mktemp("pipeline")
    for folder in ("src", "profiles", "stages"):
        shutil.copytree(
            ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in ("dvc.yaml", "published.json", ".dvcignore", ".gitignore", "params.yaml"):
        shutil.copyfile(ROOT / name, place / name)
    shutil.copytree(
        ROOT / ".dvc", place / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local")
    )
    params = (place / "params.yaml").read_text()
    for key, value in (
        ("models", "[unet, densenet121]"),
        ("  models", "[unet]"),
        ("  optimizers", "[adam]"),
        ("  learning_rates", "[1.0e-3]"),
        ("  recipes", "[plain, ema]"),
    ):
        params, count = re.subn(rf"^{key}: \[.*", f"{key}: {value}", params, count=1, flags=re.M)
        assert count == 1, key
    (place / "params.yaml").write_text(params)
    stages = read_yaml(place / "dvc.yaml")["stages"]
    for name in stages:
        if name != "sources":
            names, paths = written(name, stages)
            (place / "stages" / f"{name}.py").write_text(STUB.format(names=names, paths=paths))
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    assert "train@demo-unet" in run(place)
    assert run(place) == []
    return place


def dvc(place: Path, *words: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(place / "src"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["dvc", *words], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(place: Path, *options: str) -> list[str]:
    """Reproduce, and say which stages ran."""
    return re.findall(r"Running stage '([^']+)'", dvc(place, "repro", *options))


def keep(place: Path) -> subprocess.CompletedProcess[str]:
    path = f"{place / 'src'}:{ROOT}"
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "pipeline.keep"]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def trainings(stages: list[str]) -> list[str]:
    return sorted(stage for stage in stages if stage.split("@")[0] in TRAINED)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_one_model_s_knob_repeats_that_model_alone(pipeline: Path) -> None:
    block = re.search(r"  densenet121:\n.*?\n    loss", (pipeline / "profiles/demo.yaml").read_text(), re.S)
    assert block is not None
    edit(
        pipeline / "profiles/demo.yaml",
        block.group(),
        block.group().replace("weight_decay: 1.0e-5", "weight_decay: 2.0e-5"),
    )
    assert trainings(run(pipeline)) == ["evaluate@demo-densenet121", "train@demo-densenet121"]


def test_one_model_s_file_repeats_that_model_alone(pipeline: Path) -> None:
    edit(pipeline / "src/brisc/models/densenet121.py", '"""', '"""Edited. ')
    assert trainings(run(pipeline)) == ["evaluate@demo-densenet121", "train@demo-densenet121"]


def test_a_new_model_is_one_file_and_one_block(pipeline: Path) -> None:
    (pipeline / "src/brisc/models/tiny.py").write_text("from torch import nn\nbuild = nn.Identity\n")
    edit(
        pipeline / "profiles/demo.yaml",
        "\nmodels:\n",
        """
models:
  tiny:
    model: {arch: tiny}
    healthy_slices: false
    epochs: 1
    optimizer: {name: adam, learning_rate: 1.0e-3, weight_decay: 0.0, momentum: 0.0}
    loss: {dice: 1.0, bce: 1.0, cross_entropy: 0.0, balance: fixed}
""",
    )
    edit(pipeline / "params.yaml", "models: [unet, ", "models: [tiny, unet, ")
    ran = run(pipeline)
    assert trainings(ran) == ["evaluate@demo-tiny", "train@demo-tiny"]
    assert "collect@demo" in ran
    assert "prepare@demo" not in ran


def test_what_all_trainings_share_repeats_them_all_and_no_data(pipeline: Path) -> None:
    edit(pipeline / "src/brisc/training/losses.py", '"""', '"""Edited. ')
    ran = run(pipeline)
    trained = {
        "train@demo-unet",
        "train@demo-densenet121",
        "seed@demo-unet-43",
        "grid@demo-adam-0.001",
        "ablate@demo-ema",
    }
    assert trained <= set(ran)
    assert not {"fetch@demo", "validate@demo", "audit@demo", "prepare@demo"} & set(ran)


def test_what_evaluation_alone_uses_repeats_no_training(pipeline: Path) -> None:
    edit(pipeline / "src/brisc/evaluation/statistics.py", '"""', '"""Edited. ')
    edit(pipeline / "profiles/demo.yaml", "bootstrap_resamples: 2000", "bootstrap_resamples: 1000")
    ran = trainings(run(pipeline))
    assert {"evaluate@demo-unet", "evaluate@demo-densenet121", "evaluate_seed@demo-unet-43"} <= set(ran)
    assert {stage.split("@")[0] for stage in ran} == {"evaluate", "evaluate_seed"}


def test_a_recipe_s_knob_repeats_that_recipe_alone(pipeline: Path) -> None:
    edit(pipeline / "profiles/demo.yaml", "{ema_decay: 0.9}", "{ema_decay: 0.8}")
    ran = run(pipeline)
    assert trainings(ran) == ["ablate@demo-ema"]
    assert "collect_ablation@demo" in ran


def test_a_clone_goes_on_from_the_kept_results_without_weights(pipeline: Path, tmp_path: Path) -> None:
    run(pipeline)
    stale = pipeline / "kept" / "files" / "md5" / "00" / ("0" * 30)
    stale.parent.mkdir(parents=True)
    stale.write_text("of a training that dvc.lock no longer has\n")
    kept = keep(pipeline)
    assert kept.returncode == 0, kept.stderr
    done = trainings(list(read_yaml(pipeline / "dvc.lock")["stages"]))
    results = sum(not name.startswith(("train@", "seed@")) for name in done)
    assert kept.stdout.startswith(f"{results} results of demo are in kept/")
    assert not stale.parent.exists()

    for words in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "results"]):
        subprocess.run(["git", *words], cwd=pipeline, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(pipeline), str(clone)], check=True)
    dvc(clone, "pull", "--remote", "kept", "--allow-missing")
    for kind in ("eval", "seeds/eval", "grid/eval", "ablation/eval"):
        assert names(clone / "runs/demo" / kind) == names(pipeline / "runs/demo" / kind) != []
        assert [
            path
            for path in (clone / "runs/demo" / kind.replace("eval", "train")).rglob("*")
            if path.is_file()
        ] == []
    assert run(clone, "--allow-missing") == []
    edit(clone / "stages/collect.py", "result of", "new result of")
    assert "collect@demo" in (again := run(clone, "--allow-missing", "render@demo"))
    assert trainings(again) == []
    # One more model, as the README has it: nothing but that one is trained.
    edit(clone / "params.yaml", "models: [", "models: [mobilenetv2, ")
    run(clone, "prepare@demo")
    assert trainings(run(clone, "--allow-missing")) == ["evaluate@demo-mobilenetv2", "train@demo-mobilenetv2"]


def test_nothing_to_keep_is_told_in_one_line(pipeline: Path, tmp_path: Path) -> None:
    for name in ("params.yaml", "profiles", "dvc.lock", ".dvc"):
        source = pipeline / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, tmp_path / name)
    done = keep(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: runs/demo: nothing to keep of demo")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "kept").exists()


def test_an_emptied_work_tree_of_a_study_without_seeds_and_grid_comes_back_from_the_cache(
    pipeline: Path,
) -> None:
    params = (pipeline / "params.yaml").read_text()
    for key in ("values", "optimizers", "learning_rates", "recipes"):
        params = re.sub(rf"^  {key}: \[.*", f"  {key}: []", params, count=1, flags=re.M)
    (pipeline / "params.yaml").write_text(params)
    run(pipeline)
    for folder in ("data", "runs", "site"):
        shutil.rmtree(pipeline / folder)
    assert trainings(run(pipeline)) == []
    assert [names(pipeline / "runs/demo" / kind / "eval") for kind in ("seeds", "grid", "ablation")] == [
        ["about.txt"]
    ] * 3
