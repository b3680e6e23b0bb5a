"""What was trained or computed beyond the study: beyond.json.

Scores and differences are fractions from 0 to 1, null where undefined; intervals at 95 %, paired, from a
bootstrap over groups of similar slices. Over seeds the score of an image is the mean over the seeds that both
sides have, so an interval is about other images; by_seed shows what another training does.

    copies          one for each model that was trained without the copies and without as many others
        model, measure, seeds
        removed     images that either was trained without; train_images: of the model itself
        subsets.<official | clean>
            full, without_copies, without_others    mean scores
            worth, worth_low, worth_high, worth_p   without_others minus without_copies: what having seen the
                                                    copies gives, at the same number of images
            more_images, ..._low, ..._high, ..._p   full minus without_others: what as many other images give
            share           worth / without_others
            by_seed         {seed: worth}
    augmentation    one for each recipe that changes a model's augmentation alone and is trained as long
        model, recipe, measure, seeds, images, changes
        chosen, published, difference (chosen minus published), low, high, p, by_seed    on validation
    pretrained      one for each model that is another one without pretrained weights
        model, scratch, measure
        subsets.<official | clean | strict | validation>
            pretrained, scratch, difference, low, high, p
    flips           one for each head of a model
        model, measure, subsets.<...>: plain, flips, difference, low, high, p
    conflicts       one for each model that segments, where a test image has a copy in train whose mask
                    contradicts its own: model, images, score, left_out, score_of_these, score_without, cost,
                    see brisc.analysis.conflicts
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

from brisc.analysis.compare import COMPARED
from brisc.analysis.conflicts import without_conflicts
from brisc.analysis.runs import Evaluated, of_kind, read_result, read_table
from brisc.analysis.scores import check_same_images, interval, rounded
from brisc.config import Evaluate
from brisc.evaluation.rows import subset_of
from brisc.evaluation.statistics import MIN_GROUPS, paired_bootstrap
from brisc.vocabulary import HEADS, SUBSETS, VALIDATION, Head

BY_SEED = ("official", "clean")
AUGMENT = "augment."


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
            for run in of_kind(runs, "model")
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
        if _root(run, by_name) == model:
            found.setdefault(run.summary["settings"]["prune"], {})[_seed(run)] = run
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
    subsets = {}
    for name in BY_SEED if seeds else ():
        tables = [[_scores(run, head, name) for run in side] for side in sides]
        whole, without, others = (_mean_table(side) for side in tables)
        worth, more = (_paired(a, b, settings) for a, b in ((others, without), (whole, others)))
        base = others["score"].mean()
        subsets[name] = {
            "full": rounded(whole["score"].mean()),
            "without_copies": rounded(without["score"].mean()),
            "without_others": rounded(base),
            **_named("worth", worth),
            **_named("more_images", more),
            "share": rounded(worth["difference"] / base) if base > 0 else None,
            "by_seed": {
                str(seed): rounded(float(b["score"].mean() - a["score"].mean()))
                for seed, a, b in zip(seeds, tables[1], tables[2], strict=True)
            },
        }
    trained = [side[0].summary["train_images"] if side else None for side in sides]
    return {
        "model": model,
        "measure": head.primary,
        "seeds": seeds,
        "train_images": trained[0],
        "removed": trained[0] - trained[1] if trained[0] is not None else None,
        "subsets": subsets,
    }


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
        "chosen": rounded(chosen["score"].mean()),
        "published": rounded(published["score"].mean()),
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
            means = {"pretrained": rounded(ours["score"].mean()), "scratch": rounded(theirs["score"].mean())}
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
        means = {"plain": rounded(plain["score"].mean()), "flips": rounded(flipped["score"].mean())}
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
        own = {"vote": ours["score"].mean(), "low": low, "high": high, "best": theirs["score"].mean()}
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
            found.setdefault(run.name, {})[_seed(run)] = run
    for run in runs:
        if run.about["changes"].keys() == {"seed"} and (root := _first(run, by_name)) in found:
            found[root][_seed(run)] = run
    return found


def _first(run: Evaluated, by_name: Mapping[str, Evaluated]) -> str:
    """The run that this one repeats with another seed."""
    while run.about["changes"].keys() == {"seed"} and run.about["like"] in by_name:
        run = by_name[run.about["like"]]
    return run.name


def _root(run: Evaluated, by_name: Mapping[str, Evaluated]) -> str:
    """The model that this run is like, through runs of its own kind."""
    first = by_name[_first(run, by_name)]
    like = by_name.get(str(first.about["like"]))
    while like is not None and like.kind == run.kind:
        like = by_name.get(str(like.about["like"]))
    return str(first.about["like"]) if like is None else _first(like, by_name)


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
    found = paired_bootstrap(
        a["score"],
        b["score"],
        groups=a["group"],
        resamples=settings.bootstrap_resamples,
        seed=settings.bootstrap_seed,
    )
    told = a["group"].nunique() >= MIN_GROUPS
    tested = {key: rounded(getattr(found, key)) if told else None for key in ("low", "high", "p")}
    return {"difference": rounded(found.difference), **tested}


def _named(name: str, paired: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        name: paired["difference"],
        **{f"{name}_{end}": paired[end] for end in ("low", "high", "p")},
    }
