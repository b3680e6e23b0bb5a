"""claims.md: a row for each claim, and words for each reason."""

import re
from collections.abc import Mapping
from typing import Any

import jinja2
import pytest

from brisc.analysis.claims import Code, Verdict, judge_all, tally
from brisc.analysis.results import Results
from brisc.report.claims import claims_text
from small_results import Change, small_results

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("brisc.report"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rows(results: Results) -> list[list[str]]:
    """The cells of the ledger's rows: figure, published, ours, interval, verdict, why."""
    lines = claims_text(ENVIRONMENT, results, judge_all(results)).splitlines()
    split = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [cells for cells in split if cells[4:] and cells[4].strip("*") in set(Verdict)]


def one_model(metrics: dict[str, Any]) -> None:
    for model in ("attention_unet", "densenet121", "joint"):
        del metrics[model]
    official, cost = metrics["unet"]["official"], metrics["unet"]["cost"]
    metrics["unet"] = {
        "official": official | {"dice_study": None},
        "validation": official,
        "cost": dict.fromkeys(cost),
    }


def other_files(metrics: dict[str, Any]) -> None:
    other = {"weights_mb": 88.3, "images_per_second": 1.0, "seconds": None}
    metrics["densenet121"]["cost"] = metrics["densenet121"]["cost"] | other
    metrics["unet"]["official"] = metrics["unet"]["official"] | {"dice_study_low": None}


def diverged(grid: dict[str, Any]) -> None:
    grid["cells"][1] |= dict.fromkeys(("score", "low", "high", "epoch", "rank_first", "rank_last"))
    grid["claims"][1] |= {"verdict": "inconclusive", "reason": {"code": "tied", "tied": 2, "others": 3}}


def turned(comparisons: dict[str, Any]) -> None:
    comparisons["heads"]["mask"]["subsets"]["official"]["pairs"][0] |= {"difference": 0.02}


CASES: list[Mapping[str, Change]] = [
    {},
    {"provenance": lambda origin: origin.update(source="phantom")},
    {
        "provenance": lambda origin: origin.update(device="Some CPU"),
        "comparisons": lambda content: content.update(joint_against_separate=None),
        "runs": lambda runs: runs["densenet121"]["settings"].update(model={"growth_rate": 12}),
    },
    {"metrics": one_model},
    {
        "metrics": other_files,
        "comparisons": turned,
        "grid": diverged,
        "validation": lambda counts: counts.update(images={"train": 4998, "test": 1002}),
    },
]


@pytest.mark.parametrize("case", CASES)
def test_each_claim_has_a_row_in_words(case: Mapping[str, Change]) -> None:
    results = small_results(**case)
    findings, shown = judge_all(results), rows(results)
    assert len(shown) == len(findings)
    for verdict, number in tally(findings).items():
        assert [cells[4] for cells in shown].count(f"**{verdict}**") == number
    for cells in shown:
        assert all(cells), cells
        assert not re.search(r"\b(nan|None|inf|null|undefined)\b", " ".join(cells)), cells


def test_the_cases_have_every_reason() -> None:
    found = [finding for case in CASES for finding in judge_all(small_results(**case))]
    assert {finding.reason.code for finding in found} == set(Code)


def test_numbers_are_written_to_the_digits_of_their_kind() -> None:
    shown = {cells[0]: cells[1:4] for cells in rows(small_results())}
    assert ["5,000", "5,000"] in [cells[:2] for cells in shown.values()]
    assert ["88.22", "87.00", "86.00 to 88.00"] in shown.values()
    assert ["97.5", "97.00", "96.00 to 98.00"] in shown.values()
    minus = "\N{MINUS SIGN}"
    assert [f"{minus}4.91", f"{minus}2.00", f"{minus}3.00 to {minus}1.00"] in shown.values()


def test_the_head_tells_each_topic_apart() -> None:
    results = small_results()
    text = claims_text(ENVIRONMENT, results, judge_all(results))
    head = next(line for line in text.splitlines() if line.startswith("Reproduced of judged"))
    assert "data 4 of 4, segmentation 1 of 3, classification 1 of 1, joint or separate 0 of 0," in head


def test_an_order_is_told_by_both_metrics() -> None:
    [order] = [cells for cells in rows(small_results()) if "above `attention_unet`" in cells[0]]
    assert order[1:3] == ["+0.39", "+1.00"]
    assert "`dice_per_image`: +2.00 points (95 % interval +1.00 to +3.00, corrected p = 0.040)" in order[5]


@pytest.mark.parametrize(
    "reason",
    [
        {"code": "absent"},
        {"code": "measure", "measure": "accuracy"},
        {"code": "alone"},
        {"code": "diverged", "epoch": 3},
        {"code": "behind", "better": 1, "others": 3},
        {"code": "tied", "tied": 1, "others": 3},
        {"code": "fewer", "cells": 4, "published_cells": 20},
        {"code": "ahead"},
    ],
)
def test_each_reason_of_the_grid_has_words(reason: dict[str, Any]) -> None:
    def plant(grid: dict[str, Any]) -> None:
        grid["epochs"] = 20  # as many as the study's cells, so that nothing is added to the reason
        grid["claims"][0] |= {"reason": reason}

    changed = next(cells[5] for cells in rows(small_results(grid=plant)) if cells[0].startswith("best cell"))
    assert len(changed.split()) > 3
    assert all(str(value) in changed for key, value in reason.items() if key != "code")
