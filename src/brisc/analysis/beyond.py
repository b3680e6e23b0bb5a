"""What was trained or computed beyond the study: beyond.json.

Scores and differences are fractions from 0 to 1, null where undefined; intervals at 95 %, paired, from a
bootstrap over groups of similar slices. Over seeds the score of an image is the mean over the seeds that both
sides have, so an interval is about other images; by_seed shows what another training does.

    copies          one for each model that was trained without the copies and without as many others
        model, measure, seeds
        removed     images that either was trained without; train_images: of the model itself
        subsets.<official | copied | clean | strict>    copied: of official, the slice is in train as well
            full, without_copies, without_others    mean scores
            worth, worth_low, worth_high, worth_p   without_others minus without_copies: what having seen the
                                                    copies gives, at the same number of images
            more_images, ..._low, ..._high, ..._p   full minus without_others: what as many other images give
            share           worth / without_others
            by_seed         {seed: worth}
        excess, excess_low, excess_high     the worth on copied minus that on clean, where no copy can help
        falls.<full | without_copies | without_others>  from official to clean
            change, low, high       clean minus official
            mixed                   the same with the classes of clean mixed as in official; null where one of
                                    them has fewer images there than a mean needs
    augmentation    one for each recipe that changes a model's augmentation alone and is trained as long
        model, recipe, measure, seeds, images, changes
        chosen, published, difference (chosen minus published), low, high, p, by_seed    on validation
    pretrained      one for each model that is another one without pretrained weights
        model, scratch, measure
        subsets.<official | clean | strict | validation>
            pretrained, scratch, difference, low, high, p
    flips           one for each head of a model
        model, measure, subsets.<...>: plain, flips, difference, low, high, p
    conflicts       one for each model that segments, and each without copies or others, where a test image
                    has a copy in train whose mask contradicts its own: model, images, score, left_out,
                    score_of_these, score_without, cost, see brisc.analysis.conflicts
    vote            null where not all of its members are there
        members, agree, best: the member that is best on validation
        subsets.<...>: vote, low, high; best, difference (vote minus best), difference_low, difference_high,
                      difference_p
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brisc.analysis.compare import COMPARED
from brisc.analysis.conflicts import without_conflicts
from brisc.analysis.runs import Evaluated, model_of, of_kind, read_result, read_table
from brisc.analysis.scores import check_same_images, interval, mean_of, paired, rounded, testable
from brisc.config import Evaluate
from brisc.errors import InputError
from brisc.evaluation.rows import class_weighted, subset_of
from brisc.evaluation.statistics import MIN_GROUPS, bootstrap_statistic
from brisc.vocabulary import HEADS, SUBSETS, TEST_SUBSETS, VALIDATION, Head

AUGMENT = "augment."

Rows = NDArray[Any]  # numbers of rows, or whether each is chosen
Ends = tuple[float | None, float | None, float | None]  # a number and its interval


def beyond(
    runs: Sequence[Evaluated], vote: Path, settings: Evaluate, *, conflicts: Collection[str]
) -> dict[str, Any]:
    """The content of beyond.json, see the head of this file. vote: the folder of the vote stage. conflicts:
    ids of test images."""
    return {
        "copies": copies(runs, settings),
        "augmentation": augmentation(runs, settings),
        "pretrained": pretrained(runs, settings),
        "flips": flips(runs, settings),
        "conflicts": [
            {"model": run.name, **without_conflicts(run.images(), conflicts)}
            for run in (*of_kind(runs, "model"), *of_kind(runs, "pruned"))
            if HEADS["mask"].column in run.images() and conflicts
        ],
        "vote": voted(runs, vote, settings),
    }


def copies(runs: Sequence[Evaluated], settings: Evaluate) -> list[dict[str, Any]]:
    return [
        _worth(model, full, without["copies"], without["random"], settings)
        for model, full in _with_seeds(runs, "model").items()
        if (without := _pruned(runs, model)).keys() == {"copies", "random"}
    ]


def _pruned(runs: Sequence[Evaluated], model: str) -> dict[str, dict[int, Evaluated]]:
    """By what it is trained without, the model's runs by seed."""
    by_name = {run.name: run for run in runs}
    found: dict[str, dict[int, Evaluated]] = {}
    for run in of_kind(runs, "pruned"):
        if model_of(run, by_name) == model:
            _add(found.setdefault(run.summary["settings"]["prune"], {}), run)
    return found


