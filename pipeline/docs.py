"""make docs: the blocks of README and docs/ that are made of results, written into their places.

    python -m pipeline.docs

A block stands between `<!-- begin NAME -->` and `<!-- end NAME -->`, and BLOCKS says what makes it. All words
outside of blocks are written by hand and hold no number that a run decides.
"""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from bench.table import markdown
from brisc.analysis.costs import core_seconds
from brisc.analysis.findings.copies import worths
from brisc.analysis.findings.scores import ASKED, scores
from brisc.analysis.results import Record, Results, read_results
from brisc.analysis.standing import Pair, tiers
from brisc.atomic import write_text
from brisc.config import read_yaml, resolve
from brisc.errors import InputError
from brisc.report.cells import DASH, Cell, Table, percent, setting, signed_points, with_interval
from brisc.report.heads import DISPLAYS
from brisc.report.tables.scores import measured
from brisc.vocabulary import HEADS
from pipeline import command

Json = dict[str, Any]
Scores = Mapping[str, Record]  # of a run by subset

LATEST = "reports/laptop"
MODELS = "src/brisc/models"
BLOCK = re.compile(r"(<!-- begin (\w+) -->\n)(.*?)(<!-- end \2 -->)", re.S)

# A question about two runs: the first less the second, by the primary metric of a head.
QUESTIONS = (
    ("Does a BiFPN for a decoder help?", "bifpn_unet", "unet", "mask"),
    ("Do attention gates on the skips help?", "attention_unet", "unet", "mask"),
    ("Does training on healthy slices as well cost anything?", "unet_healthy", "unet", "mask"),
    ("Does a label head cost the mask anything?", "joint", "unet_healthy", "mask"),
    ("Does a mask head cost the label anything?", "joint", "label_only", "label"),
    ("Do learned weights of the losses help the mask?", "joint_uncertainty", "joint", "mask"),
    ("Do they help the label?", "joint_uncertainty", "joint", "label"),
    ("Does the best classifier of the study beat the U-Net's encoder?", "densenet121", "label_only", "label"),
    ("Does an encoder that knows ImageNet segment better?", "unet_lite0", "unet", "mask"),
    ("Does a net that knows ImageNet classify better?", "efficientnet_lite0", "densenet121", "label"),
    ("Than the same net from scratch?", "efficientnet_lite0", "efficientnet_lite0-scratch", "label"),
)

FINDING = """\
**We found that {copied} of the {images:,} test slices of BRISC 2025 are also in train**, {mirrored} of them
mirrored left to right; `clean` leaves them out. Copying the mask of the most similar train slice, which
learns nothing, gives a mean Dice of {dice[0]} % on `official` and {dice[1]} % on `clean`; copying its class,
an accuracy of {accuracy[0]} % and {accuracy[1]} %. On `clean` {masks} segmentation models and {labels}
classifiers have their whole interval above that."""
WORTH = """\
Having seen the copies gives `{model}` {worth} points of `{measure}` on `official`, against having
seen as many others ({trainings}). Without them it still changes by {fall} points from `official` to
`clean`, by {mixed} with the classes mixed as in `official`."""
TRAININGS = """\
Percent, with 95 % intervals from a bootstrap over groups of similar slices. {parts}: {number} trainings,
{hours:.1f} hours, {core_hours:.1f} core-hours; the study counts about {theirs} GPU-hours for its own."""

KINDS = {
    "model": ("model", "models"),
    "seed": ("seed", "seeds"),
    "pruned": ("without copies or as many others",) * 2,
    "fold": ("fold", "folds"),
    "recipe": ("recipe", "recipes"),
    "grid": ("cell of the grid", "cells of the grid"),
}


def main() -> int:
    root = Path.cwd()
    for page in pages(root):
        text = page.read_text(encoding="utf-8")
        if (made := filled(text, root, page)) != text:
            write_text(page, made)
            print(f"Written: {page.relative_to(root)}")
    return 0


def pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def filled(text: str, root: Path, page: Path) -> str:
    """`text` with each block made anew. Raises InputError for a block that nothing makes."""

    def block(found: re.Match[str]) -> str:
        name = found.group(2)
        if name not in BLOCKS:
            raise InputError(
                "a block that nothing makes",
                where=page,
                got=name,
                expected=f"one of {', '.join(sorted(BLOCKS))}",
                mend="Correct the name, or add it to BLOCKS in pipeline/docs.py.",
            )
        return f"{found.group(1)}{BLOCKS[name](root).rstrip()}\n{found.group(4)}"

    return BLOCK.sub(block, text)


