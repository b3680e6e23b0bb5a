"""dvc.yaml: what an edit repeats. All stages but `plan` are stubs, so that a whole pipeline takes seconds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from brisc.config import read_yaml
from pipeline.keep import WEIGHTS

ROOT = Path(__file__).parents[1]
TRAINED = ("train", "evaluate", "grid")  # stages that need a training or are one
STUB = """import re, sys
from pathlib import Path
for pattern, paths in {written!r}:
    if match := re.fullmatch(pattern, " ".join(["python", *sys.argv])):
        for template in paths:
            path = Path(template.format(**match.groupdict()))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("result of " + " ".join(sys.argv) + ": " + str(path) + chr(10))
        break
sys.exit()

# What follows is not run, but read by `plan`.
"""


def written(stage: dict[str, Any], deps: set[str]) -> tuple[str, list[str]]:
    """A pattern of the stage's command line, and what its stub writes: its outputs, or what others read of an
    output folder."""
    parts = re.split(r"\$\{item\.(\w+)\}", stage["cmd"])
    pattern = "".join(f"(?P<{part}>[^ ]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    outs = [
        next(iter(out)) if isinstance(out, dict) else out
        for kind in ("outs", "metrics", "plots")
        for out in stage.get(kind, [])
    ]
    paths = []
    for out in outs:
        inside = [dep for dep in sorted(deps) if dep.startswith(f"{out}/")]
        paths += inside or [out if Path(out).suffix else f"{out}/content"]
    return pattern, [re.sub(r"\$\{item\.(\w+)\}", r"{\1}", path) for path in paths]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the real dvc.yaml, profiles and sources, five runs, one grid cell; reproduced once."""
    place = tmp_path_factory.mktemp("pipeline")
    for folder in ("src", "benchmark", "profiles", "stages"):
        shutil.copytree(
            ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in ("dvc.yaml", "published.json", ".dvcignore", ".gitignore", "params.yaml"):
        shutil.copyfile(ROOT / name, place / name)
    shutil.copytree(
        ROOT / ".dvc", place / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local")
    )
    params = read_yaml(place / "params.yaml")
    params["runs"] = ["unet", "densenet121", "unet-43", "unet-short", "unet-ema"]
    params["export"] = ["unet"]
    params["grid"] |= {"optimizers": ["adam"], "learning_rates": [1.0e-3]}
    (place / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    stages = read_yaml(place / "dvc.yaml")["stages"]
    deps = {dep for stage in stages.values() for dep in stage["deps"]}
    scripts: dict[str, list[tuple[str, list[str]]]] = {}
    for stage in sorted(stages.values(), key=lambda stage: -len(stage["cmd"])):  # a cell before a run
        scripts.setdefault(stage["cmd"].split()[1], []).append(written(stage, deps))
    for script, known in scripts.items():
        if script != "stages/plan.py":
            (place / script).write_text(STUB.format(written=known) + (place / script).read_text())
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


def all_of(place: Path, stage: str) -> list[str]:
    return sorted(f"{stage}@demo-{run}" for run in read_yaml(place / "params.yaml")["runs"])


def test_one_run_s_setting_repeats_that_run_alone(pipeline: Path) -> None:
    edit(pipeline / "profiles/demo.yaml", "growth_rate: 12", "growth_rate: 13")
    assert trainings(run(pipeline)) == ["evaluate@demo-densenet121", "train@demo-densenet121"]


def test_a_setting_repeats_the_runs_that_are_like_it_too(pipeline: Path) -> None:
    edit(pipeline / "profiles/demo.yaml", "may_diverge: true, epochs: 3", "may_diverge: true, epochs: 5")
    ran = [name for name in run(pipeline) if name.startswith("train@")]
    assert sorted(ran) == ["train@demo-unet-ema", "train@demo-unet-short"]


def test_a_setting_that_a_run_changes_itself_does_not_repeat_it(pipeline: Path) -> None:
    edit(pipeline / "profiles/demo.yaml", "ema_decay: 0.0", "ema_decay: 0.1")
    ran = run(pipeline)
    assert [name for name in all_of(pipeline, "train") if name not in ran] == ["train@demo-unet-ema"]


def test_one_model_s_file_repeats_that_model_alone(pipeline: Path) -> None:
    path = pipeline / "src/brisc/models/densenet121.py"
    path.write_text(path.read_text() + "\nEDITED = 1\n")
    assert trainings(run(pipeline)) == ["evaluate@demo-densenet121", "train@demo-densenet121"]


def test_a_new_model_is_one_file_and_one_block(pipeline: Path) -> None:
    (pipeline / "src/brisc/models/tiny.py").write_text("from torch import nn\nbuild = nn.Identity\n")
    edit(pipeline / "profiles/demo.yaml", "\ngrid:", "\n  tiny: {model: {arch: tiny}}\n\ngrid:")
    edit(pipeline / "params.yaml", "runs:\n- unet\n", "runs:\n- unet\n- tiny\n")
    ran = run(pipeline)
    assert trainings(ran) == ["evaluate@demo-tiny", "train@demo-tiny"]
    assert "analyse@demo" in ran
    assert "prepare@demo" not in ran


def test_wording_repeats_no_training(pipeline: Path) -> None:
    edit(pipeline / "src/brisc/training/fit.py", '"""', '"""Edited. ')
    edit(pipeline / "stages/command.py", "import contextlib\n", "import contextlib  # edited\n")
    assert trainings(run(pipeline)) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("src/brisc/training/fit.py", "DROPOUT_STREAM = 31", "DROPOUT_STREAM = 32"),
        ("stages/command.py", 'OMP_NUM_THREADS="1"', 'OMP_NUM_THREADS="2"'),
    ],
)
def test_what_all_trainings_share_repeats_them_all_and_no_data(
    pipeline: Path, file: str, old: str, new: str
) -> None:
    edit(pipeline / file, old, new)
    ran = run(pipeline)
    assert {*all_of(pipeline, "train"), "grid@demo-adam-0.001"} <= set(ran)
    assert not {"fetch@demo", "validate@demo", "audit@demo", "prepare@demo"} & set(ran)


