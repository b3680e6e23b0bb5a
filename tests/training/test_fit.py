"""The loop: it learns, it stops, it resumes bit for bit, and every setting does something."""

import hashlib
import json
import math
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pytest
import torch
from torch import nn

from brisc.config import Run, TrainingPlan, resolve
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.models import build
from brisc.progress import Items, Track, silent
from brisc.training import resume
from brisc.training.fit import fit

T = TypeVar("T")
Fit = Callable[..., dict[str, str]]


class Killed(BaseException):
    """Ends a run at once, as a signal would."""


@pytest.fixture
def go(samples: Samples, tmp_path: Path) -> Fit:
    def go(
        run: Run,
        *,
        name: str = "out",
        scratch: str = "",
        track: Any = silent,
        keep_weights: bool = True,
        log: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> dict[str, str]:
        out = tmp_path / name
        torch.manual_seed(run.seed)
        fit(
            build(**run.model),
            samples,
            out,
            plan=TrainingPlan(run=run, code={}),
            scratch=tmp_path / "scratch" / (scratch or name),
            keep_weights=keep_weights,
            track=track,
            log=log,
            clock=clock,
        )
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}

    return go


def history(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "history.csv")


def test_it_learns_discs(go: Fit, run: Run, tmp_path: Path) -> None:
    go(replace(run, epochs=15, optimizer=replace(run.optimizer, learning_rate=0.02)))
    rows = history(tmp_path / "out")
    assert rows["train_loss"].iloc[-1] < 0.5 * rows["train_loss"].iloc[0]
    assert rows["validation_dice"].max() > 0.8


def test_two_runs_give_the_same_bytes(go: Fit, run: Run) -> None:
    assert go(run, name="a") == go(run, name="b")


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (0, {}),
        (3, {}),
        (5, {}),
        (9, {}),
        (15, {}),
        (9, {"ema_decay": 0.9}),
        (9, {"schedule": "cosine"}),
        (9, {"warmup": 0.5}),
        (9, {"plateau_patience": 1, "optimizer": {"name": "sgd", "learning_rate": 1e-12}}),
        (9, {"workers": 2}),
        (9, {"model": {"arch": "mobilenetv2"}}),  # it draws dropout
        (7, {"accumulate": 3}),
    ],
    ids=str,
)
def test_a_killed_run_ends_as_an_unbroken_one(go: Fit, run: Run, step: int, change: dict[str, Any]) -> None:
    run = changed(run, change)
    unbroken = go(run, name="whole")
    done = 0

    def kill(items: Sequence[T], description: str) -> Iterable[T]:
        nonlocal done
        for item in items:
            if done == step:
                raise Killed
            done += 1
            yield item

    with pytest.raises(Killed):
        go(run, name="broken", track=kill)
    assert go(run, name="broken") == unbroken


def changed(run: Run, change: dict[str, Any]) -> Run:
    """A dict changes what it names in a block; another architecture is a net of labels."""
    blocks = {key: value for key, value in change.items() if isinstance(value, dict) and key != "model"}
    run = replace(run, **{key: value for key, value in change.items() if not isinstance(value, dict)})
    run = replace(run, **{key: replace(getattr(run, key), **value) for key, value in blocks.items()})
    if "model" not in change:
        return run
    small = resolve("demo", change["model"]["arch"]).run
    return replace(run, model=small.model, loss=small.loss, healthy_slices=True)


def test_one_and_several_workers_train_the_same_weights(go: Fit, run: Run) -> None:
    digests = {
        go(replace(run, epochs=2, workers=workers), name=str(workers))["weights.pt"] for workers in (0, 1, 2)
    }
    assert len(digests) == 1


def killed_in_epoch(number: int) -> Track:
    """A progress bar that ends the run in its `number`-th epoch."""
    begun: list[str] = []

    def track(items: Items[T], description: str) -> Iterable[T]:
        begun.append(description)
        if len(begun) == number:
            raise Killed
        return items

    return track


