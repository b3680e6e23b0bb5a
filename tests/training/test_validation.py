"""Scores of the validation images, one by one."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from brisc.config import Run, TrainingPlan
from brisc.data.dataset import Samples
from brisc.models import build
from brisc.progress import silent
from brisc.training.fit import fit
from brisc.training.validation import accuracy, dice

JOINT = {
    "arch": "joint",
    "in_channels": 1,
    "base_channels": 2,
    "levels": 3,
    "classes": 4,
    "heads": ["mask", "label"],
}


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("keep_weights", [False, True])
def test_their_mean_is_the_score_that_chose_the_epoch(
    samples: Samples, run: Run, tmp_path: Path, joint: bool, keep_weights: bool
) -> None:
    if joint:
        run = replace(run, model=JOINT, healthy_slices=True, loss=replace(run.loss, cross_entropy=1.0))
    torch.manual_seed(0)
    out = tmp_path / "out"
    fit(
        build(**run.model),
        samples,
        out,
        plan=TrainingPlan(run=replace(run, epochs=3), code={}),
        scratch=tmp_path / "scratch",
        keep_weights=keep_weights,
        track=silent,
        log=lambda line: None,
    )
    assert (out / "weights.pt").exists() is keep_weights
    scores, history = pd.read_csv(out / "validation.csv"), pd.read_csv(out / "history.csv")
    assert scores["score"].mean() == pytest.approx(history["validation_score"].max(), abs=1e-5)
    assert list(scores) == ["id", "label", "group", "dice", *(["accuracy"] if joint else []), "score"]
    assert len(scores) == (12 if joint else 9)  # of 12 validation images three are healthy
    rows = samples.rows("validation", healthy=joint)
    assert scores["id"].to_list() == samples.table["id"].iloc[rows].to_list()


def test_scores_by_hand() -> None:
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]])[None, None]
    # 2 of 3 predicted pixels are right: 2 * 2 / (3 + 2); nothing predicted; empty against empty
    logits = torch.tensor([[[1.0, 1.0], [1.0, -1.0]], [[-1.0, -1.0], [-1.0, -1.0]], [[-1.0] * 2] * 2])[
        :, None
    ]
    truth = torch.cat([mask, mask, torch.zeros_like(mask)])
    assert dice(logits, truth).tolist() == pytest.approx([0.8, 0.0, 1.0])
    assert accuracy(torch.tensor([[0.1, 0.9], [2.0, 1.0]]), torch.tensor([1, 1])).tolist() == [1.0, 0.0]
