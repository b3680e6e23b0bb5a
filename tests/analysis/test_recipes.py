"""Recipes of training: what each is scored on, and what the paired tests say of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from brisc.analysis.ablation import read_recipes, summarise_ablation
from brisc.evaluation.recipe import score_images
from torch import nn

from brisc.config import Ablated, Ablation, Evaluate, load
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.evaluation.predict import Inference

ABLATED = Ablated(model="unet", recipes=["plain", "good", "bad", "noise", "lost"])
ABLATION = Ablation(
    epochs=3,
    recipes={
        "plain": {},
        "good": {"augment": {"zoom_fraction": 0.0}},
        "bad": {"ema_decay": 0.9},
        "noise": {},
        "lost": {},
    },
)


@pytest.fixture
def settings(repository: Path) -> Evaluate:
    settings: Evaluate = load("demo", "evaluate")
    return settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 images of one group each; flips give 0.05 more to every image."""
    rng = np.random.default_rng(3)
    plain = rng.uniform(0.3, 0.7, 30)
    scores = {
        "plain": plain,
        "good": plain + 0.1,
        "bad": plain - 0.1,
        "noise": plain + rng.permuted([0.1, -0.1] * 15),
        "lost": None,
    }
    for name, score in scores.items():
        place = tmp_path / "ablation" / name
        place.mkdir(parents=True)
        best = None if score is None else 2
        summary = {
            "best_epoch": best,
            "epochs": 1 if score is None else 3,
            "diverged_at": 1 if score is None else None,
        }
        (place / "summary.json").write_text(json.dumps(summary))
        (place / "cost.json").write_text(json.dumps({"seconds": 5.0}))
        if score is not None:
            table = {
                "id": range(30),
                "label": "glioma",
                "group": [f"g{i}" for i in range(30)],
                "dice": score,
                "score": score,
            }
            pd.DataFrame({**table, "dice_flips": score + 0.05, "score_flips": score + 0.05}).to_csv(
                place / "validation.csv", index=False
            )
    return tmp_path / "ablation"


def summary(folder: Path, settings: Evaluate) -> dict[str, Any]:
    return summarise_ablation(
        read_recipes(folder, ABLATED.recipes), ablated=ABLATED, ablation=ABLATION, settings=settings
    )


def test_every_row_is_held_against_the_first(folder: Path, settings: Evaluate) -> None:
    ablation = summary(folder, settings)
    rows = {(row["recipe"], row["flips"]): row for row in ablation["rows"]}
    assert list(rows) == [(name, flips) for name in ABLATED.recipes for flips in (False, True)]
    assert (ablation["measure"], ablation["images"], ablation["epochs"], ablation["model"]) == (
        "dice",
        30,
        3,
        "unet",
    )
    verdicts = {key: row["verdict"] for key, row in rows.items()}
    assert verdicts == {
        ("plain", False): None,
        ("plain", True): "better",
        ("good", False): "better",
        ("good", True): "better",
        ("bad", False): "worse",
        ("bad", True): "worse",
        ("noise", False): "cannot be told",
        ("noise", True): "better",
        ("lost", False): None,
        ("lost", True): None,
    }
    good = rows["good", True]
    assert (good["difference"], good["difference_low"], good["difference_high"]) == pytest.approx(
        (0.15, 0.15, 0.15)
    )
    assert rows["bad", False]["difference"] == pytest.approx(-0.1)
    assert good["changes"] == {"augment.zoom_fraction": 0.0}
    # The smallest p of 2000 resamples is 2 / 2001; Holm multiplies it by how many rows were tested, seven of
    # the ten.
    assert rows["bad", False]["p_holm"] == pytest.approx(7 * 2 / 2001, abs=1e-6)
    lost = rows["lost", False]
    assert (lost["score"], lost["low"], lost["p"], lost["diverged_at"], lost["epoch"]) == (
        None,
        None,
        None,
        1,
        None,
    )


def test_too_few_groups_tell_nothing_apart(folder: Path, settings: Evaluate) -> None:
    for name in ("plain", "good", "bad", "noise"):
        path = folder / name / "validation.csv"
        pd.read_csv(path).assign(group=[f"g{i % 5}" for i in range(30)]).to_csv(path, index=False)
    rows = summary(folder, settings)["rows"]
    assert {row["verdict"] for row in rows[1:-2]} == {"cannot be told"}
    assert all(row["low"] is row["p_holm"] is None for row in rows)


def test_without_recipes_there_is_nothing_to_tell(tmp_path: Path, settings: Evaluate) -> None:
    none = Ablated(model="unet", recipes=[])
    assert (
        summarise_ablation(read_recipes(tmp_path, []), ablated=none, ablation=ABLATION, settings=settings)[
            "rows"
        ]
        == []
    )


def test_a_first_recipe_without_a_score_is_no_measure(folder: Path, settings: Evaluate) -> None:
    recipes = read_recipes(folder, ["lost", "plain"])
    ablated = Ablated(model="unet", recipes=["lost", "plain"])
    rows = summarise_ablation(recipes, ablated=ablated, ablation=ABLATION, settings=settings)["rows"]
    assert [row["verdict"] for row in rows] == [None] * 4


def test_a_missing_recipe_is_named(folder: Path) -> None:
    (folder / "good" / "summary.json").unlink()
    with pytest.raises(InputError, match=r"ablation/good: no result of the recipe good.*dvc repro"):
        read_recipes(folder, ABLATED.recipes)


def test_recipes_measured_on_other_images_are_told(folder: Path) -> None:
    path = folder / "good" / "validation.csv"
    pd.read_csv(path).iloc[1:].to_csv(path, index=False)
    with pytest.raises(InputError, match="recipes measured on different images"):
        read_recipes(folder, ABLATED.recipes)


class Bright(nn.Module):
    """Calls tumour what is bright in the left half, so that a mean over flips calls nothing so; and always
    the first class."""

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        left = torch.ones_like(image)
        left[..., image.shape[-1] // 2 :] = 0
        label = torch.zeros(len(image), 4)
        label[:, 0] = 1
        return {"mask": torch.where(image * left > 0.5, 9.0, -9.0), "label": label}


def test_scores_are_the_mean_over_heads_with_and_without_flips(repository: Path, settings: Evaluate) -> None:
    images = np.zeros((3, 32, 32), dtype=np.uint8)
    images[0, 0:4, 0:4] = images[1, 0:4, 28:32] = 255  # in the left half; in the right half
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "label": ["glioma", "pituitary", "glioma"],
            "group": ["g", "h", "i"],
            "split": ["validation"] * 2 + ["train"],
        }
    )
    samples = Samples(images, (images > 0).astype(np.uint8), table, "f")
    net = Inference(Bright(), load("demo", "train"))
    scores = score_images(net, samples, healthy=True, settings=settings)
    assert list(scores["id"]) == ["a", "b"]
    assert list(scores["dice"]) == [1.0, 0.0]
    assert list(scores["accuracy"]) == [1.0, 0.0]
    assert list(scores["score"]) == [1.0, 0.0]
    # Of four views two see the square in the left half: probability 0.5 to rounding, which is not above the
    # threshold.
    assert list(scores["dice_flips"]) == [0.0, 0.0]
    assert list(scores["score_flips"]) == [0.5, 0.0]
