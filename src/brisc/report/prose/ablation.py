"""The seventh question: which knobs of training help?"""

from brisc.analysis.results import Record, Results
from brisc.report.cells import percent, signed_points
from brisc.report.words import MEASURES, joined, number_of, recipe_name


def answer(results: Results) -> list[str]:
    if results.ablation is None:
        return ["No recipes of training were compared in this profile, so this question is left out."]
    ablation = results.ablation
    first, *others = ablation.listed("rows")
    size = f"`{ablation['model']}`, {number_of(ablation.count('epochs'), 'epoch')} each"
    score = first.number("score")
    if score is None:
        return [
            f"The recipe that the others are held against, {recipe_name(first)} ({size}), diverged in its first epoch."
        ]
    answers = [
        f"The recipe {recipe_name(first)} ({size}) reaches a validation {MEASURES[ablation['measure']]} of "
        f"**{percent(score)} %** (n = {ablation.count('images'):,})."
    ]
    for verdict, said in (
        ("better", "Better than it"),
        ("worse", "Worse"),
        ("cannot be told", "Not told apart from it"),
    ):
        if found := [row for row in others if row["verdict"] == verdict]:
            answers.append(f"{said}: {joined([_apart(row) for row in found])}.")
    if lost := list(dict.fromkeys(row["recipe"] for row in others if row.number("score") is None)):
        answers.append(f"{joined(lost)} diverged in the first epoch.")
    return [
        *answers,
        f"One training each: another seed could change the order.{_other_length(results, ablation)}",
    ]


def _other_length(results: Results, ablation: Record) -> str:
    """A short training has less time to overfit, so it can make augmentation look worse than it is."""
    model = ablation["model"]
    if model not in results.runs:
        return ""
    epochs = results.runs.record(model).record("run").count("epochs")
    if epochs == ablation.count("epochs"):
        return ""
    return f" `{model}` itself had up to {number_of(epochs, 'epoch')}: which recipe helps may change with the length."


def _apart(row: Record) -> str:
    difference = row.number("difference")
    return f"{recipe_name(row)} ({signed_points(difference or 0)} points)"
