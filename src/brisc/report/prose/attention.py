"""The second question: do attention gates on the skips help?"""

from collections.abc import Sequence

from brisc.analysis.results import Results
from brisc.analysis.standing import OverSeeds, Pair, over_seeds, tiers
from brisc.report.cells import percent, signed_points
from brisc.report.heads import HEADS
from brisc.report.prose.scores import paired
from brisc.report.words import joined, number_of

MASK = HEADS["mask"]


def trained_pair(results: Results) -> tuple[str, str] | None:
    """(with attention, without), where both were trained. Which two these are is said in published.json."""
    question = results.published.record("questions").record("attention")
    pair = (question["model"], question["baseline"])
    return pair if set(pair) <= set(results.masks()) else None


def answer(results: Results) -> list[str]:
    pair = trained_pair(results)
    if pair is None:
        question = results.published.record("questions").record("attention")
        return [
            f"`{question['model']}` and `{question['baseline']}` are not both in this report, so this question is left out."
        ]
    tests = {
        subset: test for subset in ("official", "clean") if (test := _test(results, subset, pair)) is not None
    }
    if not tests:
        return [
            f"`{pair[0]}` and `{pair[1]}` were not compared by a test on the same images, so no answer is given."
        ]
    told = "; ".join(paired(test, subset, f"`{MASK.followed}`") for subset, test in tests.items())
    return [
        f"`{pair[0]}` less `{pair[1]}`, on the same images: {told}. {verdict(list(tests.values()))}",
        *_seeds(results, pair),
        *_published(results, pair),
        *_cost(results, pair),
    ]


def _test(results: Results, subset: str, pair: tuple[str, str]) -> Pair | None:
    standing = tiers(results, MASK, subset)
    return None if standing is None else standing.pair(*pair)


def verdict(tests: Sequence[Pair]) -> str:
    """What the tests of one pair on several subsets say together."""
    if all(test.p is None for test in tests):
        return "There are too few groups of slices for a test, so the question stays open."
    ahead = {test.first if (test.difference or 0) > 0 else test.second for test in tests if test.significant}
    if not ahead:
        return "No test tells the two apart: these images show no difference that attention gates make."
    if len(ahead) == 2:
        return "The two subsets tell them apart in opposite directions."
    return f"Where the two are told apart, `{ahead.pop()}` is ahead."


def _seeds(results: Results, pair: tuple[str, str]) -> list[str]:
    """Whether the difference outlasts another seed."""
    if results.comparisons is None or results.comparisons["seeds"] is None:
        return ["Each was trained with one seed, and a test over images says nothing about another training."]
    by_subset = over_seeds(results, MASK, *pair)
    chosen = {subset: by_subset[subset] for subset in ("official", "clean") if subset in by_subset}
    if not chosen:
        return [
            "They were not both trained with other seeds, and a test over images says nothing about another training."
        ]
    first = next(iter(chosen.values()))
    told = "; ".join(f"on {subset} {_over_seeds(spread)}" for subset, spread in chosen.items())
    said = [f"Trained with {number_of(len(first.differences), 'seed')}, the difference is {told}."]
    if first.smallest_p is not None and first.smallest_p >= 0.05 and first.low is not None:
        said.append(
            "Those intervals take the differences between seeds to be normally distributed; a sign test, which does not, cannot "
            f"give a p below {first.smallest_p:g} with so few."
        )
    return said


def _over_seeds(spread: OverSeeds) -> str:
    each = joined([f"{signed_points(value)} with seed {seed}" for seed, value in spread.differences.items()])
    if spread.mean is None or spread.sd is None or spread.low is None or spread.high is None:
        return each
    zero = "holds zero" if spread.low <= 0 <= spread.high else "leaves zero out"
    return (
        f"{signed_points(spread.mean)} points on average ({each}; standard deviation {percent(spread.sd)}), with a 95 % interval "
        f"over seeds of {signed_points(spread.low)} to {signed_points(spread.high)}, which {zero}"
    )


def _published(results: Results, pair: tuple[str, str]) -> list[str]:
    scores = [results.published_scores(model, "test") for model in pair]
    if results.phantom or not all(MASK.compared in known for known in scores):
        return []
    first, second = (known.number(MASK.compared) for known in scores)
    if first is None or second is None:
        return []
    return [
        f"The published difference is {signed_points(first - second)} points of `{MASK.compared}`, without an interval."
    ]


def _cost(results: Results, pair: tuple[str, str]) -> list[str]:
    ratios = []
    for key, name in (("parameters", "the parameters"), ("macs", "the multiply-adds")):
        first, second = (results.cost_of(model, key) for model in pair)
        if first is not None and second is not None and second > 0:
            ratios.append(f"{first / second:.2f} times {name}")
    return [f"The gates take {joined(ratios)}."] if ratios else []
