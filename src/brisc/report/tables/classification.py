"""Tables of how classes are named: per class, confusions, calibration, confident mistakes."""

from brisc.analysis.results import Record, Results
from brisc.report.cells import (
    DASH,
    NO_IMAGES,
    NOT_PUBLISHED,
    Cell,
    Table,
    coarse_percent,
    decimals3,
    percent,
    shown,
    with_interval,
)

NOT_PREDICTED = "the class was never predicted"
ONE_CLASS = "only one class has images here"


def per_class(results: Results) -> Table:
    """Precision, recall, F1 and AUROC of each class, beside the published F1."""
    rows = []
    for model in results.labels():
        scores = results.subsets(model)
        published = results.published_model(model)
        theirs = published.record("f1_by_class") if "f1_by_class" in published else None
        for label, official in scores["official"].record("by_label").records().items():
            row: list[str | Cell] = [
                f"`{model}`",
                label,
                f"{official.count('n'):,}",
                shown(official.number("precision"), coarse_percent, NOT_PREDICTED),
                shown(official.number("recall"), coarse_percent, NO_IMAGES),
                Cell(DASH, NOT_PUBLISHED) if theirs is None else _tenth(theirs.number(label)),
                _f1(official),
                shown(official.number("auroc"), decimals3, ONE_CLASS),
            ]
            clean = scores["clean"].record("by_label").record(label)
            rows.append([*row, f"{clean.count('n'):,}", _f1(clean)])
    header = ["model", "class", "n official", "precision", "recall", "published F1", "F1", "AUROC"]
    header += ["n clean", "F1 clean"]
    return Table("Classification by class.", header, rows, left=2)


def _f1(scores: Record) -> str | Cell:
    if "f1_low" not in scores:
        return shown(scores.number("f1"), coarse_percent, NO_IMAGES)
    return with_interval(
        scores.number("f1"), scores.number("f1_low"), scores.number("f1_high"), coarse_percent, NO_IMAGES
    )


def _tenth(percents: float | None) -> str | Cell:
    return Cell(DASH, NOT_PUBLISHED) if percents is None else f"{percents:.1f}"


def confusion(results: Results) -> Table:
    """Counts of the official test images, true class down, predicted class across."""
    rows = []
    for model in results.labels():
        counts = results.subsets(model)["official"].record("confusion").records()
        for label, row in counts.items():
            rows.append([f"`{model}`", label, *(f"{row.count(other):,}" for other in counts)])
    classes = results.subsets(results.labels()[0])["official"].record("confusion").keys
    header = ["model", "true class", *(f"predicted {label}" for label in classes)]
    return Table("Official test images by true and predicted class.", header, rows, left=2)


def calibration(results: Results) -> Table:
    """How far confidence is from accuracy, as trained and after one temperature fitted on validation."""
    rows = []
    for model in results.labels():
        temperature = results.metrics.record(model).number("temperature")
        validation = results.metrics.record(model).record("validation")
        for subset, scores in {**results.subsets(model), "validation": validation}.items():
            rows.append(
                [
                    f"`{model}`",
                    subset,
                    f"{scores.count('n_images'):,}",
                    shown(scores.number("accuracy"), percent, NO_IMAGES),
                    shown(scores.number("ece"), percent, NO_IMAGES),
                    shown(scores.number("ece_scaled"), percent, NO_IMAGES),
                    shown(temperature, decimals3, "no temperature was fitted"),
                ]
            )
    header = ["model", "subset", "n", "accuracy, %", "ECE, %", "ECE scaled, %", "temperature"]
    return Table("Expected calibration error (ECE).", header, rows, left=2)


def confident_mistakes(results: Results, *, rows: int) -> Table:
    """The official test images that the models are most sure to be of another class, by the mean over the
    models."""
    models = results.labels()
    first = results.per_image[models[0]]
    official = first[first["official"] == 1].set_index("id")
    wrong, said = {}, {}
    for model in models:
        table = results.per_image[model].set_index("id").loc[official.index]
        true = [table[f"p_{label}"].iloc[i] for i, label in enumerate(table["label"])]
        wrong[model] = [1 - p for p in true]
        said[model] = table["predicted"]
    order = official.assign(
        mean=[sum(values) / len(models) for values in zip(*wrong.values(), strict=True)]
    ).reset_index()
    hard = order.sort_values(["mean", "id"], ascending=[False, True]).head(rows)
    cells = [
        [
            f"`{row['id']}`",
            row["label"],
            row["plane"],
            "yes" if row["clean"] == 1 else "no",
            *(said[model][row["id"]] for model in models),
            coarse_percent(row["mean"]),
        ]
        for row in hard.to_dict("records")
    ]
    header = [
        "image",
        "true class",
        "plane",
        "in clean",
        *(f"`{model}` predicts" for model in models),
        "probability of other classes, %",
    ]
    caption = f"Confident mistakes: {len(cells)} of the {len(official):,} official test images."
    return Table(caption, header, cells, left=4 + len(models))
