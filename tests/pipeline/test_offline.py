"""make pack, bash run.sh where there is neither git nor DVC, make unpack: what DVC would have made, or one
line and nothing stored. All stages are stubs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from started import ROOT, start

from pipeline.node import missing, provide, unnamed
from pipeline.parcel import COMMON

DVC_YAML = """
stages:
  prepare:
    matrix: {p: ["${profile}"]}
    cmd: python stages/stub.py prepare data/${item.p}/cache source-${item.p}
    deps: ["source-${item.p}", stages/stub.py]
    outs: ["data/${item.p}/cache"]
  train:
    matrix: {p: ["${profile}"], run: [a, b]}
    cmd: python stages/stub.py train-${item.run} runs/${item.p}/train/${item.run} data/${item.p}/cache
    deps: ["data/${item.p}/cache", "data/${item.p}/plan/train/${item.run}.json", stages/stub.py]
    outs: ["runs/${item.p}/train/${item.run}"]
  evaluate:
    matrix: {p: ["${profile}"], run: [a, b]}
    cmd: >-
      python stages/stub.py evaluate-${item.run} runs/${item.p}/eval/${item.run}
      runs/${item.p}/train/${item.run}
    deps: ["runs/${item.p}/train/${item.run}", stages/stub.py]
    outs: ["runs/${item.p}/eval/${item.run}"]
  grid:
    matrix: {p: ["${profile}"], cell: [adam]}
    cmd: python stages/stub.py grid-${item.cell} runs/${item.p}/grid/${item.cell} data/${item.p}/cache
    deps: ["data/${item.p}/cache", stages/stub.py]
    outs: ["runs/${item.p}/grid/${item.cell}"]
"""
# Tells `ran` in the scratch folder that it runs. FAILS names a stage that fails, HANGS one that ends when
# there is `go` in that folder, SLOW one that takes two seconds.
STUB = """
import os, sys, time
from pathlib import Path

import command  # which ends it with its parent
import numpy as np

name, out, *inputs = sys.argv[1:]
scratch = Path(os.environ.get("BRISC_SCRATCH", "."))
scratch.mkdir(exist_ok=True)
with (scratch / "ran").open("a") as file:
    file.write(f"{name} {os.getpid()}\\n")
print(f"{name} at work", flush=True)
if name == os.environ.get("FAILS"):
    sys.exit("error: no memory")
while name == os.environ.get("HANGS") and not (scratch / "go").exists():
    time.sleep(0.05)
if name == os.environ.get("SLOW"):
    time.sleep(2)
folder = Path(out)
folder.mkdir(parents=True)
(source,) = map(Path, inputs)
files = [source] if source.is_file() else sorted(source.iterdir())
bits = b"".join(path.read_bytes() for path in files)
if name == "prepare":
    np.save(folder / "images.npy", np.full((3, 16, 16), len(bits), np.uint8))
    (folder / "fingerprint.json").write_text('{"fingerprint": "f"}')
elif name.startswith("train"):
    (folder / "weights.pt").write_bytes(bits * 9)
