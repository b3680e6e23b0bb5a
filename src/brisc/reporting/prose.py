"""Sentences made of numbers. What an interval does not tell apart is said not to be told apart."""

from brisc.reporting import tables
from brisc.reporting.cells import coarse_percent, percent, signed_points, thousands
from brisc.reporting.provenance import deviations
from brisc.reporting.results import Record, Results
from brisc.reporting.tables import HEADS, Head


def answer(results: Results, model: str) -> list[str]:
    """What the first screen says of one model, a sentence or two for each question."""
    sentences = []
    for head in tables.heads(results.subsets(model)["official"]):
        sentences += [against_published(results, model, head), over_subsets(results, model, head)]
    if model in results.masks():
        sentences.append(errors(results, model))
    return [*sentences, cost(results.metrics.record(model).record("cost"))]


def against_published(results: Results, model: str, head: Head) -> str:
    official = results.subsets(model)["official"]
    published = results.published_scores(model, "test")
    ours = official.number(head.compared)
    n = f"n = {official.count(head.counted):,} {head.images}"
    if ours is None:
        return f"**Against the study.** `{head.compared}` is not defined on the official test set ({n})."
    start = f"**Against the study.** `{head.compared}` on the official test set is **{percent(ours)} %** ({n})"
    if head.compared not in published:
        return f"{start}; nothing was published for this model with this definition."
    theirs = published.number(head.compared)
    if theirs is None:
        return f"{start}; nothing was published for this model with this definition."
    if results.phantom:
        return f"{start}. The published {percent(theirs)} % is for patients' slices, so phantoms are not compared with it."
    differing = len(deviations(results).rows)
    return (
        f"{start}; the published figure is {percent(theirs)} %. {compare(official, head, ours, theirs)} Settings that differ "
        f"from the study's: {differing or 'none'}."
    )


def compare(official: Record, head: Head, ours: float, theirs: float) -> str:
    """Where the published figure lies: by the interval of the same average or, failing that, with another's as a yardstick."""
    difference = f"Ours is {_apart(ours - theirs, 'the published figure')}"
    interval = _interval(official, head.compared)
    if interval is not None:
        low, high = interval
        span = f"our 95 % interval, {percent(low)} to {percent(high)} %"
        if low <= theirs <= high:
            return f"{difference}, and the published figure lies within {span}: the two cannot be told apart by it."
        return f"{difference}, and the published figure lies outside {span}. {_ONE_SEED}"
    yardstick, mean = _interval(official, head.followed), official.number(head.followed)
    if yardstick is None or mean is None:
        return f"{difference}. Neither has an interval, so whether this is more than chance is not known."
    reach = max(mean - yardstick[0], yardstick[1] - mean)
    start = (
        f"{difference}. Neither of these two averages has an interval; as a yardstick, the 95 % interval of "
        f"`{head.followed}` on the same images reaches {percent(reach)} points from its mean"
    )
    if abs(ours - theirs) <= reach:
        return f"{start}, so a difference of this size cannot be told from the chance in which images are tested."
    return f"{start}, so the chance in which images are tested does not explain a difference of this size. {_ONE_SEED}"


_ONE_SEED = "One seed was trained; how far seeds differ is not part of any of these intervals."


def over_subsets(results: Results, model: str, head: Head) -> str:
    """What happens to the followed metric when test images that are also in train are left out."""
    scores = results.subsets(model)
    start = f"**Without copies.** `{head.followed}` is {_measured(scores['official'], head)} on official"
    if "clean" not in scores:
        return f"{start}; the clean subset was not evaluated."
    start += f" and **{_measured(scores['clean'], head)}** on clean, which holds no test image whose slice is also in train"
    official, clean = scores["official"].number(head.followed), scores["clean"].number(head.followed)
    if official is None or clean is None:
        return f"{start}; the gap is not defined."
    text = f"{start}: a gap of **{signed_points(clean - official)} points**. "
    interval = _interval(scores["clean"], head.followed)
    if interval is None:
        text += "Without an interval on clean, whether this is more than chance is not known."
    elif interval[0] <= official <= interval[1]:
        text += "The official mean lies within the interval of clean: the two cannot be told apart by it."
    else:
        side = "above" if official > interval[1] else "below"
        text += f"The official mean lies {side} the interval of clean."
    if head is HEADS["mask"]:
        weighted = scores["clean"].record("class_weighted").number(head.followed)
        if weighted is not None:
            text += (
                f" With the classes mixed as in official, clean has {percent(weighted)} %, a gap of "
                f"{signed_points(weighted - official)} points."
            )
    return text


def errors(results: Results, model: str) -> str:
    """Healthy slices in which a tumour is seen, and tumours that are not."""
    alarms = results.subsets(model)["official"].record("false_alarms")
    tumours = tables.official_tumours(results, model)
    lost = int((tumours["intersection"] == 0).sum())
    text = f"**Errors.** {lost:,} of {len(tumours):,} tumours {'is' if lost == 1 else 'are'} missed altogether. "
    n, share = alarms.count("n"), alarms.number("rate")
    if share is None:
        return f"{text}There are no healthy official test slices, so false alarms cannot be counted."
    text += f"A tumour is seen in {alarms.count('images'):,} of {n:,} healthy slices ({coarse_percent(share)} %"
    low, high = alarms.number("low"), alarms.number("high")
    if low is not None and high is not None:
        text += f", 95 % interval {coarse_percent(low)} to {coarse_percent(high)} %"
    return f"{text}); no mean Dice shows these."


def cost(cost: Record) -> str:
    parameters, seen, epochs = cost.number("parameters"), cost.number("images_seen"), cost.number("epochs")
    text = "**Cost.** "
    if parameters is not None:
        text += f"{parameters / 1e6:.2f} million parameters; "
    if epochs is not None and seen is not None:
        text += f"{thousands(epochs)} epoch{'' if epochs == 1 else 's'}, {thousands(seen)} images seen; "
    seconds = cost.number("seconds")
    if seconds is None:
        return f"{text}time and memory are not measured in this profile."
    speed = cost.number("images_per_second")
    rate = f", {speed:.1f} images/s" if speed is not None else ""
    return f"{text}{duration(seconds)} on {cost['device']}, {cost.count('threads')} threads{rate}."


def findings(results: Results) -> str:
    """What validate found in the files beside their number."""
    checks = results.validation
    sizes = checks.record("sizes")
    common = ", ".join(f"{size} px ({count:,})" for size, count in sizes.record("most_common").content.items())
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
    pairs = {kind: record.count("pairs") for kind, record in results.audit.record("conflicts").records().items()}
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
            text + "For the models trained here it is part of the gap between `official` and `clean`, beside what else differs."
        )
    return f"{text}The models here were trained without copies of test images, so their `official` figures owe nothing to it."


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _measured(scores: Record, head: Head) -> str:
    value, interval = scores.number(head.followed), _interval(scores, head.followed)
    n = f"n = {scores.count(head.counted):,}"
    if value is None:
        return f"not defined ({n})"
    if interval is None:
        return f"{percent(value)} % ({n}, no interval)"
    return f"{percent(value)} % ({n}, 95 % interval {percent(interval[0])} to {percent(interval[1])})"


def _interval(scores: Record, key: str) -> tuple[float, float] | None:
    if f"{key}_low" not in scores:
        return None
    low, high = scores.number(f"{key}_low"), scores.number(f"{key}_high")
    return None if low is None or high is None else (low, high)


def _apart(difference: float, other: str) -> str:
    size = percent(abs(difference))
    if size == "0.00":
        return f"equal to {other} to two decimals"
    return f"{size} points {'above' if difference > 0 else 'below'} {other}"
