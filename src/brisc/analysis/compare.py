"""Paired tests between the models of a profile, and which of them differ significantly.

What the tests are about: other images, drawn like these, with the weights that were trained. They say nothing
about another training of the same model; that is what the block "seeds" is for.

comparisons.json: fractions from 0 to 1, null where undefined, 95 % intervals.

    level, resamples, seed, min_groups
    heads.<mask | label>    only heads that a model has
        measure             the primary metric: mask: dice_per_image, over tumour slices; label: accuracy,
                            over all images
        test                bootstrap: paired, over groups; bootstrap_and_mcnemar: the larger p of both, since
                            McNemar's test takes similar slices for independent evidence, and the bootstrap,
                            which does not, is approximate
        subsets.<official | clean | strict | validation>
            n, groups       images, and groups of similar ones among them
            tested          false with fewer than min_groups groups: no p, and all models share a letter
            family          tests that Holm's correction is over: all pairs of models of this head on this
                            subset. There is none over subsets, which hold much the same images, nor over
                            heads, which are other questions
            smallest_p      the smallest corrected p that so many resamples can give; at 1 - level nothing is
                            significant
            order           best first: model, value, letters. Models that share a letter do not differ
                            significantly
            pairs           a (the better mean), b, difference, low, high, p, p_holm, significant (p_holm
                            below 1 - level); accuracy also has p_bootstrap and mcnemar: a_only, b_only
                            (images that one alone gets right), p
    joint_against_separate  null without a joint net
        published           the study's gaps, joint minus separate, of the first net that has any; else empty
        like_for_like       by head the run that a joint net is compared with, trained or not
        subsets.<...>       a list: joint, separate, head, like_for_like, measure, n, groups, joint_value,
                            separate_value, difference (joint minus separate) to significant as in pairs, a
                            being the joint net, and published. Family: the comparisons by one measure on one
                            subset
    seeds                   null without a model of two seeds
        models.<model>.<subset>.<measure>   n, mean, sd, values by seed
        pairs               a, b, subset, measure, n, differences by seed, mean, sd, low, high (Student's t
                            over seeds) and smallest_p: the smallest that a sign test on n seeds can give,
                            2 ** (1 - n), 0.5 for two of them
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brisc.analysis.scores import mean_of, paired, testable
from brisc.analysis.seeds import Seeds, spread_over_seeds
from brisc.config import Compare, Evaluate
from brisc.errors import InputError
from brisc.evaluation.rows import subset_of
from brisc.evaluation.segmentation import dice_study_statistic
from brisc.evaluation.statistics import (
    LEVEL,
    MIN_GROUPS,
    PairedDifference,
    Statistic,
    holm,
    letters,
    mcnemar_exact,
    paired_bootstrap_statistic,
)
from brisc.vocabulary import HEADS, HEALTHY, SUBSETS, TEST_SUBSETS, VALIDATION

Values = NDArray[np.float64]  # (N,), the score of each image


@dataclass(frozen=True, kw_only=True)
class Compared:
    """By what models with a head are compared: its primary metric, which is the mean of the scores, and
    others that the study published and that are no mean of scores."""

    images: Callable[[pd.DataFrame], pd.DataFrame]
    score: Callable[[pd.DataFrame], Values]
    others: Mapping[str, Callable[[pd.DataFrame, Evaluate], Statistic]]
    exact: bool  # scores are 0 and 1, so that McNemar's test applies


COMPARED = {
    "mask": Compared(
        images=lambda table: table[table["label"] != HEALTHY],
        score=lambda table: table["dice"].to_numpy(dtype=np.float64),
        others={"dice_study": lambda table, settings: dice_study_statistic(table, settings.study_batch_size)},
        exact=False,
    ),
    "label": Compared(
        images=lambda table: table,
        score=lambda table: (table["predicted"] == table["label"]).to_numpy(dtype=np.float64),
        others={},
        exact=True,
    ),
}


def compare(
    tables: Mapping[str, pd.DataFrame],
    *,
    seeds: Seeds,
    joint: Compare,
    gaps: Mapping[str, Mapping[str, float]],
    settings: Evaluate,
) -> dict[str, Any]:
    """The content of comparisons.json.

    tables: per_image.csv of each model. seeds: {model: {seed: {subset: {measure: value}}}}. gaps: by net,
    joint minus separate in the study, by measure, as fractions. Raises InputError for tables that are not of
    the same images.
    """
    tables = {model: table.sort_values("id", ignore_index=True) for model, table in tables.items()}
    _check(tables)
    by_head = {
        name: {model: t for model, t in tables.items() if head.column in t.columns}
        for name, head in HEADS.items()
    }
    return {
        "level": LEVEL,
        "resamples": settings.bootstrap_resamples,
        "seed": settings.bootstrap_seed,
        "min_groups": MIN_GROUPS,
        "heads": {name: _compare_head(name, models, settings) for name, models in by_head.items() if models},
        "joint_against_separate": _joint_against_separate(by_head, joint, gaps, settings),
        "seeds": spread_over_seeds(seeds),
    }


def published_gaps(published: Mapping[str, Any], nets: Sequence[str]) -> dict[str, dict[str, float]]:
    """{net: joint minus separate by measure, as fractions} of those nets for which published.json has it in
    percent."""
    models = published["models"]
    return {
        net: {measure: percent / 100 for measure, percent in models[net]["against_separate"].items()}
        for net in nets
        if "against_separate" in models.get(net, {})
    }


def compare_scores(
    scores: Mapping[str, Values], *, groups: NDArray[Any], exact: bool, settings: Evaluate
) -> dict[str, Any]:
    """All pairs of models on one subset, and their order with its letters.

    scores and groups: (N,), the same images row by row. exact: scores are 0 and 1, and McNemar's test has to
    agree.
    """
    means = {model: mean_of(values) for model, values in scores.items()}
    order = sorted(scores, key=lambda model: -(means[model] or 0.0))
    pairs = [
        {"a": a, "b": b, **_paired(scores[a], scores[b], groups, exact, settings)}
        for a, b in itertools.combinations(order, 2)
    ]
    _correct(pairs)
    named = letters(order, {frozenset((pair["a"], pair["b"])) for pair in pairs if pair["significant"]})
    tested = testable(groups)
    return {
        "n": len(groups),
        "groups": len(np.unique(groups)),
        "tested": tested,
        "family": len(pairs),
        "smallest_p": min(1.0, 2 * len(pairs) / (settings.bootstrap_resamples + 1))
        if tested and pairs
        else None,
        "order": [{"model": model, "value": means[model], "letters": named[model]} for model in order],
        "pairs": pairs,
    }


def _compare_head(head: str, tables: Mapping[str, pd.DataFrame], settings: Evaluate) -> dict[str, Any]:
    by, subsets = COMPARED[head], {}
    for subset in SUBSETS:
        images = {model: by.images(subset_of(table, subset)) for model, table in tables.items()}
        groups = next(iter(images.values()))["group"].to_numpy()
        scores = {model: by.score(table) for model, table in images.items()}
        subsets[subset] = compare_scores(scores, groups=groups, exact=by.exact, settings=settings)
    test = "bootstrap_and_mcnemar" if by.exact else "bootstrap"
    return {"measure": HEADS[head].primary, "test": test, "subsets": subsets}


def _paired(a: Values, b: Values, groups: NDArray[Any], exact: bool, settings: Evaluate) -> dict[str, Any]:
    found = paired(a, b, groups, settings)
    if not exact:
        return found._asdict()
    a_only, b_only = int((a > b).sum()), int((b > a).sum())
    p = None if found.p is None else mcnemar_exact(a_only, b_only)
    larger = None if found.p is None or p is None else max(found.p, p)
    return {
        **found._asdict(),
        "p": larger,
        "p_bootstrap": found.p,
        "mcnemar": {"a_only": a_only, "b_only": b_only, "p": p},
    }


def _paired_statistic(a: Statistic, b: Statistic, groups: NDArray[Any], settings: Evaluate) -> dict[str, Any]:
    everything = np.arange(len(groups))
    if testable(groups):
        found = paired_bootstrap_statistic(
            a, b, groups=groups, resamples=settings.bootstrap_resamples, seed=settings.bootstrap_seed
        )
    else:
        found = PairedDifference(a(everything) - b(everything) if len(groups) > 0 else None, None, None, None)
    return found._asdict()


def _joint_against_separate(
    by_head: Mapping[str, Mapping[str, pd.DataFrame]],
    joint: Compare,
    gaps: Mapping[str, Mapping[str, float]],
    settings: Evaluate,
) -> dict[str, Any] | None:
    """by_head: the tables, sorted by id, of the models with each head; names that have none are left out."""
    if not any(net in tables for tables in by_head.values() for net in joint.joint):
        return None
    subsets = {}
    for name in SUBSETS:
        comparisons = [
            {"joint": net, "separate": separate, "head": kind, "like_for_like": like_for_like, **found}
            for kind, tables in by_head.items()
            for net, separate, like_for_like in _partners(kind, tables, joint)
            for found in _joint_minus_separate(
                kind, subset_of(tables[net], name), subset_of(tables[separate], name), settings
            )
        ]
        for measure in sorted({comparison["measure"] for comparison in comparisons}):
            _correct([comparison for comparison in comparisons if comparison["measure"] == measure])
        subsets[name] = [
            {**comparison, "published": gaps.get(comparison["joint"], {}).get(comparison["measure"])}
            for comparison in comparisons
        ]
    published = next(iter(gaps.values()), {})
    return {"published": dict(published), "like_for_like": asdict(joint.like_for_like), "subsets": subsets}


def _partners(kind: str, tables: Mapping[str, pd.DataFrame], joint: Compare) -> list[tuple[str, str, bool]]:
    """Joint net, separate model, and whether they differ in nothing but the other head."""
    like_for_like = [model for model in (getattr(joint.like_for_like, kind),) if model in tables]
    others = [model for model in getattr(joint.separate, kind) if model in tables]
    if others:
        # Chosen on validation: the best on test would owe part of its lead to these very images.
        head = COMPARED[kind]
        validation = {model: head.images(subset_of(tables[model], VALIDATION)) for model in others}
        others = [max(others, key=lambda model: mean_of(head.score(validation[model])) or 0.0)]
    nets = [net for net in joint.joint if net in tables]
    return [
        (net, model, model in like_for_like)
        for net in nets
        for model in dict.fromkeys([*like_for_like, *others])
    ]


def _joint_minus_separate(
    kind: str, joint: pd.DataFrame, separate: pd.DataFrame, settings: Evaluate
) -> Iterator[dict[str, Any]]:
    head = COMPARED[kind]
    ours, theirs = head.images(joint), head.images(separate)
    groups = ours["group"].to_numpy()
    common = {"n": len(groups), "groups": len(np.unique(groups))}
    for measure, statistic_of in head.others.items():
        a, b = statistic_of(ours, settings), statistic_of(theirs, settings)
        values = [statistic(np.arange(len(groups))) if len(groups) > 0 else None for statistic in (a, b)]
        yield _row(measure, values, common, _paired_statistic(a, b, groups, settings))
    x, y = head.score(ours), head.score(theirs)
    yield _row(
        HEADS[kind].primary, [mean_of(x), mean_of(y)], common, _paired(x, y, groups, head.exact, settings)
    )


def _row(
    measure: str, values: list[float | None], common: dict[str, Any], found: dict[str, Any]
) -> dict[str, Any]:
    joint_value, separate_value = values
    return {
        "measure": measure,
        **common,
        "joint_value": joint_value,
        "separate_value": separate_value,
        **found,
    }


def _correct(comparisons: Sequence[dict[str, Any]]) -> None:
    """Add p_holm and significant to the comparisons of one family."""
    defined = [comparison for comparison in comparisons if comparison["p"] is not None]
    corrected = iter(holm([comparison["p"] for comparison in defined]))
    for comparison in comparisons:
        comparison["p_holm"] = None if comparison["p"] is None else next(corrected)
        comparison["significant"] = comparison["p_holm"] is not None and comparison["p_holm"] < 1 - LEVEL


def _check(tables: Mapping[str, pd.DataFrame]) -> None:
    if not tables:
        raise InputError(
            "no run that can be compared",
            where="params.yaml",
            got="seeds and recipes alone",
            expected="a model among runs",
            mend="List the run that they are like.",
        )
    first, *others = tables.items()
    known = {head.column for head in HEADS.values()}
    for model, table in tables.items():
        if not known & set(table.columns):
            raise InputError(
                "no result of any head",
                where=f"per-image results of {model}",
                got=", ".join(table.columns),
                expected=f"a column {' or '.join(sorted(known))}",
                mend="Evaluate the model again.",
            )
    facts = ["id", "split", "label", "group", *TEST_SUBSETS]
    for model, table in others:
        if not table[facts].equals(first[1][facts]):
            raise InputError(
                "results of different images",
                where=f"per-image results of {model}",
                got=f"{len(table)} images",
                expected=f"the {len(first[1])} of {first[0]}, in the same groups and subsets",
                mend="Evaluate both models on the same prepared data (dvc repro).",
            )
