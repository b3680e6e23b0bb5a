"""The benchmark: both ways to train see the same images and learn the same; its turns and its arithmetic; no
stage left out."""

import itertools
import json
import re
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import gpu, limits, same, ways
from bench.material import Material, collect
from bench.race import Lap, Stopped, Turns, alternate, exponent, rate, ratio
from bench.speed import rounded
from bench.stages import WORK
from bench.table import gpu_rows, grid, markdown, times
from bench.training import Job
from brisc.config import Run, Splits, load, read_yaml, resolve
from brisc.data.dataset import Samples

ROOT = Path(__file__).parents[1]

torch.set_num_threads(1)  # nets this small spend more time handing work over than doing it


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """52 phantoms of 64 px, decoded to 32 px."""
    folder = tmp_path_factory.mktemp("material")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # profiles/ is read from there
        return collect(folder, archive=None, size=32, slices=Splits(train=40, test=12), side=64)


@pytest.fixture
def job(material: Material, repository: Path) -> Job:
    run = replace(
        same.constant_rate(resolve("laptop", "unet").run, epochs=2),
        model={"arch": "unet", "in_channels": 1, "base_channels": 2, "levels": 3},
        batch_size=8,
    )
    return Job(material, run, images=24, workers=0, keep_memory=False)


def test_the_cache_is_what_decoding_gives(job: Job) -> None:
    assert same.cache_difference(job) == 0


def test_a_changed_pixel_of_the_cache_is_seen(job: Job, tmp_path: Path) -> None:
    for name in ("index.csv", "files"):
        (tmp_path / name).symlink_to(job.material.folder / name)
    cache = job.material.folder / "cache"
    (tmp_path / "cache").mkdir()
    for name in ("samples.csv", "fingerprint.json", "masks.npy"):
        (tmp_path / "cache" / name).symlink_to(cache / name)
    images = np.load(cache / "images.npy")
    images[3, 5, 5] ^= 16
    np.save(tmp_path / "cache" / "images.npy", images)
    assert same.cache_difference(replace(job, material=Material(tmp_path, job.material.prepare))) == 16


def test_both_ways_to_train_see_the_same_batches(job: Job) -> None:
    assert same.batch_difference(job) == 0


def test_both_ways_to_train_learn_the_same(job: Job) -> None:
    ours, plain = same.our_curve(job), same.study_curve(job)
    assert len(ours) == 4
    assert ways.apart(ours, plain) < same.LOSS_TOLERANCE
    assert plain[2] < plain[0]
    faster = replace(job, run=replace(job.run, optimizer=replace(job.run.optimizer, learning_rate=2e-3)))
    assert ways.apart(ours, same.study_curve(faster)) > same.LOSS_TOLERANCE


def test_masks_of_batches_are_those_of_single_images(job: Job) -> None:
    assert same.mask_difference(job, load("laptop", "evaluate")) <= same.PIXEL_TOLERANCE


def test_a_difference_is_relative_and_the_largest() -> None:
    assert ways.apart([1.0, 2.2, 3.0], [1.0, 2.0, 4.0]) == pytest.approx(0.25)
    assert not same.Check("", float("nan"), 1.0).holds


@pytest.fixture
def tiny(repository: Path) -> tuple[Run, Samples]:
    """The U-Net of the quick benchmark at a constant rate, and its images."""
    size = gpu.extent("paper", quick=True)
    run = gpu.small_run(gpu.any_of(gpu.chosen("paper", ["unet"], quick=True)), size)
    return replace(run, accelerator="cpu"), ways.made_up(train=76, validation=16, side=size.small)


