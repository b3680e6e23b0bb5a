"""Which models are significantly different by the paired tests of comparisons.json. No module ranks models
in another way."""

from dataclasses import dataclass
from typing import NamedTuple

from brisc.analysis.results import Record, Results
from brisc.vocabulary import Head


class Standing(NamedTuple):
    """A model's mean and its letters: two models that share one are not significantly different."""

    model: str
    value: float | None
    letters: str


class Pair(NamedTuple):
    """first minus second over the same images, with the interval and the corrected p of no difference."""

    first: str
    second: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    significant: bool


class OverSeeds(NamedTuple):
    """first minus second on one subset, both trained with the same seeds: by seed, and the mean with its
    interval over seeds."""

    differences: dict[str, float]
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    smallest_p: float | None

    @property
    def holds_zero(self) -> bool:
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


@dataclass(frozen=True)
class Tiers:
    """All models of one head on one subset, the highest mean first. The order alone is no claim, a
    significant difference is."""

    subset: str
    n: int
    tested: bool
    smallest_p: float | None
    order: tuple[Standing, ...]
    pairs: tuple[Pair, ...]

    def letters(self, model: str) -> str:
        return next((standing.letters for standing in self.order if standing.model == model), "")

    def pair(self, first: str, second: str) -> Pair | None:
        """The test of two models, signed as first minus second."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.first, pair.second) == (second, first):
                return turned(pair)
        return None

    def with_the_first(self) -> tuple[str, ...]:
        """The model with the highest mean and after it those that are not significantly different from it."""
        if not self.order:
            return ()
        first = self.order[0].model
        rest = (standing.model for standing in self.order[1:])
        return (first, *(model for model in rest if not self._differ(first, model)))

    def behind(self) -> tuple[str, ...]:
        """The models that are significantly different from the one with the highest mean."""
        leading = self.with_the_first()
        return tuple(standing.model for standing in self.order if standing.model not in leading)

    def _differ(self, first: str, second: str) -> bool:
        pair = self.pair(first, second)
        return pair is not None and pair.significant


def tiers(results: Results, head: Head, subset: str) -> Tiers:
    """How the models with the head, of which there is one at least, stand to each other."""
    record = results.comparisons.record("heads").record(head.name).record("subsets").record(subset)
    return Tiers(
        subset=subset,
        n=record.count("n"),
        tested=bool(record["tested"]),
        smallest_p=record.number("smallest_p"),
        order=tuple(
            Standing(entry["model"], entry.number("value"), " ".join(entry["letters"]))
            for entry in record.listed("order")
        ),
        pairs=tuple(_pair(entry) for entry in record.listed("pairs")),
    )


def name_of_test(results: Results, head: Head) -> str:
    """Which test compares the models of this head: bootstrap or bootstrap_and_mcnemar."""
    return str(results.comparisons.record("heads").record(head.name)["test"])


def like_for_like(results: Results, joint: str, measure: str, subset: str) -> Record | None:
    """The comparison of a joint model with the separate one that differs from it in one thing."""
    if results.comparisons["joint_against_separate"] is None:
        return None
    subsets = results.comparisons.record("joint_against_separate").record("subsets")
    entries = subsets.listed(subset) if subset in subsets else []
    return next(
        (
            entry
            for entry in entries
            if (entry["joint"], entry["measure"], entry["like_for_like"]) == (joint, measure, True)
        ),
        None,
    )


def over_seeds(results: Results, head: Head, first: str, second: str) -> dict[str, OverSeeds]:
    """By subset; empty where the two were not both trained with other seeds."""
    if results.comparisons["seeds"] is None:
        return {}
    found = {}
    for entry in results.comparisons.record("seeds").listed("pairs"):
        if {entry["a"], entry["b"]} == {first, second} and entry["measure"] == head.primary:
            ends, sign = (("low", "high"), 1) if entry["a"] == first else (("high", "low"), -1)
            mean, low, high = (
                None if (value := entry.number(key)) is None else sign * value for key in ("mean", *ends)
            )
            differences = {seed: sign * value for seed, value in entry.record("differences").content.items()}
            found[entry["subset"]] = OverSeeds(
                differences, mean, entry.number("sd"), low, high, entry.number("smallest_p")
            )
    return found


def turned(pair: Pair) -> Pair:
    """The same test, seen from the other side."""
    difference = None if pair.difference is None else -pair.difference
    low, high = (None if bound is None else -bound for bound in (pair.high, pair.low))
    return Pair(pair.second, pair.first, difference, low, high, pair.p, pair.significant)


def _pair(entry: Record) -> Pair:
    difference, low, high, p = (entry.number(key) for key in ("difference", "low", "high", "p_holm"))
    return Pair(entry["a"], entry["b"], difference, low, high, p, bool(entry["significant"]))
