"""Sentences on the data: what validate and the audit found, and what it means for a figure on the official
test set."""

from brisc.analysis.results import Results
from brisc.report.cells import coarse_percent


def findings(results: Results) -> str:
    """What validate found in the files beside their number."""
    checks = results.validation
    sizes = checks.record("sizes")
    common = ", ".join(
        f"{size} px ({count:,})" for size, count in sizes.record("most_common").content.items()
    )
    modes = ", ".join(f"{mode} {count:,}" for mode, count in checks.record("modes").content.items())
    turned = {
        label: sum(n for tag, n in tags.content.items() if tag != "1")
        for label, tags in checks.record("orientations").records().items()
    }
    tags = ", ".join(f"{n:,} of class {label}" for label, n in turned.items() if n > 0)
    low, high = checks.record("mask_values").record("low"), checks.record("mask_values").record("high")
    lines = [
        f"Sizes: {sizes.count('distinct'):,} different ones; the most common are {common}.",
        f"Colour modes: {modes}. All are read as grey.",
        f"Images with an EXIF tag that turns them: {tags or 'none'}.",
    ]
    if low.number("max") is not None and high.number("min") is not None:
        spans = [f"from {values.count('min')} to {values.count('max')}" for values in (low, high)]
        lines.append(f"Masks hold values {' and '.join(spans)}.")
    problems = checks["problems"]
    lines.append(f"Rules broken: {len(problems) or 'none'}.")
    return "\n".join(f"- {line}" for line in lines)


def conflicts(results: Results) -> str:
    """How many copies disagree about what they show; "" without an audit that looked for it."""
    if results.audit is None or "conflicts" not in results.audit:
        return ""
    pairs = {
        kind: record.count("pairs") for kind, record in results.audit.record("conflicts").records().items()
    }
    found = " and ".join(f"{count:,} of a different {kind}" for kind, count in pairs.items())
    return f"Among the copies, in either half, are pairs that disagree: {found}; audit.json lists them."


def copies(results: Results) -> str:
    """The first screen's sentence on the data itself."""
    if results.audit is None:
        return "No audit was run: copies of test images in train were not looked for."
    total = results.audit.record("test_with_copy_in_train").count("total")
    images = results.audit.record("subsets").record("official").count("total")
    share = f" ({coarse_percent(total / images)} %)" if images > 0 else ""
    return f"Of {images:,} test images we found {total:,}{share} whose slice is also in train."


def split(results: Results) -> str:
    """How validation was drawn in this run, and whether train still holds what is in test."""
    prepare = results.provenance.record("prepare")
    drawn = {
        "grouped": "Validation was drawn by groups of similar slices, so that no validation image has its copy or neighbour in "
        "the training part.",
        "random": "Validation was drawn at random, as in the study, so that copies and neighbours lie on both sides.",
    }[prepare["split"]]
    pruned = {
        "none": "Train was kept as published, copies of test images included; `clean` and `strict` leave them out of test.",
        "copies": "Copies of test images were left out of training, so that `official` is free of them as well.",
        "neighbours": "Copies and neighbours of test images were left out of training, so that `official` is free of them too.",
    }[prepare["prune"]]
    return f"{drawn} {pruned}"


def meaning(results: Results) -> str:
    """What copies in train do to a figure on the official test set, as far as it can be known from here."""
    if results.phantom:
        return "The copies among phantoms were planted, to show what the audit finds; no figure is published for them."
    total = results.audit.record("test_with_copy_in_train").count("total") if results.audit is not None else 0
    text = (
        f"The published figures are averages over all official test images, these {total:,} included, and so are ours on "
        "`official`. A model can do better on a slice it was trained on, as it is or mirrored, than on one of a new patient. How "
        "much of a published figure is due to this cannot be read off the figure. "
    )
    if results.provenance.record("prepare")["prune"] == "none":
        return (
            text
            + "For the models trained here it is part of the gap between `official` and `clean`, beside what else differs."
        )
    return f"{text}The models here were trained without copies of test images, so their `official` figures owe nothing to it."