def test_fast_ways_to_train_give_the_plain_one_s_losses(tiny: tuple[Run, Samples]) -> None:
    run, samples = tiny
    found = [way for way in ways.ways(samples, run, torch.device("cpu")) if way.what != "compiled"]
    rows = {row["what"]: row for row in ways.try_all(found, lambda line: None)}
    assert [name for name, row in rows.items() if not row["holds"]] == []
    for bits in ("1 worker", "2 workers", "a checkpoint after each epoch"):
        assert (rows[bits]["difference"], rows[bits]["tolerance"]) == (0, 0)
    assert rows["bf16-mixed"]["difference"] > 0


def test_a_way_that_trains_differently_is_seen(tiny: tuple[Run, Samples]) -> None:
    run, samples = tiny
    plain = replace(run, precision="32-true", compile="none", workers=0)
    faster = replace(plain, optimizer=replace(run.optimizer, learning_rate=2e-3))

    def fails() -> ways.Curve:
        raise RuntimeError("no compiler here")

    found = [
        ways.Way("plain", "plain", 0.0, lambda: ways.our_curve(samples, plain)),
        ways.Way("faster", "plain", ways.BFLOAT, lambda: ways.our_curve(samples, faster)),
        ways.Way("broken", "plain", 0.0, fails),
        ways.Way("orphan", "broken", 0.0, lambda: ways.our_curve(samples, plain)),
    ]
    said: list[str] = []
    plain_row, faster_row, broken, orphan = ways.try_all(found, said.append)
    assert plain_row["holds"]
    assert not faster_row["holds"]
    assert (broken["error"], broken["holds"]) == ("RuntimeError: no compiler here", False)
    assert (orphan["error"], orphan["holds"]) == (
        "broken failed, so there is nothing to hold it against",
        False,
    )
    assert "DIFFERS" in said[1]


def test_a_model_is_held_against_what_the_machine_allows(tiny: tuple[Run, Samples]) -> None:
    run, _ = tiny
    size, cpu = gpu.extent("paper", quick=True), torch.device("cpu")
    assert gpu.same_on_devices(run, size, cpu)["holds"]
    found = gpu.tried(run, size, cpu, limits.measure_limits(cpu, megabytes=1, side=64))
    assert "error" not in found
    assert min(found["step"], found["training"], found["by_arithmetic"], found["by_memory"]) > 0
    row = [cell for cells in gpu_rows({"unet": {"none": found}}) for cell in cells]
    assert len(row) == 7


def test_models_come_first_and_what_there_is_is_kept(tiny: tuple[Run, Samples], tmp_path: Path) -> None:
    """The second reading of the clock is that before the second part."""
    run, _ = tiny
    size, out = gpu.extent("paper", quick=True), tmp_path / "gpu.json"
    times = iter([0.0, 0.0])
    found = gpu.measure({"unet": run}, size, limit=1.0, out=out, tell=str, clock=lambda: next(times, 9.0))
    assert (list(found["models"]), found["devices"], found["ways"]) == (["unet"], [], [])
    assert json.loads(out.read_text()) == found