@pytest.mark.parametrize("name", ["segmentation", "statistics", "validation", "evaluate", "predict"])
def test_an_edit_of_evaluation_repeats_no_training(pipeline: Path, name: str) -> None:
    path = pipeline / "src/brisc/evaluation" / f"{name}.py"
    path.write_text(path.read_text() + "\nEDITED = 1\n")
    assert trainings(run(pipeline)) == all_of(pipeline, "evaluate")


def test_a_setting_of_evaluation_repeats_no_training(pipeline: Path) -> None:
    edit(pipeline / "profiles/demo.yaml", "bootstrap_resamples: 2000", "bootstrap_resamples: 1000")
    assert trainings(run(pipeline)) == all_of(pipeline, "evaluate")


def test_the_images_that_a_run_is_judged_on_repeat_its_evaluation_alone(pipeline: Path) -> None:
    edit(pipeline / "profiles/demo.yaml", "{like: unet-short, ema", "{like: unet-short, judge: test, ema")
    assert trainings(run(pipeline)) == ["evaluate@demo-unet-ema"]


def test_a_clone_goes_on_from_the_kept_results_and_a_few_weights(pipeline: Path, tmp_path: Path) -> None:
    run(pipeline)
    stale = pipeline / "kept" / "files" / "md5" / "00" / ("0" * 30)
    stale.parent.mkdir(parents=True)
    stale.write_text("of a training that dvc.lock no longer has\n")
    kept = keep(pipeline)
    assert kept.returncode == 0, kept.stderr
    done = trainings(list(read_yaml(pipeline / "dvc.lock")["stages"]))
    results = sum(not name.startswith("train@") for name in done) + 1  # the vote
    assert kept.stdout.startswith(f"{results} results of demo are in kept/")
    assert not stale.parent.exists()

    for words in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "results"]):
        subprocess.run(["git", *words], cwd=pipeline, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(pipeline), str(clone)], check=True)
    dvc(clone, "pull", "--remote", "kept", "--allow-missing")
    for kind in ("eval", "grid"):
        assert names(clone / "runs/demo" / kind) == names(pipeline / "runs/demo" / kind) != []
    trained = [each for each in names(pipeline / "runs/demo/train") if each in WEIGHTS]
    assert names(clone / "runs/demo/train") == trained != []
    assert run(clone, "--allow-missing") == []
    edit(clone / "stages/analyse.py", "result of", "new result of")
    assert "analyse@demo" in (again := run(clone, "--allow-missing", "render@demo"))
    assert trainings(again) == []
    # One more run, as the docs have it: nothing but that one is trained.
    edit(clone / "params.yaml", "runs:\n- unet\n", "runs:\n- unet\n- mobilenetv2\n")
    run(clone, "prepare@demo")
    assert trainings(run(clone, "--allow-missing")) == ["evaluate@demo-mobilenetv2", "train@demo-mobilenetv2"]
    # A run that params.yaml no longer names is in dvc.lock and in the work tree, and no matter.
    edit(clone / "params.yaml", "runs:\n- unet\n- mobilenetv2\n", "runs:\n- unet\n")
    assert keep(clone).returncode == 0


def test_nothing_to_keep_is_told_in_one_line(pipeline: Path, tmp_path: Path) -> None:
    for name in ("params.yaml", "profiles", "dvc.lock", ".dvc"):
        source = pipeline / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, tmp_path / name)
    done = keep(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: runs/demo: nothing to keep of demo")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "kept").exists()


def test_an_emptied_work_tree_of_a_study_without_a_grid_comes_back_from_the_cache(pipeline: Path) -> None:
    params = read_yaml(pipeline / "params.yaml")
    params["grid"] |= {"optimizers": [], "learning_rates": []}
    (pipeline / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run(pipeline)
    for folder in ("data", "runs", "site"):
        shutil.rmtree(pipeline / folder)
    assert trainings(run(pipeline)) == []
    assert names(pipeline / "runs/demo/grid") == ["plan.json"]
