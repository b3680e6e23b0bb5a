"""What the results of several models have in common, once they are gathered."""

import json
from pathlib import Path

import pytest

from brisc.analysis.collect import collect
from brisc.errors import InputError

DICE = {"dice_study": 0.8, "dice_per_image": 0.7, "false_alarms": {"rate": 0.5}}
SUMMARY = {
    "parameters": 1,
    "epochs": 2,
    "images_seen": 3,
    "source_tree": "t",
    "train": {"seed": 42},
    "versions": {},
}


def evaluated(runs: Path, model: str, device: str | None) -> None:
    folder = runs / "eval" / model
    (folder / "training").mkdir(parents=True)
    (folder / "metrics.json").write_text(
        json.dumps(dict.fromkeys(("official", "clean", "strict", "validation"), DICE))
    )
    (folder / "cost.json").write_text("{}")
    (folder / "data.json").write_text('{"fingerprint": "f"}')
    (folder / "per_image.csv").write_text(f"id\n{model}\n")
    (folder / "training" / "summary.json").write_text(json.dumps(SUMMARY))
    (folder / "training" / "cost.json").write_text(json.dumps({"device": device}))
    (folder / "training" / "history.csv").write_text("epoch,best\n1,0\n2,1\n")


def gather(place: Path, models: list[str]) -> None:
    collect(
        place / "runs",
        place / "reports",
        profile="p",
        source="s",
        prepare={},
        models=models,
        first_seed=42,
        seeds={},
    )


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        (["A CPU", "A CPU"], "A CPU"),
        (["A CPU", "A GPU"], "A CPU; A GPU"),
        ([None, "A GPU"], "A GPU"),
        ([None, None], None),
    ],
)
def test_every_device_that_a_model_was_trained_on_is_told_once(
    tmp_path: Path, devices: list[str | None], told: str | None
) -> None:
    models = ["one", "two"]
    for model, device in zip(models, devices, strict=True):
        evaluated(tmp_path / "runs", model, device)
    gather(tmp_path, models)
    assert json.loads((tmp_path / "reports" / "provenance.json").read_text())["device"] == told
    assert (
        tmp_path / "reports" / "history.csv"
    ).read_text() == "model,epoch,best\none,1,0\none,2,1\ntwo,1,0\ntwo,2,1\n"
    assert (tmp_path / "reports" / "per_image" / "two.csv").read_text() == "id\ntwo\n"


def test_results_of_different_data_are_refused(tmp_path: Path) -> None:
    for model in ("one", "two"):
        evaluated(tmp_path / "runs", model, None)
    (tmp_path / "runs" / "eval" / "two" / "data.json").write_text('{"fingerprint": "g"}')
    with pytest.raises(
        InputError,
        match=r"eval/two/data.json: results of different data: got g, expected f, as in .*eval/one",
    ):
        gather(tmp_path, ["one", "two"])
    assert not (tmp_path / "reports").exists()
