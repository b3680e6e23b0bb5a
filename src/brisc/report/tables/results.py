"""Tables of results: the first screen's, one model's, and what a subset's class mix does to a mean."""

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import tiers
from brisc.report.cells import (
    DASH,
    NO_BOUNDARY,
    NO_IMAGES,
    NOT_EVALUATED,
    NOT_PUBLISHED,
    NOT_TESTED,
    Cell,
    Table,
    coarse_percent,
    percent,
    shown,
    signed_points,
    with_interval,
)
from brisc.report.heads import HEADS, Head, Metric
from brisc.vocabulary import TEST_SUBSETS


def measured(scores: Record, metric: Metric) -> str | Cell:
    """The metric, with its interval where the file has one."""
    value = scores.number(metric.key)
    reason = NO_BOUNDARY if metric.key == "hd95_px" else NO_IMAGES
    if f"{metric.key}_low" not in scores:
        return shown(value, metric.show, reason)
    return with_interval(
        value, scores.number(f"{metric.key}_low"), scores.number(f"{metric.key}_high"), metric.show, reason
    )


def headline(results: Results, head: Head) -> Table:
    """One row for each model with that head, in the order in which params.yaml lists them: what the first
    screen shows."""
    compared, followed = head.metric(head.compared), head.metric(head.followed)
    models = results.with_head(head)
    subsets = [name for name in TEST_SUBSETS if any(name in results.subsets(model) for model in models)]
    tested = [
        name for name in ("official", "clean") if name in subsets and tiers(results, head, name) is not None
    ]
    alarms = "false_alarms" in results.subsets(models[0])["official"]
    rows = []
    for model in models:
        scores = results.subsets(model)
        row = [f"`{model}`", published_cell(results.published_scores(model, "test"), compared)]
        if compared is not followed:
            row.append(measured(scores["official"], compared))
        for name in subsets:
            row.append(measured(scores[name], followed) if name in scores else Cell(DASH, NOT_EVALUATED))
            if name in tested:
                row.append(letters(results, head, name, model))
        if alarms:
            row.append(rate(scores["official"].record("false_alarms")))
        rows.append(row)
    header = ["model", f"published `{compared.key}`"]
    header += [f"official `{compared.key}`"] if compared is not followed else []
    for name in subsets:
        header += [f"{name} `{followed.key}`", "letters"] if name in tested else [f"{name} `{followed.key}`"]
    header += ["false alarms"] if alarms else []
    caption = f"Models that {_plural(head.does)}. Results in %, with 95 % intervals in brackets. {counts(results, head)}"
    if tested:
        caption += (
            " Letters belong to the column before them: two models that share a letter cannot be told apart on these images, "
            "whatever their means."
        )
    if alarms:
        caption += (
            " False alarms: the share of healthy official test slices in which the model sees a tumour."
        )
    return Table(caption, header, rows)


def letters(results: Results, head: Head, subset: str, model: str) -> str | Cell:
    standing = tiers(results, head, subset)
    found = standing.letters(model) if standing is not None else ""
    return found if found else Cell(DASH, NOT_TESTED)


def _plural(does: str) -> str:
    """ "draws tumours" of one model, "draw tumours" of several."""
    verb, *rest = does.split()
    return " ".join([verb.removesuffix("s"), *rest])


def counts(results: Results, head: Head) -> str:
    """How many images each subset holds; the same for all models, which are evaluated on the same ones."""
    scores = results.subsets(results.with_head(head)[0])
    return (
        f"{head.images.capitalize()}: "
        + ", ".join(f"{name} {s.count(head.counted):,}" for name, s in scores.items())
        + "."
    )


def published_cell(published: Record, metric: Metric) -> str | Cell:
    return shown(
        published.number(metric.key) if metric.key in published else None, metric.show, NOT_PUBLISHED
    )


def rate(alarms: Record) -> str | Cell:
    return with_interval(
        alarms.number("rate"),
        alarms.number("low"),
        alarms.number("high"),
        coarse_percent,
        "no healthy slices",
    )


def model_results(results: Results, model: str) -> Table:
    """Published and own figures of one model, a row for each metric."""
    scores = results.subsets(model)
    published = results.published_scores(model, "test")
    rows: list[list[str | Cell]] = []
    for head in results.heads(model):
        rows.append(
            [
                f"n, {head.images}",
                "",
                Cell(DASH, "not stated"),
                *(f"{s.count(head.counted):,}" for s in scores.values()),
            ]
        )
        for metric in head.metrics:
            rows.append(
                [
                    f"{metric.name} (`{metric.key}`)",
                    "yes" if metric.key in published else "",
                    published_cell(published, metric),
                    *(measured(s, metric) for s in scores.values()),
                ]
            )
        if "hd95_undefined" in scores["official"] and head is HEADS["mask"]:
            rows.append(
                [
                    "HD95 not defined, images",
                    "",
                    Cell(DASH, NOT_PUBLISHED),
                    *(f"{s.count('hd95_undefined'):,}" for s in scores.values()),
                ]
            )
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
        for head in results.heads(model):
            for metric in head.metrics[:2]:
                rows.append(
                    [
                        f"`{model}`",
                        metric.name,
                        f"{scores.count(head.counted):,}",
                        published_cell(published, metric),
                        measured(scores, metric),
                    ]
                )
    caption = (
        "The validation images, not augmented here and augmented in the study, so no row is like for like."
    )
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
    """What leaving out the copies does to the mean Dice, as it is and with the classes mixed as in
    official."""
    rows = []
    for model in results.masks():
        scores = results.subsets(model)
        weighted = {s: r.record("class_weighted").number("dice_per_image") for s, r in scores.items()}
        plain = {s: r.number("dice_per_image") for s, r in scores.items()}
        for name, means in (("as it is", plain), ("in the official mix", weighted)):
            row = [
                f"`{model}`",
                name,
                *(shown(mean, percent, "a class has no images here") for mean in means.values()),
            ]
            if "clean" in means:
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
    caption = (
        "Mean per-image Dice in %, over each subset as it is and with the classes weighted as in the official test set, "
        "which removes the difference in class mix from the comparison."
    )
    return Table(caption, header, rows, left=2)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({coarse_percent(part / whole)})" if whole > 0 else f"{part:,}"
