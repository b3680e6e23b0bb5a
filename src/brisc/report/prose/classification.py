"""The third question: which net names the class best?"""

from brisc.analysis.results import Results
from brisc.report.cells import coarse_percent
from brisc.report.heads import HEADS
from brisc.report.prose.scores import baseline, best, gap
from brisc.report.words import number_of, span

LABEL = HEADS["label"]


def answer(results: Results) -> list[str]:
    if not results.labels():
        return ["No model of this report names the class, so this question is left out."]
    said = [best(results, LABEL), gap(results, [LABEL]), _confusions(results), _calibration(results)]
    return [
        *said,
        *baseline(
            results, LABEL, "nearest_class", "accuracy", "Taking the class of the most similar train slice"
        ),
    ]


def _confusions(results: Results) -> str:
    """The confusion that most mistakes are, over all models."""
    counts: dict[tuple[str, str], int] = {}
    for model in results.labels():
        for true, row in results.subsets(model)["official"].record("confusion").records().items():
            for said in row.keys:
                if said != true:
                    counts[true, said] = counts.get((true, said), 0) + row.count(said)
    total = sum(counts.values())
    if total == 0:
        return "No official test image is given a wrong class."
    (true, said), most = max(sorted(counts.items()), key=lambda item: item[1])
    models = number_of(len(results.labels()), "model")
    return f"Of {number_of(total, 'mistake')} on official by {models}, {most:,} call {true} {said}, the most common confusion."


def _calibration(results: Results) -> str:
    official = [results.subsets(model)["official"] for model in results.labels()]
    before, after = ([scores.number(key) for scores in official] for key in ("ece", "ece_scaled"))
    temperatures = [results.metrics.record(model).number("temperature") for model in results.labels()]
    sure = sum(value is not None and value > 1 for value in temperatures)
    return (
        f"The calibration error (ECE) on official is {span(before, coarse_percent)} % as trained and "
        f"{span(after, coarse_percent)} % after one temperature fitted on validation; {sure} of "
        f"{number_of(len(temperatures), 'model')} {'was' if sure == 1 else 'were'} too sure (temperature above 1)."
    )
