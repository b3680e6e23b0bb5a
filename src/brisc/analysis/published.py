"""Every figure that the study published, read from published.json as a list of claims."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from brisc.analysis.results import Record
from brisc.errors import InputError
from brisc.vocabulary import HEADS, VALIDATION

# The metrics that can be published and the head that each measures.
MEASURED_HEAD = {
    "dice_study": "mask",
    "dice_per_image": "mask",
    "dice_native": "mask",
    "iou_per_image": "mask",
    "iou_study": "mask",
    "pixel_accuracy": "mask",
    "accuracy": "label",
    "f1_macro": "label",
    "f1_weighted": "label",
    "f1": "label",  # of one class
}
TOPICS = {"mask": "segmentation", "label": "classification"}


@dataclass(frozen=True)
class Claim:
    """A published figure. figure: its kind, a key of claims.TABLE; about: of which model, metric, cell, ...;
    published: scores and their differences are fractions, known to `digits` decimals of a percent."""

    topic: str
    figure: str
    published: Any
    about: Mapping[str, Any]
    digits: int = 2


def published_claims(published: Record) -> list[Claim]:
    models, grid = published.record("models").records(), published.record("grid")
    return [
        *_counts(published.record("data")),
        *_scores(models),
        *_orders(models),
        *_gaps(models),
        *_grid(grid),
        *_sizes(models),
        *_speeds(published.record("study").record("cost"), grid),
        *_others(published),
    ]


def architectures(models: Mapping[str, Any]) -> set[str]:
    """Those that the study has, as they are called here: by its models' names, and by their settings."""
    settings = [entry for known in models.values() for entry in known.get("settings", ())]
    return {*models, *(entry["value"] for entry in settings if entry["setting"] == "model.arch")}


def head_of(metric: str) -> str:
    """The name of the head that the metric measures."""
    if metric not in MEASURED_HEAD:
        raise InputError(
            f"unknown metric {metric}",
            where="published.json",
            got=metric,
            expected=", ".join(MEASURED_HEAD),
            mend="Name a metric that is measured here.",
        )
    return MEASURED_HEAD[metric]


def _counts(data: Record) -> Iterator[Claim]:
    for kind in ("images", "pairs"):
        for half in data.record(kind).keys:
            yield Claim("data", "count", data.record(kind).count(half), {"kind": kind, "half": half})


def _scores(models: Mapping[str, Record]) -> Iterator[Claim]:
    """On the test images, by class, and on validation."""
    for model, metric, value in _of_models(models, "test"):
        about = {"model": model, "metric": metric, "subset": "official"}
        yield Claim(TOPICS[head_of(metric)], "score", value / 100, about)
    for model, label, value in _of_models(models, "f1_by_class"):
        about = {"model": model, "metric": "f1", "subset": "official", "label": label}
        yield Claim(TOPICS["label"], "class_score", value / 100, about, digits=1)
    for model, metric, value in _of_models(models, "validation"):
        about = {"model": model, "metric": metric, "subset": VALIDATION}
        yield Claim(TOPICS[head_of(metric)], "validation_score", value / 100, about)


def _orders(models: Mapping[str, Record]) -> Iterator[Claim]:
    """The order of each two models of which the study published the same metric."""
    for head in HEADS.values():
        scores = [(value, model) for model, key, value in _of_models(models, "test") if key == head.published]
        ranked = sorted(scores, key=lambda score: -score[0])
        for (high, better), (low, worse) in combinations(ranked, 2):
            about = {"model": better, "other": worse, "metric": head.published, "primary": head.primary}
            yield Claim(TOPICS[head.name], "order", (high - low) / 100, about)


def _gaps(models: Mapping[str, Record]) -> Iterator[Claim]:
    """A joint net less separate ones. of: what the published figure is of."""
    for model, metric, value in _of_models(models, "against_separate"):
        about = {"model": model, "metric": metric, "of": models[model].record("gaps")[metric]}
        yield Claim("joint", "gap", value / 100, about)


def _grid(grid: Record) -> Iterator[Claim]:
    for source in ("best", "log"):
        record = grid.record(source)
        cell = {"optimizer": record["optimizer"], "learning_rate": record["learning_rate"]}
        yield Claim("grid", "best_cell", cell, {**cell, "source": source})
        dice = record.number("dice")
        if dice is not None:
            yield Claim("grid", "cell_score", dice / 100, cell)
    yield Claim("grid", "higher_rates", True, {"optimizer": grid["higher_rates"]})


def _sizes(models: Mapping[str, Record]) -> Iterator[Claim]:
    for model, key, value in _of_models(models, "cost"):
        if key == "weights_mb":
            yield Claim("cost", "size", value, {"model": model})


def _speeds(cost: Record, grid: Record) -> Iterator[Claim]:
    figures = (
        ("speed", cost.number("images_per_second"), {"model": cost["model"]}),
        ("cell_minutes", grid.number("minutes"), {"epochs": grid.count("epochs")}),
        ("hours", cost.number("gpu_hours"), {"trainings": cost.count("trainings")}),
    )
    for figure, value, about in figures:
        if value is not None:
            yield Claim("cost", figure, value, about)


def _others(published: Record) -> Iterator[Claim]:
    """What others than the study report."""
    for record in published.listed("others"):
        value = record.number("value")
        if value is not None:
            about = {key: record[key] for key in ("model", "metric", "source", "unknown")}
            yield Claim("others", "other_score", value / 100, about | {"subset": "official"})


def _of_models(models: Mapping[str, Record], block: str) -> Iterator[tuple[str, str, float]]:
    """(model, key, value) of each number in that block of a model; one that is null was not published."""
    for model, known in models.items():
        record = known.record(block) if block in known else Record({}, known.where)
        for key in record.keys:
            value = record.number(key)
            if value is not None:
                yield model, key, value