@pytest.mark.parametrize(
    ("checkpoint_seconds", "resumed_after"),
    [(0.0, 5), (25.0, 3), (30.0, 3), (31.0, 4), (60.0, None)],
)
def test_checkpoints_are_written_by_time(
    go: Fit, run: Run, checkpoint_seconds: float, resumed_after: int | None
) -> None:
    """By a clock on which each epoch takes 10 seconds, killed in the sixth epoch: a checkpoint is due at the
    first end of an epoch that is `checkpoint_seconds` or more after the one before."""
    run = replace(run, epochs=8, checkpoint_seconds=checkpoint_seconds)
    said: list[str] = []

    def clock() -> float:
        return 10.0 * sum(line.startswith("epoch") for line in said)

    unbroken = go(run, name="whole")
    with pytest.raises(Killed):
        go(run, name="broken", track=killed_in_epoch(6), log=said.append, clock=clock)
    said.clear()
    assert go(run, name="broken", log=said.append) == unbroken
    expected = [] if resumed_after is None else [f"resumed after epoch {resumed_after}"]
    assert [line for line in said if line.startswith("resumed")] == expected


def test_the_last_epoch_is_always_in_a_checkpoint(go: Fit, run: Run, tmp_path: Path) -> None:
    """If the result cannot be stored, nothing is trained again."""
    run = replace(run, epochs=2, checkpoint_seconds=1e6)
    (tmp_path / "place").write_text("a file where a folder has to be")
    with pytest.raises(FileExistsError):
        go(run, name="place/out", scratch="out")
    said: list[str] = []
    go(run, log=said.append)
    assert said == ["resumed after epoch 2"]


def test_a_checkpoint_is_the_state_of_when_it_was_offered(tmp_path: Path) -> None:
    """However long the writing takes, and whatever training does meanwhile."""
    net, history = nn.Linear(2, 2, bias=False), [1]
    with resume.Checkpoints(tmp_path / "c.pt", seconds=0.0, clock=lambda: 0.0) as checkpoints:
        for value in (1.0, 2.0):
            nn.init.constant_(net.weight, value)
            checkpoints.offer({"net": net}, {"history": history}, last=False)
        nn.init.constant_(net.weight, 3.0)
        history.append(2)
    state = torch.load(tmp_path / "c.pt", weights_only=True)
    assert state["net"]["weight"].unique().tolist() == [2.0]
    assert state["progress"]["history"] == [1]


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FileExistsError),
        resume.Checkpoints(tmp_path / "file" / "c.pt", seconds=0.0, clock=lambda: 0.0) as checkpoints,
    ):
        checkpoints.offer({}, {}, last=True)


def test_a_missing_version_is_told_before_anything_is_trained(
    go: Fit, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("brisc.training.result.version", missing)
    with pytest.raises(InputError, match="lightning-fabric: a package without metadata"):
        go(run, track=killed_in_epoch(1))


def test_validation_in_batches_of_any_size_gives_the_same_scores(go: Fit, run: Run, tmp_path: Path) -> None:
    for size in (5, 64):
        go(replace(run, epochs=2, validation_batch_size=size), name=str(size))
    five, all_at_once = history(tmp_path / "5"), history(tmp_path / "64")
    for column in ("train_loss", "validation_dice"):
        assert five[column].to_list() == pytest.approx(all_at_once[column].to_list(), rel=1e-4)


def test_weights_are_those_of_the_best_epoch(go: Fit, run: Run, tmp_path: Path) -> None:
    rate = replace(run.optimizer, learning_rate=0.05)
    go(replace(run, epochs=8, optimizer=rate), name="long")
    rows = history(tmp_path / "long")
    best = int(rows.loc[rows["best"] == 1, "epoch"].item())
    assert rows["validation_dice"].idxmax() + 1 == best
    go(replace(run, epochs=best, optimizer=rate), name="short")
    long, short = (
        torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("long", "short")
    )
    assert all(torch.equal(long[key], short[key]) for key in long)


def test_early_stopping_and_plateau(go: Fit, run: Run, tmp_path: Path) -> None:
    # A rate so small that nothing moves: the first epoch stays the best one, or nearly.
    still = replace(
        run, epochs=30, optimizer=replace(run.optimizer, name="sgd", learning_rate=1e-12, momentum=0.0)
    )
    go(replace(still, early_stopping_patience=5, plateau_patience=1, plateau_factor=0.1, plateau_floor=1e-13))
    rows, summary = history(tmp_path / "out"), json.loads((tmp_path / "out" / "summary.json").read_text())
    assert len(rows) < 30
    assert summary["stopped"] == "early"
    assert len(rows) - summary["best_epoch"] == 5
    assert rows["learning_rate"].iloc[0] == 1e-12
    assert rows["learning_rate"].iloc[-1] == pytest.approx(1e-13)


def test_healthy_slices_are_a_choice(go: Fit, run: Run, tmp_path: Path) -> None:
    for name, healthy in (("with", True), ("without", False)):
        go(replace(run, epochs=1, healthy_slices=healthy), name=name)
    seen = {
        name: json.loads((tmp_path / name / "summary.json").read_text())["train_images"]
        for name in ("with", "without")
    }
    assert seen == {"with": 40, "without": 30}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 43},
        {"batch_size": 7},
        {"precision": "bf16-mixed"},
        {"accumulate": 2},
        {"ema_decay": 0.9},
        {"warmup": 0.9},
        *(
            {"augment": {key: value}}
            for key, value in {
                "horizontal_flip": 0.0,
                "vertical_flip": 0.0,
                "rotate_degrees": 90.0,
                "rotate_probability": 0.0,
                "shift_fraction": 0.3,
                "zoom_fraction": 0.3,
                "affine_probability": 0.0,
                "brightness": 0.0,
                "contrast": 0.0,
                "brightness_contrast_probability": 0.0,
                "noise_std": [0.3, 0.4],
                "noise_probability": 0.0,
            }.items()
        ),
    ],
    ids=str,
)
def test_every_training_setting_changes_the_weights(go: Fit, run: Run, change: dict[str, Any]) -> None:
    once = replace(run, epochs=1)
    assert go(once, name="a")["weights.pt"] != go(changed(once, change), name="b")["weights.pt"]


