"""Recipes of training as a table."""

from brisc.analysis.results import Record
from brisc.report.cells import (
    DASH,
    NOT_MEASURED,
    TOO_FEW,
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
from brisc.report.words import MEASURES, with_flips

REFERENCE, DIVERGED = "what the others are held against", "the training diverged in its first epoch"
NOT_COMPARED = "nothing to hold it against"
HEADER = ["recipe", "settings", "validation {}, %", "difference, points", "p", "verdict", "best epoch"]


def recipes(study: Record) -> Table:
    """Every recipe without and with flips, in the order of params.yaml."""
    rows = [_row(row, first=i == 0) for i, row in enumerate(study.listed("rows"))]
    measure = MEASURES[study["measure"]]
    header = [*(name.format(measure) for name in HEADER), "training, s"]
    return Table(f"Recipes of training, `{study['model']}`.", header, rows, left=2, words=(5,))


def _row(row: Record, *, first: bool) -> list[str | Cell]:
    score, difference = row.number("score"), row.number("difference")
    missing = REFERENCE if first else DIVERGED if score is None else NOT_COMPARED
    low, high = row.number("difference_low"), row.number("difference_high")
    return [
        with_flips(row["run"], row["flips"]),
        "as above" if row["flips"] else _changes(row.record("changes")),
        with_interval(score, row.number("low"), row.number("high"), percent, DIVERGED),
        with_interval(difference, low, high, signed_points, missing),
        shown(row.number("p_holm"), p_value, missing if difference is None else TOO_FEW),
        row["verdict"] or Cell(DASH, missing),
        shown(row.number("epoch"), thousands, DIVERGED),
        shown(row.number("seconds"), thousands, NOT_MEASURED),
    ]


def _changes(changes: Record) -> str:
    """The settings and their values; those of one block stand together, named once: "augment: zoom_fraction
    0, shift_fraction 0"."""
    blocks: dict[str, list[str]] = {}
    for path, value in changes.content.items():
        block, _, name = path.rpartition(".")
        blocks.setdefault(block, []).append(f"{name} {setting(value)}")
    parts = (
        f"{block}: {', '.join(settings)}" if block else ", ".join(settings)
        for block, settings in blocks.items()
    )
    return "; ".join(parts) or "as the model"