def _worth(
    model: str,
    full: Mapping[int, Evaluated],
    no_copies: Mapping[int, Evaluated],
    no_others: Mapping[int, Evaluated],
    settings: Evaluate,
) -> dict[str, Any]:
    seeds = sorted(full.keys() & no_copies.keys() & no_others.keys())
    sides = [[side[seed] for seed in seeds] for side in (full, no_copies, no_others)]
    head = _only_head(full[seeds[0]] if seeds else next(iter(full.values())))
    trained = [side[0].summary["train_images"] if side else None for side in sides]
    about = {
        "model": model,
        "measure": head.primary,
        "seeds": seeds,
        "train_images": trained[0],
        "removed": trained[0] - trained[1] if trained[0] is not None else None,
    }
    if not seeds:
        return {**about, "subsets": {}}
    tables = [[_on_test(run, head) for run in side] for side in sides]
    whole, without, others = (_mean_table(side) for side in tables)
    gained = others.assign(score=others["score"] - without["score"])
    named = {"full": whole, "without_copies": without, "without_others": others}
    return {
        **about,
        "subsets": {
            name: {
                **{side: rounded(mean_of(table["score"][rows])) for side, table in named.items()},
                **_worth_on(whole[rows], without[rows], others[rows], settings),
                "by_seed": {
                    str(seed): rounded(mean_of((b["score"] - a["score"])[rows]))
                    for seed, a, b in zip(seeds, *tables[1:], strict=True)
                },
            }
            for name, rows in _subsets(whole).items()
        },
        **_ends("excess", _between(gained, "clean", "copied", settings)),
        "falls": {
            name: {**_ends("change", _between(table, "official", "clean", settings)), "mixed": _mixed(table)}
            for name, table in named.items()
        },
    }


def _worth_on(
    whole: pd.DataFrame, without: pd.DataFrame, others: pd.DataFrame, settings: Evaluate
) -> dict[str, Any]:
    worth, more = (_paired(a, b, settings) for a, b in ((others, without), (whole, others)))
    base, gained = others["score"].mean(), worth["difference"]
    share = gained / base if gained is not None and base > 0 else None
    return {**_named("worth", worth), **_named("more_images", more), "share": rounded(share)}


def _on_test(run: Evaluated, head: Head) -> pd.DataFrame:
    """id, group, label, score and the subsets of the official images that the head is scored on."""
    images = COMPARED[head.name].images(subset_of(run.images(), "official"))
    own = images[["id", "group", "label", *TEST_SUBSETS]].assign(score=COMPARED[head.name].score(images))
    return own.sort_values("id", ignore_index=True)


def _subsets(table: pd.DataFrame) -> dict[str, Rows]:
    """Which rows of `_on_test` are in each subset of the test images."""
    of_test = {name: table[name].to_numpy() == 1 for name in TEST_SUBSETS}
    return {"official": of_test["official"], "copied": ~of_test["clean"], **of_test}


def _between(table: pd.DataFrame, first: str, second: str, settings: Evaluate) -> Ends:
    """The mean score on the subset `second` less that on `first`, with its interval."""
    scores, subsets = table["score"].to_numpy(), _subsets(table)

    def change(drawn: Rows) -> float:
        after, before = (scores[drawn[subsets[name][drawn]]].mean() for name in (second, first))
        return float(after - before)

    if not all(subsets[name].any() for name in (first, second)):
        return None, None, None
    low = high = None
    if all(testable(table["group"][subsets[name]]) for name in ("copied", "clean")):
        resamples, seed = settings.bootstrap_resamples, settings.bootstrap_seed
        low, high = bootstrap_statistic(change, groups=table["group"], resamples=resamples, seed=seed)
    return change(np.arange(len(table))), low, high


def _mixed(table: pd.DataFrame) -> float | None:
    """As `change` of `_between`, with the classes of clean mixed as in official."""
    clean, mix = table[table["clean"] == 1], table["label"].value_counts()
    scores = clean.groupby("label")["score"]
    known = scores.mean()[scores.count() >= MIN_GROUPS]
    means = {label: float(known[label]) if label in known else None for label in mix.index}
    mixed = class_weighted(means, mix.to_dict(), where="clean")
    return None if mixed is None else rounded(mixed - float(table["score"].mean()))


