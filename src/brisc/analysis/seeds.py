"""What trainings of one model with other seeds differ by: the spread that a test over images does not
show."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from brisc.analysis.runs import Evaluated, model_of, of_kind
from brisc.errors import InputError
from brisc.evaluation.statistics import student_interval
from brisc.vocabulary import SUBSETS

# What a spread over seeds is told of, where a net has the head.
MEASURES = ("dice_study", "dice_per_image", "accuracy", "f1_macro")

Seeds = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]]
OfMeasures = dict[str, dict[str, float]]  # by measure and seed


def by_seed(runs: Sequence[Evaluated]) -> Seeds:
    """{model: {seed: {subset: {measure: value}}}} of the models of which there are runs with other seeds."""
    by_name = {run.name: run for run in runs}
    found: dict[str, list[Evaluated]] = {}
    for run in of_kind(runs, "seed"):
        if (model := model_of(run, by_name)) in by_name:
            found.setdefault(model, [by_name[model]]).append(run)
    for again in found.values():
        seeds = [run.summary["settings"]["seed"] for run in again]
        if twice := [run.name for run, seed in zip(again, seeds, strict=True) if seeds.count(seed) > 1]:
            raise InputError(
                "two trainings of one model with the same seed",
                where="runs of params.yaml",
                got=" and ".join(twice),
                expected="another seed for each",
                mend="Take one of them out.",
            )
    return {
        model: {str(run.summary["settings"]["seed"]): _measures(run) for run in again}
        for model, again in found.items()
    }


def _measures(run: Evaluated) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: run.metrics[name][key] for key in MEASURES if key in run.metrics[name]}
        for name in SUBSETS
    }


def spread_over_seeds(seeds: Seeds) -> dict[str, Any] | None:
    """What several trainings of one model differ by, and two models over the seeds that both have; None with
    one seed each.

    A difference is taken seed by seed, since a seed also decides the order of images and their augmentation.
    Student's interval takes the differences for normal, which two or three cannot show; it is very wide,
    because they tell very little.
    """
    repeated = {model: values for model, values in seeds.items() if len(values) > 1}
    if not repeated:
        return None
    models = {
        model: {
            subset: {measure: _spread(values) for measure, values in _by_measure(by_seed, subset).items()}
            for subset in SUBSETS
        }
        for model, by_seed in repeated.items()
    }
    pairs = [
        pair
        for a, b in itertools.combinations(repeated, 2)
        for subset in SUBSETS
        for pair in _pairs(a, b, subset, _by_measure(repeated[a], subset), _by_measure(repeated[b], subset))
    ]
    return {"models": models, "pairs": pairs}


def _pairs(a: str, b: str, subset: str, first: OfMeasures, second: OfMeasures) -> Iterator[dict[str, Any]]:
    for measure, values in first.items():
        if measure in second:
            paired = _paired_spread(values, second[measure])
            yield {"a": a, "b": b, "subset": subset, "measure": measure, **paired}


def _by_measure(by_seed: Mapping[str, Mapping[str, Mapping[str, float | None]]], subset: str) -> OfMeasures:
    """{measure: {seed: value}} of the measures that are defined for every seed."""
    columns = [by_seed[seed][subset] for seed in by_seed]
    found: OfMeasures = {}
    for measure in columns[0]:
        values = {seed: value for seed in by_seed if (value := by_seed[seed][subset][measure]) is not None}
        if len(values) == len(by_seed):
            found[measure] = values
    return found


def _spread(values: Mapping[str, float]) -> dict[str, Any]:
    numbers = list(values.values())
    return {"n": len(numbers), "mean": fmean(numbers), "sd": stdev(numbers), "values": dict(values)}


def _paired_spread(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, Any]:
    differences = {seed: first[seed] - second[seed] for seed in first if seed in second}
    numbers = list(differences.values())
    low, high = student_interval(numbers)
    return {
        "n": len(numbers),
        "differences": differences,
        "mean": fmean(numbers) if numbers else None,
        "sd": stdev(numbers) if len(numbers) > 1 else None,
        "low": low,
        "high": high,
        "smallest_p": 2.0 ** (1 - len(numbers)) if numbers else None,
    }
