"""How lists, spans and times are written."""

from collections.abc import Callable, Sequence

from brisc.analysis.findings import Span

# What the score of a training on validation is.
MEASURES = {"dice": "Dice", "accuracy": "accuracy", "score": "score (mean of Dice and accuracy)"}


def joined(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part) if words else "none"


def named(names: Sequence[str]) -> str:
    """`a`, `b` and `c`."""
    return joined([f"`{name}`" for name in names])


def number_of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def span(values: Span | None, show: Callable[[float], str]) -> str:
    """The smallest to the largest; one value where they are shown alike."""
    if values is None:
        return "not defined"
    low, high = show(values.low), show(values.high)
    return low if low == high else f"{low} to {high}"


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


def with_flips(run: str, flips: bool) -> str:
    """A row of recipes.json: the run, and whether the prediction is the mean over mirror images."""
    return f"`{run}` with flips" if flips else f"`{run}`"