def augmentation(runs: Sequence[Evaluated], settings: Evaluate) -> list[dict[str, Any]]:
    by_name = {run.name: run for run in runs}
    models, recipes = _with_seeds(runs, "model"), _with_seeds(runs, "recipe")
    return [
        _augmented(by_name[recipe].about["like"], models, recipe, by_seed, settings)
        for recipe, by_seed in recipes.items()
        if augments(by_name[recipe], by_name)
    ]


def augments(run: Evaluated, by_name: Mapping[str, Evaluated]) -> bool:
    """Whether it is a recipe that changes the augmentation of a model, or that recipe with another seed."""
    changes, like = run.about["changes"], by_name.get(str(run.about["like"]))
    if run.kind != "recipe" or like is None or not changes:
        return False
    if changes.keys() == {"seed"}:
        return augments(like, by_name)
    return like.kind == "model" and all(name.startswith(AUGMENT) for name in changes)


def _augmented(
    model: str,
    models: Mapping[str, Mapping[int, Evaluated]],
    recipe: str,
    by_seed: Mapping[int, Evaluated],
    settings: Evaluate,
) -> dict[str, Any]:
    known = {seed: run for seed, run in by_seed.items() if run.summary["best_epoch"] is not None}
    seeds = sorted(models[model].keys() & known.keys())
    head = _only_head(models[model][seeds[0]] if seeds else next(iter(models[model].values())))
    tables = [[_scores(side[seed], head, VALIDATION) for seed in seeds] for side in (models[model], known)]
    row: dict[str, Any] = {
        "model": model,
        "recipe": recipe,
        "measure": head.primary,
        "seeds": seeds,
        "changes": next(iter(by_seed.values())).about["changes"],
    }
    if not seeds:
        return {**row, "images": 0}
    check_same_images(
        Path(recipe), {str(i): t for i, t in enumerate([*tables[0], *tables[1]])}, what="recipes"
    )
    chosen, published = (_mean_table(side) for side in tables)
    return {
        **row,
        "images": len(chosen),
        "chosen": rounded(mean_of(chosen["score"])),
        "published": rounded(mean_of(published["score"])),
        **_paired(chosen, published, settings),
        "by_seed": {
            str(seed): rounded(float(a["score"].mean() - b["score"].mean()))
            for seed, a, b in zip(seeds, *tables, strict=True)
        },
    }


def pretrained(runs: Sequence[Evaluated], settings: Evaluate) -> list[dict[str, Any]]:
    models = {run.name: run for run in of_kind(runs, "model")}
    rows = []
    for run in models.values():
        like = models.get(str(run.about["like"]))
        if like is None or run.about["changes"] != {"model.pretrained": False}:
            continue
        head = _only_head(run)
        subsets = {}
        for name in SUBSETS:
            ours, theirs = (_scores(each, head, name) for each in (like, run))
            means = {
                "pretrained": rounded(mean_of(ours["score"])),
                "scratch": rounded(mean_of(theirs["score"])),
            }
            subsets[name] = {**means, **_paired(ours, theirs, settings)}
        row = {"model": like.name, "scratch": run.name, "measure": head.primary}
        rows.append({**row, "subsets": subsets})
    return rows


def flips(runs: Sequence[Evaluated], settings: Evaluate) -> list[dict[str, Any]]:
    return [
        {"model": run.name, "measure": head.primary, "subsets": _flipped(run, head, settings)}
        for run in of_kind(runs, "model")
        for head in HEADS.values()
        if head.column in run.images()
    ]


def _flipped(run: Evaluated, head: Head, settings: Evaluate) -> dict[str, Any]:
    subsets = {}
    for name in SUBSETS:
        plain, flipped = (_scores(run, head, name, flips=flips) for flips in (False, True))
        means = {"plain": rounded(mean_of(plain["score"])), "flips": rounded(mean_of(flipped["score"]))}
        subsets[name] = {**means, **_paired(flipped, plain, settings)}
    return subsets


