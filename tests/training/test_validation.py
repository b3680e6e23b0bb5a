"""Scores of the validation images, one by one."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from brisc.config import Run, Train
from brisc.data.dataset import Samples
from brisc.models import build
from brisc.progress import silent
from brisc.training.fit import fit
from brisc.training.resume import load_weights
from brisc.training.validation import score_images

JOINT = {
    "arch": "joint",
    "in_channels": 1,
    "base_channels": 2,
    "levels": 3,
    "classes": 4,
    "heads": ["mask", "label"],
}


@pytest.mark.parametrize("joint", [False, True])
def test_their_mean_is_the_score_that_chose_the_epoch(
    samples: Samples, run: Run, train: Train, tmp_path: Path, joint: bool
) -> None:
    grouped = replace(samples, table=samples.table.assign(group=samples.table["id"]))
    if joint:
        run = replace(run, model=JOINT, healthy_slices=True, loss=replace(run.loss, cross_entropy=1.0))
    torch.manual_seed(0)
    net = build(**run.model)
    fit(
        net,
        grouped,
        tmp_path / "out",
        run=replace(run, epochs=2),
        train=train,
        scratch=tmp_path / "scratch",
        may_diverge=False,
        track=silent,
        log=lambda line: None,
    )
    load_weights(net, tmp_path / "out" / "weights.pt")
    scores = score_images(net, grouped, run=run, train=train)
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert scores["score"].mean() == pytest.approx(history["validation_score"].max(), abs=1e-5)
    assert list(scores) == ["id", "label", "group", "dice", *(["accuracy"] if joint else []), "score"]
    assert len(scores) == (12 if joint else 9)  # of 12 validation images three are healthy
