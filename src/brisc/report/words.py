"""How numbers and tests are put into words. What a test does not tell apart is said not to be told apart."""

from collections.abc import Callable, Iterable, Sequence

from brisc.analysis.results import Record
from brisc.report.cells import in_words, percent
from brisc.report.heads import Head

# What the score of a training on validation is.
MEASURES = {"dice": "Dice", "accuracy": "accuracy", "score": "score (mean of Dice and accuracy)"}


def recipe_name(row: Record) -> str:
    """A row of ablation.json: the recipe, and whether the prediction is the mean over flips."""
    return f"{row['recipe']} with flips" if row["flips"] else str(row["recipe"])


def named(models: Iterable[str]) -> str:
    """`a`, `b` and `c`."""
    return joined([f"`{model}`" for model in models])


def joined(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part) if words else "none"


def number_of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def span(values: Iterable[float | None], show: Callable[[float], str]) -> str:
    """The smallest to the largest of the values that are known; one value where they are shown alike."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "not defined"
    low, high = show(known[0]), show(known[-1])
    return low if low == high else f"{low} to {high}"


def interval(scores: Record, key: str) -> tuple[float, float] | None:
    if f"{key}_low" not in scores:
        return None
    low, high = scores.number(f"{key}_low"), scores.number(f"{key}_high")
    return None if low is None or high is None else (low, high)


def measured(scores: Record, head: Head) -> str:
    """The followed metric with what it was measured on: "77.48 % (n = 860, 95 % interval 75.46 to 79.42)"."""
    value, bounds = scores.number(head.followed), interval(scores, head.followed)
    n = f"n = {scores.count(head.counted):,}"
    if value is None:
        return f"not defined ({n})"
    if bounds is None:
        return f"{percent(value)} % ({n}, no interval)"
    return f"{percent(value)} % ({n}, 95 % interval {percent(bounds[0])} to {percent(bounds[1])})"


def apart(difference: float, other: str) -> str:
    size = percent(abs(difference))
    if size == "0.00":
        return f"equal to {other} to two decimals"
    return f"{size} points {'above' if difference > 0 else 'below'} {other}"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f}"


def equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def knobs(run: Record) -> str:
    """The settings of one training that a reader asks for first."""
    optimizer = run.record("optimizer")
    arch = run.record("model").content
    width = ", ".join(
        f"{in_words(key)} {value}"
        for key, value in arch.items()
        if key in ("base_channels", "width_multiplier", "growth_rate")
    )
    rate = optimizer.number("learning_rate")
    text = f"{optimizer['name']} at a rate of {0 if rate is None else rate:g}, at most {run.count('epochs')} epochs"
    return f"{text}, {width}" if width else text