def test_the_work_of_a_step_by_hand(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 1x1 convolution of 1 to 2 channels on 32 x 32 pixels, and its mean as the loss."""
    monkeypatch.setattr(limits, "build", lambda **_: torch.nn.Conv2d(1, 2, 1, bias=False))
    monkeypatch.setattr(limits, "TotalLoss", lambda _: torch.nn.ReLU())
    monkeypatch.setattr(torch.nn.ReLU, "forward", lambda self, logits, batch: logits.mean())
    run = replace(resolve("demo", "unet").run, batch_size=4)
    work = limits.work_of(run, "32-true", size=32)
    forward = 2 * 2 * 32 * 32  # two operations for each of two products of a pixel
    assert (
        work.operations == 2 * forward
    )  # and once more for the gradient of the weights; the image needs none
    # The convolution reads an image and writes two channels; going back it reads both again. All in float32.
    assert work.bytes > 4 * 32 * 32 * (1 + 2 + 1 + 2)
    allowed = limits.Limits(1e6, {"32-true": 4.0 * forward})
    assert work.images_per_second(allowed, "32-true") == (2.0, 1e6 / work.bytes)


def test_a_turn_skips_what_was_prepared_before_it() -> None:
    """Batch k holds k images. Two turns of two batches, each after one that does not count: 2 and 3, then 5
    and 6."""
    ours, theirs = Pipe()
    for batches in (2, 2, 0):
        ours.send(batches)
    seen = []
    turns = Turns(theirs, skip=1)(({"image": range(k)} for k in itertools.count(1)), "")
    with pytest.raises(Stopped):
        for batch in turns:
            seen.append(len(batch["image"]))
    assert ours.recv() == "ready"
    assert [ours.recv().images, ours.recv().images] == [2 + 3, 5 + 6]
    assert seen == [1, 2, 3, 4, 5, 6]


def test_actions_take_turns_after_one_to_warm_up() -> None:
    order = []
    laps = alternate(
        {name: lambda name=name: order.append(name) or 7 for name in "ab"}, rounds=2, patience=60.0
    )
    assert "".join(order) == "ababab"
    assert {name: [lap.images for lap in done] for name, done in laps.items()} == {"a": [7, 7], "b": [7, 7]}


def test_a_slow_action_has_one_turn() -> None:
    order = []
    laps = alternate({"a": lambda: order.append("a") or 7}, rounds=2, patience=0.0)
    assert (len(order), len(laps["a"])) == (1, 1)


def test_a_ratio_is_taken_within_each_round() -> None:
    """20, 10 and 40 images/s against 10, 10 and 10."""
    one, other = ([Lap(20, seconds, 0) for seconds in row] for row in ((1.0, 2.0, 0.5), (2.0, 2.0, 2.0)))
    assert rate(one) == 20
    assert ratio(one, other) == {"median": 2.0, "low": 1.0, "high": 4.0}
    assert times(ratio(one, other)) == "2.00 (1.00 to 4.00)"


def test_the_exponent_of_a_power_law() -> None:
    assert exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


def test_numbers_are_kept_to_four_digits() -> None:
    assert rounded({"a": [1.23456, 7], "b": {"c": 123456.0, "d": True}}) == {
        "a": [1.235, 7],
        "b": {"c": 123500.0, "d": True},
    }


def test_a_table_in_markdown() -> None:
    assert grid(("a", "b"), [("x", "1")]) == "| a | b |\n| :-- | --: |\n| x | 1 |"


def test_ways_and_a_gpu_have_tables_where_they_were_measured() -> None:
    results = json.loads((ROOT / "bench/results.json").read_text())
    way = {"what": "2 workers", "against": "ours", "images_per_second": 80.4, "ratio": 0.5}
    failed = {"what": "compiled", "against": "ours", "error": "RuntimeError: no compiler"}
    limit = {"by_arithmetic": 1000.4, "by_memory": 500.0}
    models = {
        "unet": {"none": {"training": 100.0, "step": 125.0, **limit}, "graphs": {"error": "no", **limit}}
    }
    shown = markdown(results | {"ways": [way, failed], "gpu": {"models": models}})
    assert "| 2 workers | 80 | 0.50 | ours |" in shown
    assert "| compiled | RuntimeError: no compiler |  |  |" in shown
    assert "| `unet` | none | 100 | 0.80 | 0.20 | 1000 | 500 |" in shown
    assert "| `unet` | graphs | no |  |  | 1000 | 500 |" in shown


def test_the_start_of_every_stage_is_measured() -> None:
    """Up to a function that its script calls."""
    scripts = {ROOT / stage["cmd"].split()[1] for stage in read_yaml(ROOT / "dvc.yaml")["stages"].values()}
    assert set(WORK) == {script.stem for script in scripts}
    for script in scripts:
        module, function = WORK[script.stem].split(":")
        imported = re.search(rf"from {re.escape(module)} import (.*)", script.read_text())
        assert imported is not None, script.stem
        assert function in imported.group(1).split(", "), script.stem
