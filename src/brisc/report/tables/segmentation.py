"""Tables of how tumours are segmented: by stratum, missed tumours, hardest slices, false positives."""

import pandas as pd

from brisc.analysis.findings.scores import FEW
from brisc.analysis.results import Record, Results
from brisc.report.cells import (
    DASH,
    NO_BOUNDARY,
    NO_IMAGES,
    Cell,
    Table,
    coarse_percent,
    setting,
    shown,
    tenth,
    thousands,
    with_interval,
)
from brisc.report.tables.scores import rate
from brisc.vocabulary import HEALTHY, TEST_SUBSETS

LARGE = 0.003  # of the image: what is called tumour in a healthy slice is more than a few pixels


def strata(results: Results, key: str, name: str) -> Table:
    """Per-image Dice by class, plane, both, or tumour size: `key` names the block of metrics.json."""
    rows = []
    for model in results.masks():
        scores = results.subsets(model)
        blocks = {subset: record.record(key).records() for subset, record in scores.items()}
        for stratum, official in blocks["official"].items():
            row: list[str | Cell] = [f"`{model}`", stratum]
            for block in blocks.values():
                row += [f"{block[stratum].count('n'):,}", _dice(block[stratum])]
            row += [
                shown(official.number("hd95_px"), tenth, NO_BOUNDARY),
                f"{official.count('hd95_undefined'):,}",
            ]
            rows.append(row)
    header = ["model", name]
    for subset in results.subsets(results.masks()[0]):
        header += [f"n {subset}", f"Dice {subset}"]
    header += ["HD95 official, px", "not defined"]
    return Table(f"Mean per-image Dice in % and HD95 by {name}.", header, rows, left=2)


def _dice(found: Record) -> str | Cell:
    value, low, high = (found.number(key) for key in ("dice_per_image", "low", "high"))
    if value is not None and found.count("n") < FEW:
        return Cell(f"{coarse_percent(value)} [{DASH}]", f"no interval: fewer than {FEW} images")
    return with_interval(value, low, high, coarse_percent, NO_IMAGES)


def false_positives(results: Results) -> Table:
    """Healthy slices in which a model finds a tumour."""
    rows = []
    for model in results.masks():
        validation = results.metrics.record(model).record("validation")
        for subset, scores in {**results.subsets(model), "validation": validation}.items():
            found = scores.record("false_alarms")
            table = results.per_image[model]
            images = table[table[subset] == 1] if subset in TEST_SUBSETS else table[table["split"] == subset]
            shares = (images["predicted_pixels"] / images["pixels"])[images["label"] == HEALTHY]
            rows.append(
                [
                    f"`{model}`",
                    subset,
                    f"{found.count('n'):,}",
                    f"{found.count('images'):,}",
                    rate(found),
                    f"{(shares >= LARGE).sum():,}",
                    shown(found.number("mean_pixels"), tenth, "no healthy slices"),
                ]
            )
    header = ["model", "subset", "healthy slices", "false positives", "rate, %"]
    header += [f"of {setting(100 * LARGE)} % of the image or more", "mean size, px"]
    return Table("False positives: healthy slices in which a tumour is found.", header, rows, left=2)


def hardest(results: Results, *, rows: int) -> Table:
    """The tumours with the lowest Dice, averaged over the models; among equals the largest first, whose loss
    weighs most."""
    models = results.masks()
    tumours = results.tumours(models[0]).set_index("id")
    dice = pd.DataFrame({model: results.tumours(model).set_index("id")["dice"] for model in models})
    tumours = tumours.assign(mean=dice.mean(axis=1), size=-tumours["true_pixels"]).reset_index()
    hard = tumours.sort_values(["mean", "size", "id"]).head(rows)
    cells = [
        [
            f"`{row['id']}`",
            row["label"],
            row["plane"],
            "yes" if row["clean"] == 1 else "no",
            thousands(row["true_pixels"]),
            *(coarse_percent(value) for value in dice.loc[row["id"]]),
        ]
        for row in hard.to_dict("records")
    ]
    header = [
        "image",
        "class",
        "plane",
        "in clean",
        "tumour, px",
        *(f"Dice of `{model}`, %" for model in models),
    ]
    caption = f"Hardest slices: {len(cells)} of the {len(tumours):,} official test images with a tumour."
    return Table(caption, header, cells, left=4)


def missed(results: Results) -> Table:
    """Tumours of which no pixel was found, by class."""
    rows = []
    for model in results.masks():
        tumours = results.tumours(model)
        labels = results.subsets(model)["official"].record("by_class").keys
        for label, chosen in [
            *((label, tumours[tumours["label"] == label]) for label in labels),
            ("all", tumours),
        ]:
            nothing = chosen["predicted_pixels"] == 0
            elsewhere = ~nothing & (chosen["intersection"] == 0)
            rows.append(
                [f"`{model}`", label, f"{len(chosen):,}", f"{nothing.sum():,}", f"{elsewhere.sum():,}"]
            )
    header = ["model", "class", "tumour slices", "nothing predicted", "predicted elsewhere only"]
    return Table("Missed tumours among the official test images.", header, rows, left=2)