@pytest.mark.parametrize(
    "change",
    [{"name": "sgd"}, {"name": "adamw"}, {"name": "rmsprop"}, {"learning_rate": 0.01}, {"weight_decay": 0.5}],
    ids=str,
)
def test_every_optimizer_setting_changes_the_weights(go: Fit, run: Run, change: dict[str, Any]) -> None:
    once = replace(run, epochs=1)
    other = replace(once, optimizer=replace(run.optimizer, **change))
    assert go(once, name="a")["weights.pt"] != go(other, name="b")["weights.pt"]


def test_the_cosine_goes_from_the_full_rate_to_nothing(go: Fit, run: Run, tmp_path: Path) -> None:
    go(replace(replace(run, optimizer=replace(run.optimizer, learning_rate=0.01)), schedule="cosine"))
    # (1 + cos(pi k / 4)) / 2 for k = 0..3
    expected = [0.01, 0.01 * (2 + 2**0.5) / 4, 0.005, 0.01 * (2 - 2**0.5) / 4]
    assert history(tmp_path / "out")["learning_rate"].to_list() == pytest.approx(expected, rel=1e-4)


def test_gradients_of_several_batches_are_averaged(go: Fit, run: Run, tmp_path: Path) -> None:
    # Plain gradient descent without normalisation noise: with 30 training images, 4 batches of at most 8 in
    # one step move the weights once, as far as the mean of the four gradients says; four single steps move
    # them four times.
    plain = replace(
        run,
        epochs=1,
        optimizer=replace(run.optimizer, name="sgd", momentum=0.0, weight_decay=0.0, learning_rate=1e-3),
    )
    start = initial(plain)
    moved = {}
    for accumulate in (1, 4):
        go(replace(plain, accumulate=accumulate), name=str(accumulate))
        end = torch.load(tmp_path / str(accumulate) / "weights.pt", weights_only=True)
        moved[accumulate] = (
            sum(float((end[name] - start[name]).square().sum()) for name in start if "weight" in name) ** 0.5
        )
    assert moved[4] == pytest.approx(moved[1] / 4, rel=0.3)


def initial(run: Run) -> dict[str, torch.Tensor]:
    torch.manual_seed(run.seed)
    return {name: parameter.detach() for name, parameter in build(**run.model).named_parameters()}


def test_the_running_mean_lags_behind(go: Fit, run: Run, tmp_path: Path) -> None:
    start = initial(run)
    moved = []
    for decay in (0.0, 0.99):
        go(replace(replace(run, epochs=1), ema_decay=decay), name=str(decay))
        end = torch.load(tmp_path / str(decay) / "weights.pt", weights_only=True)
        moved.append(sum(float((end[name] - start[name]).abs().sum()) for name in start))
    # Four steps of which each leaves 99 % of the mean as it was, the first counting in full.
    assert 0 < moved[1] < 0.8 * moved[0]