(folder / "result").write_text(f"{name} of {len(bits)}")
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two profiles whose data are prepared."""
    place = tmp_path_factory.mktemp("offline") / "template"
    for name in (*COMMON, "params.yaml", *(f"profiles/{name}.yaml" for name in ("demo", "laptop", "paper"))):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place / name)
    (place / "dvc.yaml").write_text(DVC_YAML)
    (place / "stages" / "stub.py").write_text(STUB)
    (place / ".dvc").mkdir()
    (place / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    (place / ".scratch").mkdir()
    params = (place / "params.yaml").read_text()
    for profile in ("paper", "demo"):
        (place / f"source-{profile}").write_text(profile)
        for run in "ab":
            plan = place / "data" / profile / "plan" / "train" / f"{run}.json"
            plan.parent.mkdir(parents=True, exist_ok=True)
            plan.write_text('{"run": {"epochs": 3}}')
        (place / "params.yaml").write_text(params.replace("profile: demo", f"profile: {profile}"))
        done = dvc(place, "repro", f"prepare@{profile}")
        assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def by_dvc(template: Path) -> dict[str, bytes]:
    """What `dvc repro` leaves."""
    place = template.parent / "by-dvc"
    shutil.copytree(template, place)
    assert dvc(place, "repro").returncode == 0
    return stored(place)


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture(scope="module")
def packed(template: Path) -> Path:
    """The pack of all stages of the demo."""
    done = pack(template)
    assert done.returncode == 0, done.stderr
    return template.parent / "pack"


@pytest.fixture(scope="module")
def results(packed: Path) -> Path:
    """What a node made of it."""
    done = node(packed, RESULT_PART="1K")
    assert done.returncode == 0, done.stderr
    return packed / "results"


def dvc(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.dvc", *words, BRISC_SCRATCH=str(place / ".scratch"))


def pack(place: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.pack", **{"OUT": str(place.parent / "pack"), **settings})


def unpack(place: Path, results: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return start(place, "pipeline.unpack", RESULTS=str(results), **settings)


def bare(packed: Path, **settings: str) -> dict[str, Any]:
    """How to start run.sh where neither git nor DVC is to be had."""
    tools = packed.parent / "tools"
    for name in ("bash", "dirname"):
        tools.mkdir(exist_ok=True)
        if not (tools / name).exists():
            (tools / name).symlink_to(str(shutil.which(name)))
    work = Path(settings.get("WORK", packed / "work"))
    for folder in (packed, work / "site"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dvc.py").write_text("raise ImportError('there is no DVC here')\n")
    environment = {"PATH": str(tools), "PYTHON": sys.executable, "BRISC_DEVICES": "", **settings}
    return {"args": [str(tools / "bash"), str(packed / "run.sh")], "cwd": packed.parent, "env": environment}


def node(packed: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(**bare(packed, **settings), capture_output=True, text=True, check=False)


def ran(packed: Path) -> list[str]:
    """The stages that the node has run since this was asked last."""
    path = packed / "work" / ".scratch" / "ran"
    names = [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(names)


def stored(place: Path) -> dict[str, bytes]:
    """dvc.lock, all outputs, the cache and the run-cache."""
    files = [
        path
        for name in ("data", "runs", ".dvc/cache")
        for path in (place / name).rglob("*")
        if path.is_file()
    ]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in [*files, place / "dvc.lock"]}


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout
    (line,) = done.stderr.splitlines()
    return line


def change(results: Path, out: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the results, of which the list says something else."""
    shutil.copytree(results, out)
    content = json.loads((out / "results.json").read_text())
    edit(content)
    (out / "results.json").write_text(json.dumps(content))
    return out


def test_results_are_stored_as_if_they_had_been_made_here(
    place: Path, packed: Path, results: Path, by_dvc: dict[str, bytes]
) -> None:
    assert max(path.stat().st_size for path in results.glob("*.part")) <= 1000
    done = unpack(place, results)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "train@demo-a",
        "train@demo-b",
        "evaluate@demo-a",
        "evaluate@demo-b",
        "grid@demo-adam",
    ]
    assert stored(place) == by_dvc
    assert dvc(place, "status").stdout == "Data and pipelines are up to date.\n"
    twice = unpack(place, results)
    assert (twice.returncode, twice.stdout.count("here already")) == (0, 5)
    assert stored(place) == by_dvc
    assert "nothing to pack" in one_line(pack(place))


def test_the_node_has_the_very_data(packed: Path, results: Path, template: Path) -> None:
    for path in (template / "data" / "demo" / "cache").iterdir():
        assert (packed / "work" / "data" / "demo" / "cache" / path.name).read_bytes() == path.read_bytes()
    assert json.loads((results / "results.json").read_text())["data"] == "f"


