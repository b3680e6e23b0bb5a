"""Tables of results, errors, training and cost."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from brisc.errors import InputError
from brisc.reporting.cells import (
    DASH,
    NO_BOUNDARY,
    NO_IMAGES,
    NOT_EVALUATED,
    NOT_MEASURED,
    NOT_PUBLISHED,
    Cell,
    Table,
    coarse_percent,
    percent,
    setting,
    shown,
    tenth,
    thousands,
    with_interval,
)
from brisc.reporting.results import SUBSETS, Record, Results


class Metric(NamedTuple):
    key: str
    name: str
    show: Callable[[float], str]


class Head(NamedTuple):
    """What is measured for one output of a net.

    `compared` is the key averaged as the study does, which only such a head has; `followed` the key that is followed over the
    subsets, with its interval; `counted` the key of the number of images behind them.
    """

    compared: str
    followed: str
    counted: str
    images: str
    metrics: tuple[Metric, ...]


HEADS = {
    "mask": Head(
        compared="dice_study",
        followed="dice_per_image",
        counted="n_pairs",
        images="tumour slices",
        metrics=(
            Metric("dice_study", "Dice, study average, %", percent),
            Metric("dice_per_image", "Dice, mean per image, %", percent),
            Metric("dice_pooled", "Dice, all pixels pooled, %", percent),
            Metric("iou_study", "IoU, study average, %", percent),
            Metric("iou_per_image", "IoU, mean per image, %", percent),
            Metric("iou_pooled", "IoU, all pixels pooled, %", percent),
            Metric("pixel_accuracy", "pixel accuracy, %", percent),
            Metric("boundary_dice", "boundary Dice at 1 px, %", percent),
            Metric("hd95_px", "HD95, px", tenth),
        ),
    ),
    "label": Head(
        compared="accuracy",
        followed="accuracy",
        counted="n_images",
        images="slices",
        metrics=(
            Metric("accuracy", "accuracy, %", percent),
            Metric("f1_macro", "F1, mean over the classes, %", percent),
        ),
    ),
}


def heads(scores: Record) -> list[Head]:
    """The outputs that were measured, in the order of HEADS."""
    found = [head for head in HEADS.values() if head.compared in scores]
    if not found:
        raise InputError(
            "no known metric", where=scores.where, got=", ".join(scores.keys) or "no keys",
            expected=" or ".join(head.compared for head in HEADS.values()), mend="Run the evaluate stage again.",
        )  # fmt: skip
    return found


def measured(scores: Record, metric: Metric) -> str | Cell:
    """The metric, with its interval where the file has one."""
    value = scores.number(metric.key)
    reason = NO_BOUNDARY if metric.key == "hd95_px" else NO_IMAGES
    if f"{metric.key}_low" not in scores:
        return shown(value, metric.show, reason)
    return with_interval(value, scores.number(f"{metric.key}_low"), scores.number(f"{metric.key}_high"), metric.show, reason)


# ---------------------------------------------------------------------------------------------------------------- results


def headline(results: Results, head: Head) -> Table:
    """One row for each model with that head: what the first screen shows."""
    metric = {metric.key: metric for metric in head.metrics}
    compared, followed = metric[head.compared], metric[head.followed]
    models = with_head(results, head)
    subsets = [name for name in SUBSETS if any(name in results.subsets(model) for model in models)]
    rows = []
    for model in models:
        scores = results.subsets(model)
        row = [model, published_cell(results.published_scores(model, "test"), compared)]
        if compared is not followed:
            row.append(measured(scores["official"], compared))
        row += [measured(scores[s], followed) if s in scores else Cell(DASH, NOT_EVALUATED) for s in subsets]
        if "false_alarms" in scores["official"]:
            row.append(rate(scores["official"].record("false_alarms")))
        rows.append(row)
    header = ["model", f"published `{compared.key}`"]
    header += [f"official `{compared.key}`"] if compared is not followed else []
    header += [f"{subset} `{followed.key}`" for subset in subsets]
    header += ["false alarms"] if len(rows[0]) > len(header) else []
    caption = f"Results in %, with 95 % intervals in brackets. {counts(results, head)}"
    if "false alarms" in header:
        caption += " False alarms: the share of healthy official test slices in which the model sees a tumour."
    return Table(caption, header, rows)


def with_head(results: Results, head: Head) -> list[str]:
    return [model for model in results.models if head in heads(results.subsets(model)["official"])]


def counts(results: Results, head: Head) -> str:
    """How many images each subset holds; the same for all models, which are evaluated on the same ones."""
    scores = results.subsets(with_head(results, head)[0])
    return f"{head.images.capitalize()}: " + ", ".join(f"{name} {s.count(head.counted):,}" for name, s in scores.items()) + "."


def published_cell(published: Record, metric: Metric) -> str | Cell:
    return shown(published.number(metric.key) if metric.key in published else None, metric.show, NOT_PUBLISHED)


def rate(alarms: Record) -> str | Cell:
    return with_interval(alarms.number("rate"), alarms.number("low"), alarms.number("high"), coarse_percent, "no healthy slices")


def model_results(results: Results, model: str) -> Table:
    """Published and own figures of one model, a row for each metric."""
    scores = results.subsets(model)
    published = results.published_scores(model, "test")
    rows: list[list[str | Cell]] = []
    for head in heads(scores["official"]):
        rows.append([f"n, {head.images}", "", Cell(DASH, "not stated"), *(f"{s.count(head.counted):,}" for s in scores.values())])
        for metric in head.metrics:
            rows.append(
                [
                    f"{metric.name} (`{metric.key}`)",
                    "yes" if metric.key in published else "",
                    published_cell(published, metric),
                    *(measured(s, metric) for s in scores.values()),
                ]
            )
        if "hd95_undefined" in scores["official"]:
            rows.append(
                [
                    "HD95 not defined, images", "", Cell(DASH, NOT_PUBLISHED),
                    *(f"{s.count('hd95_undefined'):,}" for s in scores.values()),
                ]
            )  # fmt: skip
    header = ["metric", "like for like", "published", *(f"ours, {subset}" for subset in scores)]
    caption = (
        f"`{model}` on the subsets of the test images, beside the published figures; 95 % intervals in brackets. "
        "Only rows marked like for like average as the study does."
    )
    return Table(caption, header, rows, left=2)


def validation_results(results: Results) -> Table:
    rows = []
    for model in results.models:
        scores = results.metrics.record(model).record("validation")
        published = results.published_scores(model, "validation")
        for head in heads(scores):
            for metric in head.metrics[:2]:
                rows.append(
                    [
                        model, metric.name, f"{scores.count(head.counted):,}",
                        published_cell(published, metric), measured(scores, metric),
                    ]
                )  # fmt: skip
    caption = "The validation images, not augmented here and augmented in the study, so no row is like for like."
    return Table(caption, ["model", "metric", "n", "published", "ours"], rows, left=2)


def class_mix(results: Results) -> Table:
    """How many images of each class a subset holds; beside it what the other mix does to the mean."""
    model = results.masks()[0]
    rows = []
    for subset, scores in results.subsets(model).items():
        classes = scores.record("by_class").records()
        pairs = scores.count("n_pairs")
        rows.append(
            [
                subset,
                f"{scores.count('n_images'):,}",
                *(_share(classes[label].count("n"), pairs) for label in classes),
                f"{scores.record('false_alarms').count('n'):,}",
            ]
        )
    labels = results.subsets(model)["official"].record("by_class").keys
    header = ["subset", "images", *labels, "healthy"]
    return Table("Test images by subset and class: count, and share of the tumour slices in %.", header, rows)


def class_weighted(results: Results) -> Table:
    rows = []
    for model in results.masks():
        scores = results.subsets(model)
        weighted = {s: r.record("class_weighted").number("dice_per_image") for s, r in scores.items()}
        plain = {s: r.number("dice_per_image") for s, r in scores.items()}
        for name, means in (("as it is", plain), ("in the official mix", weighted)):
            rows.append([model, name, *(shown(mean, percent, "a class has no images here") for mean in means.values())])
    header = ["model", "class mix", *results.subsets(results.masks()[0])]
    caption = (
        "Mean per-image Dice in %, over each subset as it is and with the classes weighted as in the official test set, "
        "which removes the difference in class mix from the comparison."
    )
    return Table(caption, header, rows, left=2)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({coarse_percent(part / whole)})" if whole > 0 else f"{part:,}"


# ----------------------------------------------------------------------------------------------------------------- errors


def strata(results: Results, model: str, key: str, name: str) -> Table:
    """Per-image Dice of one model by class, plane, both, or tumour size: `key` names the block of metrics.json."""
    scores = results.subsets(model)
    blocks = {subset: record.record(key).records() for subset, record in scores.items()}
    rows = []
    for stratum in blocks["official"]:
        row: list[str | Cell] = [stratum]
        for block in blocks.values():
            record = block[stratum]
            row += [
                f"{record.count('n'):,}",
                with_interval(
                    record.number("dice_per_image"), record.number("low"), record.number("high"), coarse_percent, NO_IMAGES
                ),
            ]  # fmt: skip
        official = blocks["official"][stratum]
        row += [
            shown(official.number("hd95_px"), tenth, NO_BOUNDARY),
            f"{official.count('hd95_undefined'):,}",
        ]
        rows.append(row)
    header = [name]
    for subset in blocks:
        header += [f"n {subset}", f"Dice {subset}"]
    header += ["HD95 official, px", "not defined"]
    caption = (
        f"`{model}` by {name}: mean per-image Dice in % with its 95 % interval, and HD95 with the number of official "
        "test images for which it is not defined."
    )
    return Table(caption, header, rows)


def false_alarms(results: Results) -> Table:
    """Healthy slices in which a model that draws tumours draws one."""
    rows = []
    for model in results.masks():
        validation = results.metrics.record(model).record("validation")
        for subset, scores in {**results.subsets(model), "validation": validation}.items():
            alarms = scores.record("false_alarms")
            rows.append(
                [
                    model, subset, f"{alarms.count('n'):,}", f"{alarms.count('images'):,}", rate(alarms),
                    shown(alarms.number("mean_pixels"), tenth, "no healthy slices"),
                ]
            )  # fmt: skip
    header = ["model", "subset", "healthy slices", "with a false alarm", "rate, %", "mean false tumour, px"]
    caption = (
        "Healthy slices in which at least one pixel is called tumour, with the 95 % interval of the rate (Wilson); the "
        "mean is over all healthy slices."
    )
    return Table(caption, header, rows, left=2)


def official_tumours(results: Results, model: str) -> pd.DataFrame:
    """The rows of per_image.csv behind the official Dice of `model`."""
    rows = results.per_image
    labels = results.subsets(model)["official"].record("by_class").keys
    return rows[(rows["model"] == model) & (rows["official"] == 1) & rows["label"].isin(labels)]


def worst_cases(results: Results, model: str, *, rows: int) -> Table:
    """The lowest Dice; among equals the largest tumour first, whose loss weighs most."""
    tumours = official_tumours(results, model).assign(size=lambda t: -t["true_pixels"])
    worst = tumours.sort_values(["dice", "size", "id"]).head(rows)
    cells = [
        [
            f"`{row['id']}`", row["label"], row["plane"], "yes" if row["clean"] == 1 else "no", coarse_percent(row["dice"]),
            thousands(row["true_pixels"]), thousands(row["predicted_pixels"]),
        ]
        for row in worst.to_dict("records")
    ]  # fmt: skip
    header = ["image", "class", "plane", "in clean", "Dice, %", "true tumour, px", "predicted, px"]
    caption = f"`{model}`: the {len(cells)} official test images of lowest Dice, of {len(tumours):,} with a tumour."
    return Table(caption, header, cells, left=4)


def missed(results: Results, model: str) -> Table:
    """Tumours of which no pixel was found, by class."""
    tumours = official_tumours(results, model)
    labels = results.subsets(model)["official"].record("by_class").keys
    rows = []
    for label, chosen in [*((label, tumours[tumours["label"] == label]) for label in labels), ("all", tumours)]:
        nothing = chosen["predicted_pixels"] == 0
        elsewhere = ~nothing & (chosen["intersection"] == 0)
        rows.append([label, f"{len(chosen):,}", f"{nothing.sum():,}", f"{elsewhere.sum():,}"])
    header = ["class", "tumour slices", "nothing predicted", "predicted elsewhere only"]
    return Table(f"`{model}`: missed tumours among the official test images.", header, rows)


# ------------------------------------------------------------------------------------------------------- training and cost


def training(results: Results) -> Table:
    rows = []
    for model in results.models:
        run = results.runs.record(model)
        counts = [f"{run.count(key):,}" for key in ("train_images", "validation_images", "epochs", "best_epoch")]
        train = run.record("train")
        rows.append([model, *counts, str(run["stopped"]), setting(train["seed"]), setting(train["precision"])])
    header = ["model", "train images", "validation images", "epochs", "best epoch", "stopped", "seed", "precision"]
    caption = "How each training ended; the weights are those of the best epoch on the validation images."
    return Table(caption, header, rows)


def cost(results: Results) -> Table:
    columns = {
        "parameters": ("parameters, million", lambda value: f"{value / 1e6:.2f}"),
        "weights_mb": ("weights, MB", tenth),
        "epochs": ("epochs", thousands),
        "images_seen": ("images seen", thousands),
        "seconds": ("training, s", thousands),
        "images_per_second": ("images/s", tenth),
        "peak_memory_mb": ("peak memory, MB", thousands),
    }
    rows = []
    for model in results.models:
        record = results.metrics.record(model).record("cost")
        device, threads = record["device"], record.number("threads")
        rows.append(
            [
                model,
                Cell(DASH, NOT_MEASURED) if device is None or threads is None else f"{device}, {threads:.0f} threads",
                *(shown(record.number(key), show, NOT_MEASURED) for key, (_, show) in columns.items()),
            ]
        )
    header = ["model", "device", *(name for name, _ in columns.values())]
    return Table("What each training cost.", header, rows, left=2)