def voted(runs: Sequence[Evaluated], vote: Path, settings: Evaluate) -> dict[str, Any] | None:
    about = read_result(vote / "vote.json")
    if not about["members"]:
        return None
    head, by_name = HEADS["mask"], {run.name: run for run in runs}
    validation = {name: by_name[name].metrics[VALIDATION][head.primary] for name in about["members"]}
    best = max(validation, key=lambda name: (validation[name], name))
    table, subsets = read_table(vote / "per_image.csv"), {}
    for name in SUBSETS:
        ours, theirs = _score_table(table, head, name), _scores(by_name[best], head, name)
        low, high = interval(ours["score"], ours["group"], settings)
        own = {"vote": mean_of(ours["score"]), "low": low, "high": high, "best": mean_of(theirs["score"])}
        subsets[name] = {
            **{key: rounded(value) for key, value in own.items()},
            **_named("difference", _paired(ours, theirs, settings)),
        }
    return {**about, "best": best, "measure": head.primary, "subsets": subsets}


def _with_seeds(runs: Sequence[Evaluated], kind: str) -> dict[str, dict[int, Evaluated]]:
    """By run of this kind, itself and the same with other seeds, by seed."""
    by_name = {run.name: run for run in runs}
    found: dict[str, dict[int, Evaluated]] = {}
    for run in runs:
        if run.kind == kind and run.about["changes"].keys() != {"seed"}:
            found[run.name] = {_seed(run): run}
    for run in runs:
        again = run.kind in (kind, "seed") and run.about["changes"].keys() == {"seed"}
        if again and (root := _first(run, by_name)) in found:
            _add(found[root], run)
    return found


def _add(by_seed: dict[int, Evaluated], run: Evaluated) -> None:
    """Raises InputError where the seed is taken: each would be told as the other's spread."""
    if (taken := by_seed.setdefault(_seed(run), run)) is not run:
        raise InputError(
            "two trainings of one kind with the same seed",
            where="runs of params.yaml",
            got=f"{taken.name} and {run.name}, both with {_seed(run)}",
            expected="another seed for each",
            mend="Take one of them out.",
        )


def _first(run: Evaluated, by_name: Mapping[str, Evaluated]) -> str:
    """The run that this one repeats with another seed."""
    while run.about["changes"].keys() == {"seed"} and run.about["like"] in by_name:
        run = by_name[run.about["like"]]
    return run.name


def _seed(run: Evaluated) -> int:
    return int(run.summary["settings"]["seed"])


def _only_head(run: Evaluated) -> Head:
    """By which a net is compared: the mask where it draws one."""
    return next(head for head in HEADS.values() if head.name in run.summary["heads"])


def _scores(run: Evaluated, head: Head, subset: str, *, flips: bool = False) -> pd.DataFrame:
    table = run.images()
    if run.kind == "recipe":  # which has validation alone, and the score by its name
        return _sorted(table, table[head.score])
    return _score_table(table, head, subset, flips=flips)


def _score_table(table: pd.DataFrame, head: Head, subset: str, *, flips: bool = False) -> pd.DataFrame:
    """id, group and score of the images of a subset that the head is scored on."""
    images = COMPARED[head.name].images(subset_of(table, subset))
    score = images[f"{head.score}_flips"] if flips else pd.Series(COMPARED[head.name].score(images))
    return _sorted(images, score)


def _sorted(images: pd.DataFrame, score: pd.Series) -> pd.DataFrame:
    own = images[["id", "group"]].assign(score=score.to_numpy(dtype=np.float64))
    return own.sort_values("id", ignore_index=True)


def _mean_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean score of each image over the tables, which are of the same images."""
    return tables[0].assign(score=np.mean([table["score"] for table in tables], axis=0))


def _paired(a: pd.DataFrame, b: pd.DataFrame, settings: Evaluate) -> dict[str, float | None]:
    """difference (a minus b), low, high, p; of too few groups the difference alone."""
    found = paired(a["score"], b["score"], a["group"], settings)
    return {name: rounded(value) for name, value in found._asdict().items()}


def _named(name: str, paired: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        name: paired["difference"],
        **{f"{name}_{end}": paired[end] for end in ("low", "high", "p")},
    }


def _ends(name: str, found: Ends) -> dict[str, float | None]:
    value, low, high = map(rounded, found)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
