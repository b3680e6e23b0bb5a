"""Do attention gates on the skips help?"""

from collections.abc import Sequence
from dataclasses import dataclass

from brisc.analysis.findings.scores import ASKED
from brisc.analysis.results import Record, Results
from brisc.analysis.standing import OverSeeds, Pair, over_seeds, tiers
from brisc.vocabulary import HEADS

MASK = HEADS["mask"]


@dataclass(frozen=True)
class Attention:
    """model less baseline, which published.json names.

    verdict: absent (not both are in this report), few_groups, none (no significant difference),
    opposite (significant in both directions), or ahead, of the model `ahead`. repeated: one_seed, not_both
    (were trained with other seeds), or by_seed. published, ours: the difference by the study's metric. A sign
    test over so few seeds gives no p below `sign_test`, None where it can be significant. parameters, macs:
    those of the model over the baseline's.
    """

    model: str
    baseline: str
    verdict: str
    ahead: str | None = None
    tests: tuple[tuple[str, Pair], ...] = ()
    repeated: str = "one_seed"
    by_seed: tuple[tuple[str, OverSeeds], ...] = ()
    sign_test: float | None = None
    published: float | None = None
    ours: float | None = None
    parameters: float | None = None
    macs: float | None = None


def trained_pair(results: Results) -> tuple[str, str] | None:
    """(with attention, without), where both were trained."""
    pair = _asked(results)
    return pair if set(pair) <= set(results.masks()) else None


def attention(results: Results) -> Attention:
    pair = _asked(results)
    if trained_pair(results) is None:
        return Attention(*pair, verdict="absent")
    tests = tuple(
        (subset, test) for subset in ASKED if (test := tiers(results, MASK, subset).pair(*pair)) is not None
    )
    verdict, ahead = judge([test for _, test in tests])
    spreads = over_seeds(results, MASK, *pair)
    by_seed = tuple((subset, spreads[subset]) for subset in ASKED if subset in spreads)
    one_seed = results.comparisons["seeds"] is None
    return Attention(
        *pair,
        verdict=verdict,
        ahead=ahead,
        tests=tests,
        repeated="one_seed" if one_seed else "by_seed" if by_seed else "not_both",
        by_seed=by_seed,
        sign_test=_sign_test(by_seed[0][1]) if by_seed else None,
        published=_published(results, pair),
        ours=_difference([results.subsets(model)["official"] for model in pair]),
        parameters=_ratio(results, pair, "parameters"),
        macs=_ratio(results, pair, "macs"),
    )


def judge(tests: Sequence[Pair]) -> tuple[str, str | None]:
    """What the tests of one pair on several subsets say together: the verdict, and which model is ahead."""
    if all(test.p is None for test in tests):
        return "few_groups", None
    ahead = {test.first if (test.difference or 0) > 0 else test.second for test in tests if test.significant}
    if len(ahead) == 1:
        return "ahead", ahead.pop()
    return ("opposite" if ahead else "none"), None


def _asked(results: Results) -> tuple[str, str]:
    question = results.published.record("questions").record("attention")
    return question["model"], question["baseline"]


def _sign_test(spread: OverSeeds) -> float | None:
    smallest = spread.smallest_p
    return smallest if smallest is not None and smallest >= 0.05 and spread.low is not None else None


def _published(results: Results, pair: tuple[str, str]) -> float | None:
    """None for phantoms, which are not held against published figures."""
    return None if results.phantom else _difference([results.published_scores(m, "test") for m in pair])


def _difference(scores: Sequence[Record]) -> float | None:
    """By the metric that the study published."""
    first, second = (record.optional(MASK.published) for record in scores)
    return None if first is None or second is None else first - second


def _ratio(results: Results, pair: tuple[str, str], key: str) -> float | None:
    first, second = (results.cost_of(model, key) for model in pair)
    return first / second if first is not None and second else None
