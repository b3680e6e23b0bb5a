"""What is beyond the study stands in the report where it was run, and only there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brisc.analysis.claims import judge_all
from brisc.analysis.results import Results
from brisc.report import tables
from brisc.report.cells import MINUS
from brisc.report.figures import charts
from brisc.report.render import render, report_texts

PAIRED = {"difference": 0.1, "low": 0.05, "high": 0.15, "p": 0.001}
WORTH = {"worth": 0.05, "worth_low": 0.01, "worth_high": 0.09, "worth_p": 0.02}
COPIES = {
    "full": 0.8,
    "without_copies": 0.7,
    "without_others": 0.75,
    "share": 0.0667,
    "by_seed": {"42": 0.05},
}
FALL = {"change": -0.12, "change_low": -0.14, "change_high": -0.1, "mixed": -0.05}
STRATUM = {"n": 7, "dice_per_image": 0.6, "low": 0.5, "high": 0.7}
BEYOND: dict[str, Any] = {
    "copies": [
        {
            "model": "unet",
            "measure": "dice_per_image",
            "seeds": [42],
            "subsets": {
                "official": {**COPIES, **WORTH},
                "copied": {**COPIES, **WORTH, "worth": 0.06},
                "clean": {**COPIES, **WORTH, "worth": 0.01},
            },
            **{"excess": 0.05, "excess_low": 0.02, "excess_high": 0.08},
            "falls": {"without_copies": FALL, "without_others": {**FALL, "change": -0.13}},
        }
    ],
    "augmentation": [
        {
            "model": "unet",
            "recipe": "unet-43",
            "measure": "dice_per_image",
            "seeds": [42, 43],
            "changes": {"augment.noise_probability": 0.3},
            "chosen": 0.7,
            "published": 0.6,
            "by_seed": {"42": 0.12, "43": 0.08},
            **PAIRED,
        }
    ],
    "pretrained": [
        {
            "model": "net",
            "scratch": "net-scratch",
            "subsets": {"clean": {"pretrained": 0.7, "scratch": 0.6, **PAIRED}},
        }
    ],
    "flips": [
        {
            "model": "unet",
            "measure": "dice_per_image",
            "subsets": {"clean": {"flips": 0.7, "plain": 0.6, **PAIRED}},
        }
    ],
    "conflicts": [
        {
            "model": "unet",
            "images": 860,
            "score": 0.8,
            "left_out": 8,
            "score_of_these": 0.4,
            "score_without": 0.804,
            "cost": 0.004,
        }
    ],
    "vote": None,
}
FOLDS = {
    "unet": {
        "folds": [0, 1],
        "n_pairs": 7,
        "dice_per_image": 0.6,
        "dice_per_image_low": 0.5,
        "dice_per_image_high": 0.7,
        "by_class": {"glioma": STRATUM},
        "by_plane": {"axial": STRATUM},
    }
}


def with_beyond(folder: Path) -> Path:
    (folder / "beyond.json").write_text(json.dumps(BEYOND))
    (folder / "out_of_fold.json").write_text(json.dumps({"models": FOLDS}))
    return folder


def test_each_table_has_its_numbers(build: Callable[..., Path], read: Callable[[Path], Results]) -> None:
    results = read(with_beyond(build()))
    worth, folds = tables.beyond.copies(results), tables.beyond.out_of_fold(results)
    assert worth is not None
    assert folds is not None
    assert worth.rows[0][2:8] == ["80.00", "75.00", "70.00", "+5.00 [+1.00, +9.00]", "0.020", "6.7"]
    assert [row[1:4] for row in folds.rows] == [
        [name, "7", "60.00 [50.00, 70.00]"] for name in ("all", "glioma", "axial")
    ]
    conflicts = tables.beyond.conflicts(results)
    assert conflicts is not None
    assert conflicts.rows == [["`unet`", "8 of 860", "40.00", "80.00", "80.40", "+0.40"]]
    for made in (
        tables.beyond.augmentation(results),
        tables.beyond.nets(results),
        tables.beyond.flips(results),
    ):
        assert made is not None
        assert "+10.00 [+5.00, +15.00]" in made.rows[0]


def test_the_answer_tells_what_copies_are_worth(
    build: Callable[..., Path], read: Callable[[Path], Results]
) -> None:
    results = read(with_beyond(build()))
    text = report_texts(results, charts(results), judge_all(results))["report.md"]
    answer = text.split("## 1.")[0]
    assert "**+5.00 points** of `dice_per_image` on official (95 % interval +1.00 to +9.00" in answer
    assert (
        f"changes by {MINUS}12.00 points (95 % interval {MINUS}14.00 to {MINUS}10.00; {MINUS}5.00 with"
        in answer
    )


def test_only_what_was_run_is_told(build: Callable[..., Path], published: Path) -> None:
    told = []
    for folder in (build(), with_beyond(build())):
        render(
            folder, profile="demo", published=published, estimate=folder.parent / "paper" / "estimate.json"
        )
        told.append((folder / "report.md").read_text() + (folder / "details.md").read_text())
    for title in ("What copies are worth", "Beyond the study", "Out of fold", "Flips at test time"):
        assert title not in told[0]
        assert title in told[1]


def test_a_net_that_the_study_has_not_is_marked_wherever_it_is_named(
    build: Callable[..., Path], read: Callable[[Path], Results]
) -> None:
    folder = build(models=("unet", "bifpn_unet"))
    path = folder / "runs.json"
    runs = json.loads(path.read_text())
    runs["unet"]["of_study"] = False
    path.write_text(json.dumps(runs))
    results = read(folder)
    for text in report_texts(results, charts(results), judge_all(results)).values():
        assert text.count("`unet`") == text.count("`unet`\\*") > 0
        assert "`bifpn_unet`\\*" not in text
    (curves,) = (chart.figure for chart in charts(results) if chart.name == "learning_curves")
    assert [ax.get_title("left") for ax in curves.axes][::2] == ["unet*", "bifpn_unet"]


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_answer_says_of_a_net_that_it_began_with_weights_from_elsewhere(
    build: Callable[..., Path], read: Callable[[Path], Results], pretrained: bool
) -> None:
    folder = build()
    path = folder / "runs.json"
    runs = json.loads(path.read_text())
    runs["unet"]["settings"]["model"]["pretrained"] = pretrained
    path.write_text(json.dumps(runs))
    results = read(folder)
    text = report_texts(results, charts(results), judge_all(results))["report.md"]
    assert ("ImageNet" in text) == pretrained