def test_weights_may_stay_there(place: Path, packed: Path, by_dvc: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "results"
    assert node(packed, RESULTS=str(out), WITHOUT_WEIGHTS="1").returncode == 0
    assert "weights stayed behind" in one_line(unpack(place, out))
    older = place / "runs" / "demo" / "train" / "a"
    older.mkdir(parents=True)
    (older / "weights.pt").write_text("of an older plan")
    done = unpack(place, out, WITHOUT_WEIGHTS="1")
    assert done.returncode == 0, done.stderr
    assert not older.exists()
    kept = {
        name: content
        for name, content in by_dvc.items()
        if name.startswith(("runs/demo/eval", "runs/demo/grid"))
    }
    assert {name: content for name, content in stored(place).items() if name in kept} == kept
    assert (place / "dvc.lock").read_bytes() == by_dvc["dvc.lock"]
    again = dvc(place, "repro", "--allow-missing")
    assert "up to date" in again.stdout


def test_weights_that_came_may_be_left_out_and_come_later(
    place: Path, results: Path, by_dvc: dict[str, bytes]
) -> None:
    assert unpack(place, results, WITHOUT_WEIGHTS="1").returncode == 0
    assert not (place / "runs" / "demo" / "train").exists()
    assert unpack(place, results).returncode == 0
    outputs = {name for name in by_dvc if not name.startswith(".dvc/cache/runs")}
    assert {name: content for name, content in stored(place).items() if name in outputs} == {
        name: by_dvc[name] for name in outputs
    }


def test_where_the_data_are_not_at_hand_the_lock_says_what_they_are(
    place: Path, results: Path, by_dvc: dict[str, bytes]
) -> None:
    shutil.rmtree(place / "data" / "demo" / "cache")
    done = unpack(place, results)
    assert done.returncode == 0, done.stderr
    assert (place / "dvc.lock").read_bytes() == by_dvc["dvc.lock"]
    outputs = {name: content for name, content in by_dvc.items() if name.startswith("runs/")}
    assert {name: content for name, content in stored(place).items() if name in outputs} == outputs
    shutil.rmtree(place / "data" / "demo" / "plan")
    assert "data/demo/plan/train/a.json" in (line := one_line(unpack(place, results)))
    assert "it is not at hand" in line


def test_a_damaged_or_partial_result_stores_nothing(place: Path, results: Path, tmp_path: Path) -> None:
    before, out = stored(place), tmp_path / "results"
    shutil.copytree(results, out)
    part = sorted(out.glob("*.part"))[0]
    data = part.read_bytes()
    part.write_bytes(data[:-1])
    assert "a part is damaged" in one_line(unpack(place, out))
    part.unlink()
    assert "a part is missing" in one_line(unpack(place, out))
    part.write_bytes(data)

    def other_digest(content: dict[str, Any]) -> None:
        content["stages"]["grid@demo-adam"]["outputs"]["runs/demo/grid/adam"]["md5"] = "0" * 32 + ".dir"

    assert "a damaged output, runs/demo/grid/adam" in one_line(
        unpack(place, change(results, tmp_path / "other", other_digest))
    )
    assert "not a list of parts" in one_line(unpack(place, tmp_path / "none"))
    assert stored(place) == before


def test_a_result_of_another_plan_or_other_data_is_refused(place: Path, results: Path) -> None:
    plan = place / "data" / "demo" / "plan" / "train" / "a.json"
    today = plan.read_text()
    plan.write_text('{"run": {"epochs": 4}}')
    before = stored(place)
    assert "made with another plan, data/demo/plan/train/a.json" in one_line(unpack(place, results))
    assert stored(place) == before
    plan.write_text(today)
    (place / "source-demo").write_text("newer data")
    assert "prepare@demo: an earlier stage must run first" in one_line(unpack(place, results))
    assert "prepare@demo: an earlier stage must run first" in one_line(pack(place))
    assert dvc(place, "repro", "prepare@demo").returncode == 0
    before = stored(place)
    assert "made of other data, data/demo/cache" in one_line(unpack(place, results))
    assert stored(place) == before


def test_while_another_dvc_works_in_the_tree_nothing_is_stored(place: Path, results: Path) -> None:
    before, other = stored(place), {"pid": os.getpid(), "cmd": "dvc repro"}
    lock = place / ".dvc" / "tmp" / "rwlock"
    lock.write_text(
        json.dumps({"read": {}, "write": {str(place / "runs" / "demo" / "grid" / "adam"): other}})
    )
    assert "is busy" in one_line(unpack(place, results))
    assert stored(place) == before
    lock.write_text("{")  # torn by a kill
    assert unpack(place, results).returncode == 0


def test_a_stranger_s_result_is_refused(place: Path, results: Path, tmp_path: Path) -> None:
    before = stored(place)

    def rename(content: dict[str, Any]) -> None:
        content["stages"]["train@demo-c"] = content["stages"].pop("train@demo-a")

    assert "a stage that is not in this repository" in one_line(
        unpack(place, change(results, tmp_path / "renamed", rename))
    )

    def shorten(content: dict[str, Any]) -> None:
        del content["stages"]["train@demo-a"]["inputs"]

    assert "missing setting stages.train@demo-a.inputs" in one_line(
        unpack(place, change(results, tmp_path / "short", shorten))
    )

    def command(content: dict[str, Any]) -> None:
        content["stages"]["train@demo-a"]["command"] = "python stages/other.py"

    assert "a stage of other commands" in one_line(
        unpack(place, change(results, tmp_path / "command", command))
    )
    assert stored(place) == before


def test_another_result_that_is_here_stays(place: Path, results: Path, template: Path) -> None:
    """Made with the same inputs, as another GPU makes it."""
    assert dvc(place, "repro", "grid@demo-adam").returncode == 0
    (place / "runs" / "demo" / "grid" / "adam" / "result").write_text("of another machine")
    assert dvc(place, "commit", "--force", "grid@demo-adam").returncode == 0
    before = stored(place)
    assert "another result is here already, runs/demo/grid/adam" in one_line(unpack(place, results))
    assert stored(place) == before


def test_a_stage_that_fails_there_is_told_and_the_others_are_stored(
    place: Path, by_dvc: dict[str, bytes]
) -> None:
    packed = place.parent / "pack"
    assert pack(place, RUNS="a grid").returncode == 0
    failed = node(packed, FAILS="train-a")
    assert failed.returncode == 1
    assert "error: train@demo-a: ended with 1" in failed.stderr
    done = unpack(place, packed / "results")
    assert done.returncode == 0, done.stderr
    assert "train@demo-a failed there: error: no memory" in done.stdout
    assert {name for name in stored(place) if name.startswith("runs/")} == {"runs/demo/grid/adam/result"}
    ran(packed)
    assert node(packed).returncode == 0
    assert ran(packed) == ["evaluate-a", "train-a"]
    assert unpack(place, packed / "results").returncode == 0
    assert stored(place)["runs/demo/eval/a/result"] == by_dvc["runs/demo/eval/a/result"]


def test_after_so_many_seconds_no_training_begins_and_the_next_start_goes_on(
    template: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "pack"
    assert pack(template, OUT=str(packed), RUNS="a b").returncode == 0
    short = node(packed, SECONDS_ALL="1", SLOW="train-a")
    assert short.returncode == 0
    assert "2 of 4 stages are done, 2 are left" in short.stdout
    assert ran(packed) == ["evaluate-a", "train-a"]
    assert node(packed, WORKERS="2").returncode == 0
    assert ran(packed) == ["evaluate-b", "train-b"]
    assert sorted(json.loads((packed / "results" / "results.json").read_text())["stages"]) == [
        "evaluate@demo-a",
        "evaluate@demo-b",
        "train@demo-a",
        "train@demo-b",
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_it_leaves_nothing_running_and_goes_on(
    template: Path, tmp_path: Path, number: signal.Signals
) -> None:
    packed = tmp_path / "pack"
    assert pack(template, OUT=str(packed), RUNS="a grid").returncode == 0
    log = packed / "work" / ".scratch" / "ran"
    with subprocess.Popen(**bare(packed, HANGS="grid-adam"), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not log.exists() or "grid-adam" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pid = int(log.read_text().split()[-1])
        busy = node(packed)
        assert (busy.returncode, "another run.sh is at work there" in busy.stderr) == (1, True)
        process.send_signal(number)
        assert process.wait(20) == (-9 if number == signal.SIGKILL else 128 + number)
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ran(packed)
    assert node(packed).returncode == 0
    assert ran(packed) == ["grid-adam"]


def test_a_profile_that_params_do_not_name_can_be_packed_and_unpacked(place: Path) -> None:
    assert pack(place, PROFILE="paper", RUNS="b").returncode == 0
    packed = place.parent / "pack"
    assert node(packed).returncode == 0
    done = unpack(place, packed / "results")
    assert done.returncode == 0, done.stderr
    locked = yaml.safe_load((place / "dvc.lock").read_text())["stages"]
    assert sorted(locked) == ["evaluate@paper-b", "prepare@demo", "prepare@paper", "train@paper-b"]
    assert "no such profile" in one_line(pack(place, PROFILE="other"))


def test_only_the_runs_that_are_named_are_packed_and_run(template: Path, tmp_path: Path) -> None:
    packed = tmp_path / "pack"
    assert "no such run" in one_line(pack(template, OUT=str(packed), RUNS="a c"))
    assert pack(template, OUT=str(packed), RUNS="a grid/adam").returncode == 0
    assert "grid/adam" in one_line(node(packed, RUNS="b"))
    assert node(packed, RUNS="a").returncode == 0
    assert ran(packed) == ["evaluate-a", "train-a"]


def test_a_second_slot_keeps_what_the_first_has_finished(template: Path, tmp_path: Path) -> None:
    packed = tmp_path / "pack"
    assert pack(template, OUT=str(packed), RUNS="a grid").returncode == 0
    assert node(packed, RUNS="a").returncode == 0
    done = node(packed, RUNS="grid/adam")
    assert "1 of 1 stages are done" in done.stdout
    results = json.loads((packed / "results" / "results.json").read_text())
    assert sorted(results["stages"]) == ["evaluate@demo-a", "grid@demo-adam", "train@demo-a"]
    assert node(packed, RUNS="grid/adam", RESULTS=str(tmp_path / "second")).returncode == 0
    results = json.loads((tmp_path / "second" / "results.json").read_text())
    assert list(results["stages"]) == ["grid@demo-adam"]


def test_a_part_that_was_damaged_on_the_way_stops_the_node(template: Path, tmp_path: Path) -> None:
    packed = tmp_path / "pack"
    assert pack(template, OUT=str(packed), RUNS="a", PART="2K").returncode == 0
    part = sorted(packed.glob("*.part"))[0]
    assert part.stat().st_size == 2000
    part.write_bytes(part.read_bytes()[:-1])
    assert "a part is damaged" in one_line(node(packed))
    assert ran(packed) == []


def test_what_is_missing_of_packages_is_what_the_code_imports_and_what_that_needs() -> None:
    packages = {
        "numpy": {"module": "numpy", "imported": True, "needs": ["no-such-part"]},
        "nobody": {"module": "nobody_s_module", "imported": True, "needs": ["numpy", "part"]},
        "part": {"module": "nobody_s_part", "imported": False, "needs": []},
        "no-such-part": {"module": "no_such_part", "imported": False, "needs": []},
    }
    assert missing(packages) == ["nobody", "part"]


def test_what_has_no_version_of_its_own_is_brought_with_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As lightning_fabric where pytorch-lightning alone is installed."""
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "some_part.py").write_text("")
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "some_part-1.5-py3-none-any.whl", "w") as wheel:
        wheel.writestr("some_part.py", "")
        wheel.writestr(
            "some_part-1.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-part\nVersion: 1.5\n"
        )
        wheel.writestr(
            "some_part-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("some_part-1.5.dist-info/RECORD", "")
    monkeypatch.setattr("sys.path", [str(tmp_path / "machine"), *sys.path])
    packages = {"some-part": {"module": "some_part", "imported": True, "needs": [], "version": "1.5"}}
    assert (missing(packages), unnamed(packages)) == ([], ["some-part"])
    provide(packages, tmp_path, tmp_path / "work")
    assert unnamed(packages) == []
    assert (tmp_path / "work/site/some_part.py").is_file()


def test_a_library_of_mpi_that_cannot_be_loaded_stops_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise RuntimeError('cannot load MPI library')")
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    provide({}, tmp_path, tmp_path / "work")
    code = "from lightning_fabric import Fabric\nprint(Fabric(accelerator='cpu', devices=1).device)"
    path = os.pathsep.join(map(str, (tmp_path / "work" / "site", tmp_path)))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "cpu\n", done.stderr


def test_a_missing_package_is_named(template: Path, tmp_path: Path) -> None:
    packed = tmp_path / "pack"
    assert pack(template, OUT=str(packed), RUNS="a").returncode == 0
    content = json.loads((packed / "pack.json").read_text())
    content["packages"]["nobody"] = {"module": "nobody_s", "version": "1.0", "imported": True, "needs": []}
    (packed / "pack.json").write_text(json.dumps(content))
    line = one_line(node(packed))
    assert "packages are missing: got no nobody" in line
    assert "pip install nobody==1.0" in line
    assert ran(packed) == []