def results(root: Path) -> str:
    """Each model on the test images, beside the study's figures, and what all trainings took."""
    found = _found(root)
    rows = []
    for model in found.models:
        name = f"`{model}`" if found.runs.record(model)["of_study"] else f"`{model}`, not of the study"
        theirs = found.published_model(model).content.get("test", {})
        scores, heads = found.subsets(model), {head.name for head in found.heads(model)}
        mask = _mask(scores, theirs) if "mask" in heads else [""] * 5
        label = [_published(theirs, "accuracy"), *_asked(scores, "label")] if "label" in heads else [""] * 3
        rows.append([name, *mask, *label])
    header = ["model", "`dice_study`: published", "official", "`dice_per_image`: official", "clean"]
    header += ["false positives", "accuracy: published", "official", "clean"]
    return f"{Table('', header, rows).markdown()}\n\n{_trainings(root)}"


def _mask(scores: Scores, published: Json) -> list[str | Cell]:
    official = scores["official"]
    seen = official.record("false_alarms")
    return [
        _published(published, "dice_study"),
        percent(official["dice_study"]),
        *_asked(scores, "mask"),
        f"{seen['images']} of {seen['n']}",
    ]


def _asked(scores: Scores, head: str) -> list[str | Cell]:
    """The primary metric of a head on the subsets of every question."""
    metric = DISPLAYS[head].metric(HEADS[head].primary)
    return [measured(scores[subset], metric) for subset in ASKED]


def _published(figures: Json, metric: str) -> str:
    return f"{figures[metric]:.2f}" if metric in figures else ""


def _trainings(root: Path) -> str:
    costs = pd.read_csv(root / LATEST / "costs.csv")
    number = {kind: int((costs["kind"] == kind).sum()) for kind in KINDS}
    return TRAININGS.format(
        parts=", ".join(f"{count} {KINDS[kind][count > 1]}" for kind, count in number.items() if count),
        number=len(costs),
        hours=costs["seconds"].sum() / 3600,
        core_hours=core_seconds(costs) / 3600,
        theirs=_json(root / "published.json")["study"]["gpu_hours"],
    )


def finding(root: Path) -> str:
    """The copies, what a method reaches that learns nothing, and what having seen them is worth."""
    found = _found(root)
    audit, (mask, label) = found.audit, (scores(found, head).baselines for head in HEADS.values())
    copies = FINDING.format(
        copied=audit.record("test_with_copy_in_train")["total"],
        images=audit.record("images")["test"],
        mirrored=audit.record("test_with_copy_in_train_by_relation")["mirrored"],
        dice=[percent(each.value) for each in mask],
        accuracy=[percent(each.value) for each in label],
        masks=f"{mask[-1].above} of {mask[-1].models}",
        labels=f"{label[-1].above} of {label[-1].models}",
    )
    return "\n".join([copies, *_worths(found)])


def _worths(found: Results) -> Iterator[str]:
    for one in worths(found.beyond):
        fall = one.unseen
        yield WORTH.format(
            model=one.model,
            measure=one.measure,
            worth=with_interval(one.worth, one.low, one.high, signed_points, DASH),
            trainings="one training each" if one.seeds == 1 else f"{one.seeds} trainings each",
            fall=with_interval(fall.change, fall.low, fall.high, signed_points, DASH),
            mixed=DASH if fall.mixed is None else signed_points(fall.mixed),
        )


def differences(root: Path) -> str:
    """With the runs that are not trained yet."""
    found = _found(root)
    rows = []
    for question, model, baseline, name in QUESTIONS:
        head = HEADS[name]
        pairs = [tiers(found, head, subset).pair(model, baseline) for subset in ASKED]
        shown = ["not trained yet" if pair is None else _difference(pair) for pair in pairs]
        rows.append([question, f"`{model}` less `{baseline}`", f"`{head.primary}`", *shown])
    header = ["question", "difference", "metric", "official", "clean"]
    return Table("", header, rows, left=3).markdown()


def _difference(pair: Pair) -> str:
    told = with_interval(pair.difference, pair.low, pair.high, signed_points, DASH)
    return f"{told}, {'significant' if pair.significant else 'not significant'}"


