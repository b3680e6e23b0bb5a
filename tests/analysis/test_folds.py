"""Folds put together: every image once, judged by the net that did not see it."""

from pathlib import Path

import pandas as pd
import pytest
from made_runs import evaluated, images

from brisc.analysis.folds import out_of_fold
from brisc.analysis.runs import Evaluated
from brisc.config import Evaluate
from brisc.errors import InputError


def fold(place: Path, number: int, score: float, *, like: str = "net", name: str = "") -> Evaluated:
    """Ten images of its own, and validation images that others have too."""
    own = images([score] * 10, split="test", first=10 * number)
    table = pd.concat([own, images([0.1 * number] * 5, split="validation", first=100)])
    changes = {"fold": number}
    return evaluated(
        place, name or f"fold{number}", table, kind="fold", like=like, changes=changes, fold=number
    )


def test_five_folds_are_one_table_of_every_image(tmp_path: Path, settings: Evaluate) -> None:
    runs = [fold(tmp_path, number, 0.5 + 0.1 * number) for number in (4, 3, 2, 1, 0)]
    found = out_of_fold(runs, settings)["models"]
    assert list(found) == ["net"]
    net = found["net"]
    assert (net["folds"], net["complete"]) == ([0, 1, 2, 3, 4], True)
    assert net["runs"] == [f"fold{number}" for number in range(5)]
    assert net["n_pairs"] == 50
    assert net["dice_per_image"] == pytest.approx(0.7)  # of .5 to .9
    assert 0.5 < net["dice_per_image_low"] < 0.7 < net["dice_per_image_high"] < 0.9
    assert net["by_class"]["glioma"]["dice_per_image"] == pytest.approx(0.7)
    assert net["by_plane"]["axial"]["n"] == 50
    assert net["validation"] == pytest.approx(0.2)


def test_some_folds_are_told_not_to_be_all(tmp_path: Path, settings: Evaluate) -> None:
    first = fold(tmp_path, 0, 0.5)
    runs = [first, fold(tmp_path, 1, 0.7, like="fold0"), fold(tmp_path, 0, 0.1, like="other", name="o")]
    found = out_of_fold(runs, settings)["models"]
    assert {model: (each["folds"], each["complete"]) for model, each in found.items()} == {
        "net": ([0, 1], False),
        "other": ([0], False),
    }
    assert found["net"]["dice_per_image"] == pytest.approx(0.6)


def test_a_fold_twice_is_told(tmp_path: Path, settings: Evaluate) -> None:
    runs = [fold(tmp_path, 0, 0.5), fold(tmp_path, 0, 0.5, name="again")]
    with pytest.raises(InputError, match="got fold 0 of again and fold0"):
        out_of_fold(runs, settings)


def test_without_folds_there_are_no_models(tmp_path: Path, settings: Evaluate) -> None:
    runs = [evaluated(tmp_path, "net", images([0.5], split="test"))]
    assert out_of_fold(runs, settings) == {"models": {}}
