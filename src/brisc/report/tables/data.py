"""Tables of the chapter on the data: what the archive holds and what the audit found in it."""

from typing import Any

from brisc.analysis.results import Record, Results
from brisc.report.cells import (
    DASH,
    NO_IMAGES,
    Cell,
    Table,
    coarse_percent,
    decimals3,
    flat,
    in_words,
    percent,
    setting,
    shown,
    signed_points,
)


def archive(results: Results) -> Table:
    """Images and pairs of the two halves as published."""
    images, pairs = results.validation.record("images"), results.validation.record("pairs")
    rows = [[half, f"{images.count(half):,}", f"{pairs.count(half):,}"] for half in images.keys]
    caption = "What the archive holds: images, and pairs of a tumour image with its mask."
    return Table(caption, ["half", "images", "pairs"], rows)


def class_by_plane(results: Results) -> Table:
    halves = results.validation.record("by_class_plane").records()
    kinds = next(iter(halves.values())).keys
    rows = [[kind, *(f"{half.count(kind):,}" for half in halves.values())] for kind in kinds]
    return Table(
        "Images by class and plane in the halves of the archive.", ["class and plane", *halves], rows
    )


def matrix(record: Record, caption: str, name: str) -> Table:
    """Nested numbers as they come: outer keys down, inner keys across, deeper ones joined. Fractions are in
    percent, but for areas under a curve."""
    rows = {
        key: dict(flat(value, "", " ")) if isinstance(value, dict) else {"value": value}
        for key, value in record.content.items()
    }
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    shares = {
        column
        for column in columns
        if not column.endswith("auc") and any(isinstance(row.get(column), float) for row in rows.values())
    }
    cells = [
        [in_words(key), *(_number(row.get(column), column in row, column in shares) for column in columns)]
        for key, row in rows.items()
    ]
    header = [f"{in_words(column)}, %" if column in shares else in_words(column) for column in columns]
    return Table(caption, [name, *header], cells)


def relations(audit: Record) -> Table:
    counts = audit.record("test_with_copy_in_train_by_relation")
    total = audit.record("test_with_copy_in_train").count("total")
    rows = [
        [in_words(key), f"{counts.count(key):,}", _share_of(counts.count(key), total)] for key in counts.keys
    ]
    caption = f"The {total:,} test images with a copy in train, by relation to the copy."
    return Table(caption, ["relation", "test images", "share, %"], rows)


def _share_of(part: int, whole: int) -> str | Cell:
    return coarse_percent(part / whole) if whole > 0 else Cell(DASH, NO_IMAGES)


def copied(results: Results) -> Table:
    """Per-image Dice on the official test images whose slice is also in train, and on the others, by
    class."""
    rows = []
    for model in results.masks():
        tumours = results.tumours(model)
        labels = results.subsets(model)["official"].record("by_class").keys
        for label, chosen in [
            *((label, tumours[tumours["label"] == label]) for label in labels),
            ("all", tumours),
        ]:
            parts = [chosen[chosen["clean"] != 1]["dice"], chosen[chosen["clean"] == 1]["dice"]]
            means = [float(part.mean()) if len(part) > 0 else None for part in parts]
            row: list[str | Cell] = [f"`{model}`", label]
            for part, mean in zip(parts, means, strict=True):
                row += [f"{len(part):,}", shown(mean, coarse_percent, NO_IMAGES)]
            copied, clean = means
            difference = None if copied is None or clean is None else copied - clean
            rows.append([*row, shown(difference, signed_points, "one of the two is missing")])
    header = ["model", "class", "n copied", "Dice copied", "n clean", "Dice clean", "difference, points"]
    return Table("Mean per-image Dice in % on copied and on clean test images.", header, rows, left=2)


def _number(value: Any, measured: bool, share: bool) -> str | Cell:
    if value is None:
        return Cell(DASH, "not defined here" if measured else "not measured for this row")
    if isinstance(value, float):
        return percent(value) if share else decimals3(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else setting(value)
