"""Tables of scores: the first screen's, one model's, and what a subset's class mix does to a mean."""

from brisc.analysis.findings.scores import FEW, in_the_mix
from brisc.analysis.results import Record, Results
from brisc.analysis.standing import tiers
from brisc.report.cells import (
    DASH,
    NO_IMAGES,
    NOT_PUBLISHED,
    Cell,
    Table,
    coarse_percent,
    percent,
    shown,
    signed_points,
    with_interval,
)
from brisc.report.heads import DISPLAYS, Metric
from brisc.vocabulary import HEADS, TEST_SUBSETS, Head


def measured(scores: Record, metric: Metric) -> str | Cell:
    """The metric, with its interval where the file has one."""
    if metric.absent is not None and metric.key not in scores:
        return Cell(DASH, metric.absent)
    value = scores.number(metric.key)
    if f"{metric.key}_low" not in scores:
        return shown(value, metric.show, metric.undefined)
    low, high = (scores.number(f"{metric.key}_{end}") for end in ("low", "high"))
    return with_interval(value, low, high, metric.show, metric.undefined)


def headline(results: Results, head: Head) -> Table:
    """One row for each model with that head, in the order in which params.yaml lists them: what the first
    screen shows."""
    display = DISPLAYS[head.name]
    published, primary = display.metric(head.published), display.metric(head.primary)
    models = results.with_head(head)
    healthy = all("false_alarms" in results.subsets(model)["official"] for model in models)
    rows = []
    for model in models:
        scores = results.subsets(model)
        row = [f"`{model}`", published_cell(results.published_scores(model, "test"), published)]
        if published is not primary:
            row.append(measured(scores["official"], published))
        for name in TEST_SUBSETS:
            row += [measured(scores[name], primary), letters(results, head, name, model)]
        if healthy:
            row.append(rate(scores["official"].record("false_alarms")))
        rows.append(row)
    header = ["model", f"published `{published.key}`"]
    header += [f"official `{published.key}`"] if published is not primary else []
    for name in TEST_SUBSETS:
        header += [f"{name} `{primary.key}`", "letters"]
    header += ["false positives"] if healthy else []
    return Table(f"{display.task.capitalize()} on the test images, in %.", header, rows)


def letters(results: Results, head: Head, subset: str, model: str) -> str:
    return tiers(results, head, subset).letters(model)


def published_cell(published: Record, metric: Metric) -> str | Cell:
    return shown(published.optional(metric.key), metric.show, NOT_PUBLISHED)


def rate(found: Record) -> str | Cell:
    low, high = found.number("low"), found.number("high")
    return with_interval(found.number("rate"), low, high, coarse_percent, "no healthy slices")


def model_results(results: Results, model: str) -> Table:
    """Published and own figures of one model, a row for each metric."""
    scores = results.subsets(model)
    rows = [row for head in results.heads(model) for row in _head_results(results, model, head)]
    header = ["metric", "like for like", "published", *(f"ours, {subset}" for subset in scores)]
    return Table(f"`{model}` on the subsets of the test images.", header, rows, left=2)


def _head_results(results: Results, model: str, head: Head) -> list[list[str | Cell]]:
    scores, published = results.subsets(model), results.published_scores(model, "test")
    display = DISPLAYS[head.name]
    counts = [f"{record.count(head.images):,}" for record in scores.values()]
    rows: list[list[str | Cell]] = [[f"n, {display.images}", "", Cell(DASH, "not stated"), *counts]]
    for metric in display.metrics:
        values = [measured(record, metric) for record in scores.values()]
        like_for_like = "yes" if metric.key in published else ""
        name = f"{metric.name} (`{metric.key}`)"
        rows.append([name, like_for_like, published_cell(published, metric), *values])
    if head.name == "mask" and "hd95_undefined" in scores["official"]:
        counts = [f"{record.count('hd95_undefined'):,}" for record in scores.values()]
        rows.append(["HD95 not defined, images", "", Cell(DASH, NOT_PUBLISHED), *counts])
    return rows


def validation_results(results: Results) -> Table:
    rows: list[list[str | Cell]] = []
    for model in results.models:
        scores = results.metrics.record(model).record("validation")
        published = results.published_scores(model, "validation")
        for head in results.heads(model):
            display = DISPLAYS[head.name]
            for metric in (display.metric(key) for key in display.shown):
                n = f"{scores.count(head.images):,}"
                theirs, ours = published_cell(published, metric), measured(scores, metric)
                rows.append([f"`{model}`", metric.name, n, theirs, ours])
    return Table("The validation images.", ["model", "metric", "n", "published", "ours"], rows, left=2)


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
    return Table("Test images by subset and class.", header, rows)


def class_weighted(results: Results) -> Table:
    """What leaving out the copies does to the mean Dice, as it is and with the classes mixed as in
    official."""
    rows = []
    for model in results.masks():
        scores = results.subsets(model)
        weighted = {s: in_the_mix(r, HEADS["mask"]) for s, r in scores.items()}
        plain = {s: r.number("dice_per_image") for s, r in scores.items()}
        for name, means, reason in (
            ("as it is", plain, NO_IMAGES),
            ("in the official mix", weighted, f"a class has fewer than {FEW} images here"),
        ):
            row = [f"`{model}`", name, *(shown(mean, percent, reason) for mean in means.values())]
            official, clean = means["official"], means["clean"]
            gap = None if official is None or clean is None else clean - official
            row.append(shown(gap, signed_points, "one of the two is missing"))
            rows.append(row)
    subsets = tuple(results.subsets(results.masks()[0]))
    header = [
        "model",
        "class mix",
        *subsets,
        *(["clean less official, points"] if "clean" in subsets else []),
    ]
    return Table("Mean per-image Dice in % by class mix.", header, rows, left=2)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({coarse_percent(part / whole)})" if whole > 0 else f"{part:,}"
