"""The README says what the committed results say."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brisc.analysis.costs import core_seconds
from brisc.report.cells import signed_points
from brisc.report.tables.cost import PARTS
from brisc.report.words import hours

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LAPTOP = ROOT / "reports/laptop"
METRICS = json.loads((LAPTOP / "metrics.json").read_text())
SUBSETS = ("official", "clean", "strict")


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def with_interval(scores: dict[str, Any], name: str) -> str:
    mean, low, high = (percent(scores[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{mean} [{low}, {high}]"


def cost(scores: dict[str, Any]) -> str:
    return f"{scores['cost']['epochs']} epochs, {round(scores['cost']['seconds'] / 60)} min"


def published(model: str, name: str) -> str:
    models = json.loads((ROOT / "published.json").read_text())["models"]
    return str(models.get(model, {}).get("test", {}).get(name, ""))


def masks() -> list[str]:
    lines = [
        "| model | published `dice_study` | ours, official | ours, per image: official | clean | strict | false alarms | cost |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for model, scores in METRICS.items():
        if "dice_study" in scores["official"]:
            alarms = scores["official"]["false_alarms"]
            cells = [
                f"`{model}`",
                published(model, "dice_study"),
                percent(scores["official"]["dice_study"]),
                *(with_interval(scores[subset], "dice_per_image") for subset in SUBSETS),
                f"{alarms['images']} of {alarms['n']}",
                cost(scores),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def labels() -> list[str]:
    lines = [
        "| model | published accuracy | ours, official | clean | strict | macro F1, clean | cost |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for model, scores in METRICS.items():
        if "accuracy" in scores["official"]:
            cells = [
                f"`{model}`",
                published(model, "accuracy"),
                *(with_interval(scores[subset], "accuracy") for subset in SUBSETS),
                percent(scores["clean"]["f1_macro"]),
                cost(scores),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def results_table() -> str:
    """Masks, then labels where there are any; a net with both heads is in both."""
    tables = [table for table in (masks(), labels()) if len(table) > 2]
    return "\n\n".join("\n".join(table) for table in [*tables, [in_all()]])


def in_all() -> str:
    costs = pd.read_csv(LAPTOP / "costs.csv")
    counts = {words: (costs["part"] == part).sum() for part, words in PARTS.items()}
    parts = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    spent = f"{hours(costs['seconds'].sum())} hours, {hours(core_seconds(costs))} core-hours"
    theirs = json.loads((ROOT / "published.json").read_text())["study"]["gpu_hours"]
    study = f"The study counts about {theirs} GPU-hours for its own, larger ones."
    return f"All {len(costs)} trainings ({parts}): {spent}. {study}"


def test_the_results_table_is_the_committed_result() -> None:
    shown = re.search(r"<!-- results: .*? -->\n(.*?)\n<!-- /results -->", README, re.S)
    assert shown is not None
    assert shown.group(1) == results_table()


def test_every_path_the_readme_links_to_exists() -> None:
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert links
    assert [target for target in links if not (ROOT / target).exists()] == []


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake (\w+)\b", README)) - {"and"} <= targets


def test_the_finding_is_the_committed_audit() -> None:
    audit = json.loads((ROOT / "reports/laptop/audit.json").read_text())
    copies, images = audit["test_with_copy_in_train"]["total"], audit["images"]["test"]
    assert f"{copies} of the {images:,} test slices" in README
    nearest = audit["baselines"]["nearest_mask"]
    assert f"a mean Dice of {percent(nearest['official']['dice'])} %" in README
    nearest_class = audit["baselines"]["nearest_class"]
    assert f"its class an accuracy of {100 * nearest_class['official']['accuracy']:.1f} %" in README
    reached = f"{percent(nearest['clean']['dice'])} % and {100 * nearest_class['clean']['accuracy']:.1f} %"
    assert f"on `clean`, where the copy reaches {reached}" in README


def test_what_is_said_of_the_u_net_is_the_committed_result() -> None:
    unet = METRICS["unet"]
    short = float(published("unet", "dice_study")) - float(percent(unet["official"]["dice_study"]))
    assert f"The U-Net is {short:.2f} points\nshort of its published" in README
    assert f"rose from 75.96 to {percent(unet['validation']['dice_per_image'])} when" in README
    glioma, meningioma = (
        100 * unet["official"]["by_class"][name]["dice_per_image"] for name in ("glioma", "meningioma")
    )
    assert f"gliomas ({glioma:.1f} on `official`, against {meningioma:.1f} of meningiomas)" in README


def test_the_nets_that_are_ahead_of_the_copy_on_clean_are_named() -> None:
    nearest = json.loads((LAPTOP / "audit.json").read_text())["baselines"]
    copies = {
        "dice_per_image": nearest["nearest_mask"]["clean"]["dice"],
        "accuracy": nearest["nearest_class"]["clean"]["accuracy"],
    }
    ahead = [
        model
        for model, scores in METRICS.items()
        if all(
            scores["clean"][f"{measure}_low"] > copy
            for measure, copy in copies.items()
            if measure in scores["clean"]
        )
    ]
    assert f"whole interval above it: {', '.join(f'`{model}`' for model in ahead)}." in README


def test_what_is_said_of_densenet_is_the_committed_comparison() -> None:
    subsets = json.loads((LAPTOP / "comparisons.json").read_text())["heads"]["label"]["subsets"]
    for subset in ("official", "clean"):
        assert subsets[subset]["order"][0]["model"] == "densenet121"
        pairs = [pair for pair in subsets[subset]["pairs"] if "densenet121" in (pair["a"], pair["b"])]
        apart = {({pair["a"], pair["b"]} - {"densenet121"}).pop(): pair["told_apart"] for pair in pairs}
        assert apart == {
            "mobilenetv2": True,
            "efficientnet_b0": True,
            "joint": False,
            "label_only": False,
            "joint_uncertainty": False,
        }
    costs = pd.read_csv(LAPTOP / "costs.csv")
    spent = {
        model: core_seconds(costs[costs["training"] == model]) for model in ("label_only", "densenet121")
    }
    assert 0.45 < spent["label_only"] / spent["densenet121"] < 0.55
    assert "(`label_only`, trained with half the core-hours)" in README


def test_what_is_said_of_the_joint_net_is_the_committed_comparison() -> None:
    entries = json.loads((LAPTOP / "comparisons.json").read_text())["joint_against_separate"]["subsets"][
        "official"
    ]
    for measure, separate, words in (
        ("dice_study", "unet_healthy", " points of `dice_study`\n(95 % interval "),
        ("accuracy", "label_only", " points of accuracy ("),
    ):
        entry = next(
            e for e in entries if (e["joint"], e["separate"], e["measure"]) == ("joint", separate, measure)
        )
        difference, low, high, theirs = (
            signed_points(entry[key]) for key in ("difference", "low", "high", "published")
        )
        assert f"{difference}{words}{low} to {high})" in README
        assert entry["like_for_like"]
        assert not entry["told_apart"]
        assert theirs in README
    heads = json.loads((LAPTOP / "comparisons.json").read_text())["heads"]
    tests = [
        pair for head in heads.values() for subset in head["subsets"].values() for pair in subset["pairs"]
    ]
    learned = [pair for pair in tests if {pair["a"], pair["b"]} == {"joint", "joint_uncertainty"}]
    assert len(learned) == 2 * 4  # heads, subsets with validation
    assert not any(pair["told_apart"] for pair in learned)


def test_what_is_said_of_healthy_slices_is_the_committed_result() -> None:
    alarms = {model: METRICS[model]["official"]["false_alarms"] for model in ("unet", "unet_healthy")}
    assert f"sees a tumour in {alarms['unet']['images']} of {alarms['unet']['n']} healthy slices" in README
    assert f"(`unet_healthy`), in {alarms['unet_healthy']['images']}, " in README
    lost = (
        METRICS["unet"]["official"]["dice_per_image"] - METRICS["unet_healthy"]["official"]["dice_per_image"]
    )
    assert f"it loses {percent(lost)} points of per-image Dice" in README
    pairs = json.loads((LAPTOP / "comparisons.json").read_text())["heads"]["mask"]["subsets"]["official"][
        "pairs"
    ]
    assert next(pair for pair in pairs if {pair["a"], pair["b"]} == {"unet", "unet_healthy"})["told_apart"]


def test_what_is_said_of_the_other_classifiers_is_the_committed_result() -> None:
    history = pd.read_csv(LAPTOP / "history.csv")
    short = {
        model: float(published(model, "accuracy")) - float(percent(METRICS[model]["official"]["accuracy"]))
        for model in ("efficientnet_b0", "mobilenetv2")
    }
    assert (
        f"EfficientNet-B0 is {short['efficientnet_b0']:.2f} points short of it, MobileNetV2 {short['mobilenetv2']:.2f}"
        in README
    )
    last = history.groupby("model")["train_loss"].last()
    assert (
        f"still {last['efficientnet_b0']:.2f} and {last['mobilenetv2']:.2f}\n(DenseNet {last['densenet121']:.2f})"
        in README
    )


def test_what_is_said_of_the_best_segmenter_is_the_committed_comparison() -> None:
    subsets = json.loads((LAPTOP / "comparisons.json").read_text())["heads"]["mask"]["subsets"]
    for subset, words in (
        ("official", " points of per-image Dice over `unet` on `official`\n(95 % interval "),
        ("clean", " on `clean` ("),
    ):
        assert subsets[subset]["order"][0]["model"] == "bifpn_unet"
        pair = next(
            pair for pair in subsets[subset]["pairs"] if (pair["a"], pair["b"]) == ("bifpn_unet", "unet")
        )
        difference, low, high = (signed_points(pair[key]) for key in ("difference", "low", "high"))
        assert f"{difference}{words}{low} to {high}" in README
        assert pair["told_apart"] is (subset == "official")
        assert len(subsets[subset]["pairs"]) == 15
    costs = {model: METRICS[model]["cost"] for model in ("bifpn_unet", "unet")}
    for key, words in (("macs", "of its\nmultiply-adds"), ("parameters", "of its parameters")):
        assert f"{100 * costs['bifpn_unet'][key] / costs['unet'][key]:.0f} % {words}" in README
    assert costs["bifpn_unet"]["latency_ms"] / costs["unet"]["latency_ms"] > 2
    assert published("bifpn_unet", "dice_study") == ""
    seconds = pd.read_csv(LAPTOP / "costs.csv").set_index("training")["seconds"]
    assert (
        seconds["bifpn_unet"] / seconds["unet-43"] > 2
    )  # the first unet was trained before the last gain in speed
    first, *others = json.loads((LAPTOP / "seeds.json").read_text())["unet"].values()
    official, clean = (
        " and ".join(
            signed_points(other[subset]["dice_per_image"] - first[subset]["dice_per_image"])
            for other in others
        )
        for subset in ("official", "clean")
    )
    assert (
        f"other seeds alone move `unet` by {official} points on `official` and by {clean} on `clean`"
        in README
    )
    best = [max(other[subset]["dice_per_image"] for other in others) for subset in ("official", "clean")]
    assert f"leave it behind ({' and '.join(map(percent, best))} at best)" in README
    assert best[0] < METRICS["bifpn_unet"]["official"]["dice_per_image"]
    assert best[1] < METRICS["bifpn_unet"]["clean"]["dice_per_image"]


def test_what_is_said_of_attention_is_the_committed_comparison() -> None:
    subsets = json.loads((LAPTOP / "comparisons.json").read_text())["heads"]["mask"]["subsets"]
    for subset, words in (("official", "on `official` (95 % interval\n"), ("clean", "on `clean` (")):
        pair = next(
            pair for pair in subsets[subset]["pairs"] if {pair["a"], pair["b"]} == {"unet", "attention_unet"}
        )
        sign = 1 if pair["a"] == "attention_unet" else -1
        low, high = sorted(sign * pair[key] for key in ("low", "high"))
        difference, low, high = (signed_points(value) for value in (sign * pair["difference"], low, high))
        said = " of per-image Dice" if subset == "official" else ""
        points = " points" if subset == "official" else ""
        assert f"{difference}{points}{said} {words}{low} to {high}" in README
        assert pair["told_apart"] is (subset == "official")
    entries = {
        entry["subset"]: entry
        for entry in json.loads((LAPTOP / "comparisons.json").read_text())["seeds"]["pairs"]
        if (entry["a"], entry["b"], entry["measure"]) == ("unet", "attention_unet", "dice_per_image")
    }
    official, clean = (
        " and ".join(signed_points(-entries[subset]["differences"][seed]) for seed in ("43", "44"))
        for subset in ("official", "clean")
    )
    assert f"With two more seeds it is {official} on `official`,\n{clean} on `clean`." in README
    assert {entry["n"] for entry in entries.values()} == {3}
    over = {
        subset: [signed_points(-entries[subset][key]) for key in ("mean", "high", "low")]
        for subset in ("official", "clean")
    }
    mean, low, high = over["official"]
    assert (
        f"Over the three seeds that is {mean} on `official` (95 % interval over seeds {low} to {high}, which"
        in README
    )
    mean, low, high = over["clean"]
    assert f"and {mean} on `clean` ({low} to {high})" in README
    ahead = [-difference for difference in entries["validation"]["differences"].values() if difference < 0]
    assert (
        f"On validation one seed of the three has attention ahead ({' '.join(map(signed_points, ahead))})."
        in README
    )


def test_what_is_said_of_the_grid_is_the_committed_ranking() -> None:
    grid = json.loads((LAPTOP / "grid.json").read_text())
    published_grid = json.loads((ROOT / "published.json").read_text())["grid"]
    cells = {(cell["optimizer"], cell["learning_rate"]): cell for cell in grid["cells"]}
    assert set(cells) == {
        (name, rate)
        for name in ("adam", "sgd", "adamw", "rmsprop")
        for rate in (1e-5, 5e-5, 1e-4, 5e-4, 1e-3)
    }
    assert f"(U-Net, {grid['epochs']} epochs each, on validation alone)" in README
    assert f"The published cells had {published_grid['epochs']} epochs" in README
    leaders = [
        cells[key]
        for key in (("adam", 5e-4), ("adamw", 1e-3), ("adamw", 5e-4), ("adam", 1e-3), ("rmsprop", 5e-4))
    ]
    assert [cell for cell in grid["cells"] if cell["rank_first"] == 1] == leaders
    best, *tied = (percent(cell["score"]) for cell in leaders)
    assert (
        f"Adam at 5e-4 has the highest Dice, {best} %, and four more\ncells may be the best as well: "
        in README
    )
    assert (
        f"AdamW at 1e-3 ({tied[0]}), AdamW at 5e-4 ({tied[1]}), Adam at 1e-3 ({tied[2]}) and RMSprop"
        in README
    )
    assert f"RMSprop at 5e-4 ({tied[3]})." in README
    scores = (
        pd.DataFrame(grid["cells"])
        .pivot(index="optimizer", columns="learning_rate", values="score")
        .drop("sgd")
    )
    assert "Among these\nthree the rate matters more than the optimiser." in README
    assert np.ptp(scores, axis=0).max() < 0.2 * np.ptp(scores, axis=1).min()
    theirs = [
        (published_grid[name]["optimizer"], published_grid[name]["learning_rate"]) for name in ("best", "log")
    ]
    assert theirs == [("adam", 5e-5), ("rmsprop", 5e-5)]
    table, log = (percent(cells[key]["score"]) for key in theirs)
    assert f"Adam at 5e-5, the best of the published table, reaches {table}, and RMSprop" in README
    assert f"RMSprop at 5e-5, the best of the\npublished log, {log}:" in README
    assert {cells[key]["rank_first"] for key in theirs} == {10}
    assert f": 9 of the {len(cells) - 1} other cells are better than either." in README
    highest, lower, *_ = sorted(
        (cell["score"] for (name, _), cell in cells.items() if name == "sgd"), reverse=True
    )
    assert cells["sgd", 1e-3]["score"] == highest
    assert (
        f"SGD learns at the highest rate alone: 1e-3 gives {percent(highest)}, and no lower one reaches 7."
        in README
    )
    assert lower < 0.07


def test_what_is_said_of_recipes_is_the_committed_comparison() -> None:
    ablation = json.loads((LAPTOP / "ablation.json").read_text())
    rows = {(row["recipe"], row["flips"]): row for row in ablation["rows"]}
    bare, flips = rows["no_augmentation", False], rows["plain", True]
    said = f"{ablation['epochs']} epochs each: without any augmentation it reaches a Dice of {percent(bare['score'])} %, "
    difference, low, high = (signed_points(bare[f"difference{end}"]) for end in ("", "_low", "_high"))
    assert f"{said}{difference} points\nagainst the plain recipe (95 % interval {low} to {high})" in README
    difference, low, high = (signed_points(flips[f"difference{end}"]) for end in ("", "_low", "_high"))
    assert f"a mean over the flips of the image adds {difference} ({low} to {high})" in README
    assert {name for name, row in rows.items() if row["verdict"] == "better"} == {
        ("no_augmentation", False),
        ("plain", True),
    }
    assert rows["ema", False]["verdict"] == rows["other_schedule", False]["verdict"] == "cannot be told"
    assert 3 * ablation["epochs"] == METRICS["unet"]["cost"]["epochs"]
    assert "Ten epochs are a third of what the nets above had" in README
    longer = json.loads(
        (ROOT / "reports/archive/2026-11-26-laptop-unet-unaugmented/summary.json").read_text()
    )
    bare_for_longer = percent(longer["best_validation_score"])
    assert longer["epochs"] == METRICS["unet"]["cost"]["epochs"]
    assert longer["best_epoch"] < longer["epochs"]
    seeds = json.loads((LAPTOP / "seeds.json").read_text())["unet"].values()
    *some, last = (percent(scores["validation"]["dice_per_image"]) for scores in seeds)
    assert (
        f"the bare recipe stands at {bare_for_longer} and has stopped rising, with augmentation the three seeds reach"
        in README
    )
    assert f"seeds reach {', '.join(some)} and {last}." in README


def test_no_machine_s_path_is_tracked() -> None:
    profiles = [f"profiles/{name}.yaml" for name in ("demo", "laptop", "paper")]
    for name in ("README.md", "Makefile", "dvc.yaml", "params.yaml", "requirements.txt", *profiles):
        assert not re.search(r"(?<!\w)/(root|home|tmp|work)/", (ROOT / name).read_text()), name