def seeds(root: Path) -> str:
    """The runs that differ in the seed alone, each below the model that it is like."""
    found = _found(root)
    runs = found.runs.records()
    like = {name: run["like"] for name, run in runs.items() if run["kind"] == "seed"}
    if not like:
        return "None was repeated yet."
    rows = []
    for model in dict.fromkeys(like.values()):
        for run in (name for name in runs if model in (name, like.get(name))):
            seed, head = runs[run].record("settings")["seed"], found.heads(run)[0]
            rows.append(
                [f"`{model}`", f"`{head.primary}`", f"{seed}", *_asked(found.subsets(run), head.name)]
            )
    return Table("", ["model", "metric", "seed", "official", "clean"], rows, left=2).markdown()


def runs(root: Path) -> str:
    """Every run of laptop but those that repeat another with another seed, and what it changes."""
    rows = []
    for name in read_yaml(root / "profiles/laptop.yaml")["runs"]:
        run = resolve("laptop", name)
        if run.changes.keys() != {"seed"}:
            changes = ", ".join(f"{key} {setting(value)}" for key, value in _changes(run.changes))
            rows.append([f"`{name}`", run.kind, f"`{run.like}`" if run.like else "", changes])
    return Table("", ["run", "kind", "like", "changes"], rows, left=4).markdown()


def _changes(changes: Json) -> Iterator[tuple[str, Any]]:
    """Of a model with an architecture of its own nothing else but that it is pretrained."""
    own = "model.arch" in changes
    for key, value in changes.items():
        told = key == "model.arch" or (key == "model.pretrained" and value)
        if told or not (own and key.startswith("model.")):
            yield key.removeprefix("model."), value


def architectures(root: Path) -> str:
    """What each file of models/ says of itself in the first paragraph."""
    files = sorted(path for path in (root / MODELS).glob("*.py") if path.stem not in ("__init__", "blocks"))
    rows = []
    for path in files:
        told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        rows.append([f"[`{path.stem}`](../{MODELS}/{path.name})", " ".join(told.split("\n\n")[0].split())])
    return Table("", ["arch", "is"], rows, left=2).markdown()


def stages(root: Path) -> str:
    rows = [
        [f"`{name}`", stage["desc"], _outputs(stage)]
        for name, stage in read_yaml(root / "dvc.yaml")["stages"].items()
    ]
    return Table("", ["stage", "does", "writes"], rows, left=3).markdown()


def _outputs(stage: Json) -> str:
    """By folder, as a shell has it; P stands for the profile and <run> for a run."""
    folders: dict[str, list[str]] = defaultdict(list)
    for out in (*stage.get("outs", ()), *stage.get("metrics", ())):
        path = next(iter(out)) if isinstance(out, dict) else out
        path = re.sub(r"\$\{item\.(\w+)\}", r"<\1>", path).replace("<profile>", "P")
        folder, _, name = path.rpartition("/")
        folders[folder].append(name)
    sets = {
        folder: names[0] if len(names) == 1 else f"{{{','.join(names)}}}" for folder, names in folders.items()
    }
    return ", ".join(f"`{folder}/{names}`" for folder, names in sets.items())


def profiles(root: Path) -> str:
    rows = []
    for name in ("demo", "laptop", "paper"):
        profile = read_yaml(root / f"profiles/{name}.yaml")
        train, runs = profile["train"], profile["runs"]
        epochs = sorted({train["epochs"], *(run["epochs"] for run in runs.values() if _is_model(run))})
        rows.append(
            [
                f"`{name}`",
                "phantoms" if profile["data"]["source"] == "phantom" else "BRISC 2025",
                f"{profile['prepare']['size']}",
                f"{runs['unet']['model']['base_channels']}",
                " or ".join(map(str, epochs)) if len(epochs) <= 2 else f"{epochs[0]} to {epochs[-1]}",
                f"{train['batch_size']}",
                f"{profile['grid']['epochs']}",
            ]
        )
    header = ["profile", "data", "side, px", "base width", "epochs, at most", "batch", "epochs of the grid"]
    return Table("", header, rows, left=2).markdown()


def _is_model(run: Json) -> bool:
    return "epochs" in run and run.get("judge") != "validation"


def bench(root: Path) -> str:
    return markdown(_json(root / "bench/results.json"))


BLOCKS: dict[str, Callable[[Path], str]] = {
    made.__name__: made
    for made in (results, finding, differences, seeds, runs, architectures, stages, profiles, bench)
}


@cache
def _found(root: Path) -> Results:
    return read_results(
        root / LATEST,
        profile=Path(LATEST).name,
        published=root / "published.json",
        estimate=root / "reports/paper/estimate.json",
    )


def _json(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    command.run(main)
