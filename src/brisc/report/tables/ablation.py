"""Recipes of training as a table."""

from brisc.analysis.results import Record
from brisc.report.cells import (
    DASH,
    Cell,
    Table,
    p_value,
    percent,
    setting,
    shown,
    signed_points,
    thousands,
    with_interval,
)
from brisc.report.words import MEASURES, recipe_name

REFERENCE, DIVERGED = "what the others are held against", "the training diverged in its first epoch"
NOT_COMPARED = "nothing to hold it against"


def recipes(ablation: Record) -> Table:
    """Every recipe without and with flips, in the order of params.yaml."""
    rows = [_row(row, first=i == 0) for i, row in enumerate(ablation.listed("rows"))]
    measure = MEASURES[ablation["measure"]]
    caption = (
        f"Recipes of training (`{ablation['model']}`, {ablation.count('epochs')} epochs at most) by the {measure} of their "
        f"best epoch on the validation images (n = {ablation.count('images'):,}) with its 95 % interval, the difference from the "
        "first in points, p after Holm's correction over all rows, and what they say. Flips: the prediction is the mean over the "
        "image and its three mirror images."
    )
    header = [
        "recipe",
        "sets",
        f"validation {measure}, %",
        "difference, points",
        "p",
        "against the first",
        "best epoch",
        "training, s",
    ]
    return Table(caption, header, rows, left=2, words=(5,))


def _row(row: Record, *, first: bool) -> list[str | Cell]:
    score, difference = row.number("score"), row.number("difference")
    missing = REFERENCE if first else DIVERGED if score is None else NOT_COMPARED
    too_few = missing if difference is None else "too few groups of similar slices"
    epoch = row.number("epoch")
    return [
        recipe_name(row),
        "the same" if row["flips"] else _changes(row.record("changes")),
        with_interval(score, row.number("low"), row.number("high"), percent, DIVERGED),
        with_interval(
            difference, row.number("difference_low"), row.number("difference_high"), signed_points, missing
        ),
        shown(row.number("p_holm"), p_value, too_few),
        row["verdict"] or Cell(DASH, missing),
        shown(epoch, thousands, DIVERGED),
        shown(row.number("seconds"), thousands, "not measured in this profile"),
    ]


def _changes(changes: Record) -> str:
    """The knobs and their values; those of one block stand together, named once: "augment: zoom_fraction 0,
    shift_fraction 0"."""
    blocks: dict[str, list[str]] = {}
    for path, value in changes.content.items():
        block, _, knob = path.rpartition(".")
        blocks.setdefault(block, []).append(f"{knob} {setting(value)}")
    named = (f"{block}: {', '.join(knobs)}" if block else ", ".join(knobs) for block, knobs in blocks.items())
    return "; ".join(named) or "nothing"
