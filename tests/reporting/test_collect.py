"""What the results of several models have in common, once they are gathered."""

import json
from pathlib import Path

import pytest

from brisc.reporting.collect import collect

DICE = {"dice_study": 0.8, "dice_per_image": 0.7, "false_alarms": {"rate": 0.5}}
SUMMARY = {"parameters": 1, "epochs": 2, "images_seen": 3, "source_tree": "t", "train": {"seed": 42}, "versions": {}}


def evaluated(runs: Path, model: str, device: str | None) -> None:
    folder = runs / "eval" / model
    (folder / "training").mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(dict.fromkeys(("official", "clean", "strict", "validation"), DICE)))
    (folder / "cost.json").write_text("{}")
    (folder / "per_image.csv").write_text(f"id\n{model}\n")
    (folder / "training" / "summary.json").write_text(json.dumps(SUMMARY))
    (folder / "training" / "cost.json").write_text(json.dumps({"device": device}))
    (folder / "training" / "history.csv").write_text("epoch,best\n1,0\n2,1\n")


@pytest.mark.parametrize(
    ("devices", "told"),
    [(["A CPU", "A CPU"], "A CPU"), (["A CPU", "A GPU"], "A CPU; A GPU"), ([None, "A GPU"], "A GPU"), ([None, None], None)],
)
def test_every_device_that_a_model_was_trained_on_is_told_once(
    tmp_path: Path, devices: list[str | None], told: str | None
) -> None:
    models = ["one", "two"]
    for model, device in zip(models, devices, strict=True):
        evaluated(tmp_path / "runs", model, device)
    (tmp_path / "fingerprint.json").write_text("{}")
    collect(
        tmp_path / "runs", tmp_path / "fingerprint.json", tmp_path / "reports", profile="p", source="s", prepare={},
        models=models, first_seed=42, seeds={},
    )  # fmt: skip
    assert json.loads((tmp_path / "reports" / "provenance.json").read_text())["device"] == told
    assert (tmp_path / "reports" / "history.csv").read_text() == "model,epoch,best\none,1,0\none,2,1\ntwo,1,0\ntwo,2,1\n"
    assert (tmp_path / "reports" / "per_image" / "two.csv").read_text() == "id\ntwo\n"
