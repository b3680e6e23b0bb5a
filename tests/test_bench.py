"""The benchmark: both ways to train see the same images and learn the same; its turns and its arithmetic; no
stage left out."""

import itertools
import re
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import same
from bench.material import Material, collect
from bench.race import Lap, Stopped, Turns, alternate, exponent, rate, ratio
from bench.speed import rounded
from bench.stages import WORK
from bench.table import grid, times
from bench.training import Job
from brisc.config import Splits, load, read_yaml, resolve

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
    assert same.apart(ours, plain) < same.LOSS_TOLERANCE
    assert plain[2] < plain[0]
    faster = replace(job, run=replace(job.run, optimizer=replace(job.run.optimizer, learning_rate=2e-3)))
    assert same.apart(ours, same.study_curve(faster)) > same.LOSS_TOLERANCE


def test_masks_of_batches_are_those_of_single_images(job: Job) -> None:
    assert same.mask_difference(job, load("laptop", "evaluate")) <= same.PIXEL_TOLERANCE


def test_a_difference_is_relative_and_the_largest() -> None:
    assert same.apart([1.0, 2.2, 3.0], [1.0, 2.0, 4.0]) == pytest.approx(0.25)
    assert not same.Check("", float("nan"), 1.0).holds


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


def test_the_start_of_every_stage_is_measured() -> None:
    """Up to a function that its script calls."""
    scripts = {ROOT / stage["cmd"].split()[1] for stage in read_yaml(ROOT / "dvc.yaml")["stages"].values()}
    assert set(WORK) == {script.stem for script in scripts}
    for script in scripts:
        module, function = WORK[script.stem].split(":")
        imported = re.search(rf"from {re.escape(module)} import (.*)", script.read_text())
        assert imported is not None, script.stem
        assert function in imported.group(1).split(", "), script.stem
