"""Which classes are confused, and whether the models are as sure as they may be."""

from dataclasses import dataclass

from brisc.analysis.findings.scores import Span, span_of
from brisc.analysis.results import Results


@dataclass(frozen=True)
class Confusion:
    """Over all models on official: the mistakes, and the most common one (true class, predicted one)."""

    mistakes: int
    models: int
    most: int
    true: str
    predicted: str


@dataclass(frozen=True)
class Calibration:
    """The calibration error on official before and after temperature scaling, for how many models it is
    lower after it, and how many have a temperature above 1."""

    before: Span | None
    after: Span | None
    lower: int
    overconfident: int
    models: int


def confusion(results: Results) -> Confusion:
    counts: dict[tuple[str, str], int] = {}
    for model in results.labels():
        for true, row in results.subsets(model)["official"].record("confusion").records().items():
            for predicted in (label for label in row.keys if label != true):
                counts[true, predicted] = counts.get((true, predicted), 0) + row.count(predicted)
    (true, predicted), most = max(sorted(counts.items()), key=lambda item: item[1])
    return Confusion(sum(counts.values()), len(results.labels()), most, true, predicted)


def calibration(results: Results) -> Calibration:
    official = [results.subsets(model)["official"] for model in results.labels()]
    errors = [[scores.number(key) for scores in official] for key in ("ece", "ece_scaled")]
    before, after = map(span_of, errors)
    lower = sum(None not in pair and pair[1] < pair[0] for pair in zip(*errors, strict=True))
    temperatures = [results.metrics.record(model).number("temperature") for model in results.labels()]
    above = sum(value is not None and value > 1 for value in temperatures)
    return Calibration(before, after, lower, above, len(temperatures))
