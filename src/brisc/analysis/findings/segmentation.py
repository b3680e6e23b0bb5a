"""What a mean Dice does not show: small tumours, missed ones, and tumours seen in healthy slices."""

from dataclasses import dataclass

from brisc.analysis.findings.scores import Span, span_of
from brisc.analysis.results import Results


@dataclass(frozen=True)
class BySize:
    size: str
    n: int
    dice: Span | None


@dataclass(frozen=True)
class Errors:
    """Counts over the models on official; false_positives: None where there is no healthy slice."""

    missed: Span
    tumours: int
    false_positives: Span | None
    healthy: int


def by_size(results: Results) -> tuple[BySize, ...]:
    """The sizes of which there is a tumour in official."""
    blocks = [results.subsets(model)["official"].record("by_size").records() for model in results.masks()]
    return tuple(
        BySize(size, first.count("n"), span_of(block[size].number("dice_per_image") for block in blocks))
        for size, first in blocks[0].items()
        if first.count("n") > 0
    )


def errors(results: Results) -> Errors:
    tumours = [results.tumours(model) for model in results.masks()]
    missed = [float((table["intersection"] == 0).sum()) for table in tumours]
    counts = [results.subsets(model)["official"].record("false_alarms") for model in results.masks()]
    healthy = counts[0].count("n")
    seen = span_of(float(record.count("images")) for record in counts) if healthy > 0 else None
    return Errors(Span(min(missed), max(missed)), len(tumours[0]), seen, healthy)