def test_momentum_and_loss_weights_change_the_weights(go: Fit, run: Run) -> None:
    once = replace(run, epochs=1, optimizer=replace(run.optimizer, name="sgd"))
    digests = [
        go(variant, name=name)["weights.pt"]
        for name, variant in {
            "plain": once,
            "momentum": replace(once, optimizer=replace(once.optimizer, momentum=0.0)),
            "dice": replace(once, loss=replace(once.loss, dice=0.0)),
            "bce": replace(once, loss=replace(once.loss, bce=0.0)),
        }.items()
    ]
    assert len(set(digests)) == 4


def test_memory_layout_changes_nothing_but_rounding(go: Fit, run: Run, tmp_path: Path) -> None:
    for name, channels_last in (("last", True), ("first", False)):
        go(replace(replace(run, epochs=1), channels_last=channels_last), name=name)
    a, b = (history(tmp_path / name)["train_loss"].item() for name in ("last", "first"))
    assert a == pytest.approx(b, rel=1e-3)


def test_wall_time_is_written_only_where_asked(go: Fit, run: Run, tmp_path: Path) -> None:
    go(replace(run, epochs=1), name="same")
    go(replace(replace(run, epochs=1), measure_seconds=True), name="timed")
    same, timed = (json.loads((tmp_path / name / "cost.json").read_text()) for name in ("same", "timed"))
    assert same.keys() == timed.keys()
    assert all(value is None for value in same.values())
    assert None not in timed.values()


def test_a_run_of_other_settings_does_not_resume_a_stranger(go: Fit, run: Run) -> None:
    go(run, name="a", scratch="shared")
    other = replace(run, optimizer=replace(run.optimizer, learning_rate=0.01))
    assert go(other, name="b", scratch="shared") == go(other, name="c", scratch="fresh")


@pytest.mark.parametrize("damage", ["empty", "truncated", "zeroed", "another"])
def test_a_broken_checkpoint_is_left_aside(go: Fit, run: Run, tmp_path: Path, damage: str) -> None:
    unbroken = go(run, name="whole")
    (checkpoint,) = (tmp_path / "scratch" / "whole").rglob("checkpoint.pt")
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 2],
            "zeroed": bytes(len(content)),
            "another": b"not a checkpoint",
        }[damage]
    )
    assert go(run, name="again", scratch="whole") == unbroken


def test_two_processes_end_as_one_and_judge_alike(run: Run, samples: Samples, tmp_path: Path) -> None:
    """Batch normalisation gathers other statistics on each device; score, weights and the end must not
    differ by them."""
    script = tmp_path / "two.py"
    script.write_text(TWO)
    with (tmp_path / "samples.pickle").open("wb") as file:
        pickle.dump((samples, replace(run, devices=2, epochs=3, batch_size=4, ema_decay=0.9)), file)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"state-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["history"] == second["history"]
    for part in ("net", "mean"):
        assert all(torch.equal(first[part][name], second[part][name]) for name in first[part])
    assert len(history(tmp_path / "out")) == 3


TWO = """
import pickle, sys
from pathlib import Path

import torch

from brisc.config import TrainingPlan
from brisc.models import build
from brisc.progress import silent
from brisc.training import fit as loop

place = Path(sys.argv[1])
with (place / "samples.pickle").open("rb") as file:
    samples, run = pickle.load(file)
torch.set_num_threads(1)
torch.manual_seed(run.seed)
validate = loop.validate


def watched(net, criterion, samples, fabric, run):
    found = validate(net, criterion, samples, fabric, run)
    # Another processor would round otherwise; the decision has to be one all the same.
    return found if fabric.global_rank == 0 else (found[0], {k: v * 0.5 for k, v in found[1].items()})


loop.validate = watched
train = loop.train_epochs


def kept(learner, samples, fabric, run, progress, **others):
    train(learner, samples, fabric, run, progress, **others)
    state = {"net": learner.net.state_dict(), "mean": learner.mean.state_dict(), "history": progress.history}
    torch.save(state, place / f"state-{fabric.global_rank}.pt")


loop.train_epochs = kept
loop.fit(
    build(**run.model), samples, place / "out", plan=TrainingPlan(run=run, code={}),
    scratch=place / "scratch", keep_weights=True, track=silent, log=lambda line: None,
)
"""


def test_divergence_is_told(go: Fit, run: Run, tmp_path: Path) -> None:
    wild = replace(run, optimizer=replace(run.optimizer, name="sgd", learning_rate=1e30))
    with pytest.raises(InputError, match=r"epoch \d+: the loss is not finite.*Lower optimizer.learning_rate"):
        go(wild)
    assert not (tmp_path / "out").exists()


def test_a_run_that_may_diverge_has_it_as_its_result(go: Fit, run: Run, tmp_path: Path) -> None:
    wild = replace(
        run, epochs=4, may_diverge=True, optimizer=replace(run.optimizer, name="sgd", learning_rate=1e30)
    )
    go(wild)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    rows = history(tmp_path / "out")
    assert summary["diverged_at"] == summary["epochs"] == len(rows) < 4
    assert summary["stopped"] == "diverged"
    assert summary["best_epoch"] is None
    assert not math.isfinite(rows["train_loss"].iloc[-1])
    assert rows["best"].sum() == 0


LABEL_LOSS = {"dice": 0.0, "bce": 0.0, "cross_entropy": 1.0}


def test_a_label_is_learnt(go: Fit, run: Run, tmp_path: Path) -> None:
    labels = replace(
        run,
        model={**run.model, "arch": "joint", "classes": 4, "heads": ["label"]},
        healthy_slices=True,
        epochs=15,
        loss=replace(run.loss, **LABEL_LOSS),
        optimizer=replace(run.optimizer, learning_rate=0.02),
    )
    go(labels)
    rows = history(tmp_path / "out")
    assert rows["validation_accuracy"].max() > 0.85  # three of four have a tumour
    assert rows["validation_score"].to_list() == rows["validation_accuracy"].to_list()
    assert "validation_dice" not in rows
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["heads"] == ["label"]


@pytest.mark.parametrize("balance", ["fixed", "uncertainty"])
def test_two_heads_are_judged_by_their_mean(go: Fit, run: Run, tmp_path: Path, balance: str) -> None:
    both = replace(
        run,
        model={**run.model, "arch": "joint", "classes": 4, "heads": ["mask", "label"]},
        healthy_slices=True,
        epochs=3,
        loss=replace(run.loss, cross_entropy=1.0, balance=balance),
    )
    go(both)
    rows = history(tmp_path / "out")
    mean = (rows["validation_dice"] + rows["validation_accuracy"]) / 2
    assert rows["validation_score"].to_list() == pytest.approx(mean.to_list(), abs=1e-5)
    assert rows.loc[rows["best"] == 1, "validation_score"].item() == rows["validation_score"].max()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["heads"] == ["mask", "label"]


def test_learned_balance_trains_other_weights(go: Fit, run: Run) -> None:
    both = replace(
        run,
        model={**run.model, "arch": "joint", "classes": 4, "heads": ["mask", "label"]},
        healthy_slices=True,
        epochs=1,
        loss=replace(run.loss, cross_entropy=1.0),
    )
    variants = {
        "fixed": both.loss,
        "learned": replace(both.loss, balance="uncertainty"),
        "label": replace(both.loss, cross_entropy=0.3),
    }
    digests = {go(replace(both, loss=loss), name=name)["weights.pt"] for name, loss in variants.items()}
    assert len(digests) == 3


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    with (
        resume.hold(tmp_path / "run"),
        pytest.raises(InputError, match="another process is training this run"),
    ):
        resume.hold(tmp_path / "run")
    resume.hold(tmp_path / "run").close()


def test_weights_of_another_net_are_told(tmp_path: Path) -> None:
    net = build(arch="unet", in_channels=1, base_channels=2, levels=2)
    resume.save(
        tmp_path / "weights.pt", build(arch="unet", in_channels=1, base_channels=4, levels=2).state_dict()
    )
    with pytest.raises(InputError, match=r"weights\.pt: weights that do not fit the model"):
        resume.load_weights(net, tmp_path / "weights.pt")
    (tmp_path / "weights.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"weights\.pt: weights that do not fit the model"):
        resume.load_weights(net, tmp_path / "weights.pt")
