import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from result_files import edit

from brisc.analysis.claims import judge_all
from brisc.analysis.results import Results
from brisc.errors import InputError
from brisc.report.cells import MINUS
from brisc.report.figures import PHANTOM, Chart
from brisc.report.figures.style import STYLE
from brisc.report.render import render, report_text

Build = Callable[..., Path]
Read = Callable[[Path], Results]
Text = Callable[[Path], str]

OF_HEADS = {
    "mask": (
        "segmentation",
        "class_mix",
        "dice_by_stratum",
        "dice_distribution",
        "dice_heatmap",
        "dice_by_size",
    ),
    "label": ("classification", "confusion", "reliability"),
}
OF_COMPARISONS = ("attention", "joint")
OF_GRID = ("grid_heatmap", "grid_ranking", "grid_curves")
OF_AUDIT = ("copies", "similarity", "validation_leak")


@pytest.fixture
def text(read: Read) -> Text:
    """The report of a folder of result files, with empty figures."""

    def make(folder: Path) -> str:
        results = read(folder)
        names = ["learning_curves", "efficiency"]
        names += [
            name
            for head in {head.name for model in results.models for head in results.heads(model)}
            for name in OF_HEADS[head]
        ]
        names += OF_COMPARISONS if len(results.models) == 5 else ()
        names += OF_GRID if results.grid is not None else ()
        names += OF_AUDIT if results.audit is not None else ()
        return report_text(
            results, [Chart(name, f"Caption of {name}.", Figure()) for name in names], judge_all(results)
        )

    return make


def row(text: str, table: str, start: str) -> list[str]:
    """The cells of the first row that starts with `start` in the table whose caption holds `table`."""
    lines = text[text.index(table) :].splitlines()
    return [
        cell.strip()
        for cell in next(line for line in lines if line.startswith(f"| {start}")).strip("|").split("|")
    ]


def chapter(text: str, title: str) -> str:
    """From one heading of the second level to the next."""
    return text[text.index(f"## {title}") :].split("\n## ")[0]


def run(folder: Path, published: Path) -> None:
    render(folder, profile="demo", published=published, estimate=folder.parent / "paper" / "estimate.json")


def test_the_same_input_gives_the_same_bytes_and_nothing_of_an_earlier_report(
    build: Build, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STYLE, "savefig.dpi", 30)  # which saves most of the time that this takes
    folder = build(models=("mobilenetv2",))
    (folder / "figures").mkdir()
    (folder / "figures" / "of_an_earlier_report.png").write_bytes(b"")
    contents = []
    for _ in range(2):
        run(folder, published)
        files = [folder / "report.md", folder / "claims.md", *sorted((folder / "figures").iterdir())]
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert all(
        content.startswith(b"\x89PNG") for name, content in contents[0].items() if name.endswith(".png")
    )
    linked = re.findall(r"!\[Figure \d+\]\(figures/(.*?)\)", contents[0]["report.md"].decode())
    assert sorted(linked) == sorted(name for name in contents[0] if name.endswith(".png"))
    assert not list(folder.glob(".*.tmp"))


def test_tables_and_figures_are_numbered_in_order(five: Path, text: Text) -> None:
    made = text(five)
    for kind, least in (("Table", 40), ("Figure", 18)):
        numbers = [int(n) for n in re.findall(rf"^\*\*{kind} (\d+)", made, flags=re.MULTILINE)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= least


def test_phantoms_are_labelled_wherever_a_number_can_be_cut_out(build: Build, text: Text) -> None:
    made = text(build(source="phantom", models=("unet", "densenet121"), audit=True, compared=True, grid=True))
    captions = re.findall(r"^\*\*(?:Table|Figure) .*", made, flags=re.MULTILINE)
    assert captions
    assert all(f"({PHANTOM}).**" in caption for caption in captions)
    assert made.index(PHANTOM.capitalize()) < made.index("## The answer")
    assert "The published difference" not in made
    assert "of a published" not in made
    assert "What the study says" not in made


def test_real_data_carries_no_phantom_label(five: Path, text: Text) -> None:
    assert "phantom" not in text(five).lower()


@pytest.mark.parametrize(
    "name",
    ["metrics.json", "runs.json", "provenance.json", "validation.json", "history.csv", "per_image/unet.csv"],
)
def test_a_missing_file_is_named_and_nothing_is_written(build: Build, published: Path, name: str) -> None:
    folder = build()
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{re.escape(Path(name).name)}: no such result file"):
        run(folder, published)
    assert not (folder / "report.md").exists()
    assert not (folder / "claims.md").exists()
    assert not (folder / "figures").exists()


def test_missing_published_figures_are_named(build: Build, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: no such result file"):
        run(build(), tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("unet", "official", "dice_per_image"), r"metrics\.json, unet, official: no key 'dice_per_image'"),
        (
            ("unet", "clean", "by_class", "glioma", "n"),
            r"metrics\.json, unet, clean, by_class, glioma: no key 'n'",
        ),
        (("unet", "validation"), r"metrics\.json, unet: no key 'validation'"),
        (("unet", "cost", "seconds"), r"metrics\.json, unet, cost: no key 'seconds'"),
        (("densenet121", "temperature"), r"metrics\.json, densenet121: no key 'temperature'"),
        (("densenet121", "official", "by_label", "glioma", "f1"), r"official, by_label, glioma: no key 'f1'"),
    ],
)
def test_a_missing_metric_is_named_with_its_place(
    copied: Path, text: Text, path: tuple[str, ...], told: str
) -> None:
    def remove(metrics: Any) -> None:
        for key in path[:-1]:
            metrics = metrics[key]
        del metrics[path[-1]]

    edit(copied / "metrics.json", remove)
    with pytest.raises(InputError, match=told):
        text(copied)


# ------------------------------------------------------------------------------------------------------- the
# first screen


def test_the_answer_comes_first_and_fits_a_screen(five: Path, text: Text) -> None:
    made = text(five)
    answer = chapter(made, "The answer")
    assert made.index("## The answer") < made.index("## 1. Segmentation")
    bullets = re.findall(r"^- \*\*(.*?)\.\*\*", answer, flags=re.MULTILINE)
    assert bullets == [
        "Which model draws tumours best",
        "Which model names the class best",
        "With which settings",
        "How sure",
        "Official against clean",
        "Against the study",
    ]
    assert len(answer.split("**Table")[0]) < 3500
    assert answer.count("**Table") == 2


def test_numbers_in_the_text_are_those_of_the_files(build: Build, text: Text) -> None:
    folder = build(source="brisc2025", measured=True)

    def plant(metrics: Any) -> None:
        unet = metrics["unet"]
        unet["official"] |= {"dice_study": 0.84104, "dice_study_low": 0.82, "dice_study_high": 0.86}
        unet["official"] |= {"dice_per_image": 0.82546, "dice_per_image_low": 0.81111}
        unet["official"] |= {"dice_per_image_high": 0.83999, "hd95_px": 7.26, "n_pairs": 860}
        unet["clean"] |= {
            "dice_per_image": 0.80009,
            "dice_per_image_low": 0.78,
            "dice_per_image_high": 0.81996,
        }
        unet["clean"]["class_weighted"]["dice_per_image"] = 0.81004
        unet["official"]["false_alarms"] = {
            "n": 140,
            "images": 14,
            "rate": 0.1,
            "low": 0.0605,
            "high": 0.1611,
            "mean_pixels": 3.14,
        }
        unet["cost"] |= {"parameters": 31_040_000, "seconds": 5160.0, "images_per_second": 12.34}

    edit(folder / "metrics.json", plant)
    made = text(folder)
    assert row(made, "**Table 1", "`unet`")[1:5] == [
        "88.22",
        "84.10 [82.00, 86.00]",
        "82.55 [81.11, 84.00]",
        "80.01 [78.00, 82.00]",
    ]
    assert row(made, "**Table 1", "`unet`")[-1] == "10.0 [6.0, 16.1]"
    study = row(made, "beside the published figures", "Dice, study average")
    assert study[1:4] == ["yes", "88.22", "84.10 [82.00, 86.00]"]
    assert row(made, "beside the published figures", "HD95, px")[3] == "7.3"
    assert row(made, "beside the published figures", "n, tumour slices")[3] == "860"
    assert (
        f"the `dice_per_image` of `unet` changes by **{MINUS}2.54 points** ({MINUS}1.54 with the classes mixed"
        in made
    )
    assert "a tumour is seen in 14 of 140 healthy slices" in made
    assert (
        "Training took 86 min on Some Processor, at 12.3 images/s. All 2 trainings took 1.7 hours, 3.1 core-hours; "
        in made
    )
    assert "3.1 core-hours; the study counts about 52 hours of a GPU for its own" in made


def test_the_settings_are_those_of_the_model_with_the_highest_mean(copied: Path, text: Text) -> None:
    def order(comparisons: Any) -> None:
        block = comparisons["heads"]["mask"]["subsets"]["official"]
        block["order"].sort(key=lambda standing: standing["model"] != "joint")

    edit(copied / "comparisons.json", order)
    edit(
        copied / "runs.json",
        lambda runs: runs["joint"]["run"]["optimizer"].update(name="sgd", learning_rate=0.01),
    )
    line = next(
        line for line in chapter(text(copied), "The answer").splitlines() if "With which settings" in line
    )
    assert "`joint`: 64 x 64 px, sgd at a rate of 0.01, at most 3 epochs, base channels 16" in line
    assert "adam at 5e-05 has the highest validation Dice, **80.00 %** (95 % interval 77.00 to 83.00)" in line
    assert "1 other may be the best as well (95 % ranges of ranks): adamw at 5e-05" in line


# ---------------------------------------------------------------------------------------------------------
# the questions


def test_every_question_has_a_chapter_with_a_figure_and_a_paragraph(five: Path, text: Text) -> None:
    made = text(five)
    titles = re.findall(r"^## (\d)\. (\w+)", made, flags=re.MULTILINE)
    assert titles == [
        ("1", "Segmentation"),
        ("2", "Attention"),
        ("3", "Classification"),
        ("4", "Efficiency"),
        ("5", "Joint"),
        ("6", "Grid"),
        ("7", "Recipe"),
        ("8", "Data"),
    ]
    for number, title in titles:
        part = chapter(made, f"{number}. {title}")
        assert ("**Table" if title == "Recipe" else "![Figure") in part
        assert re.search(r"^[A-Z`].{80,}\.$", part.replace("\n\n", "\n"), flags=re.MULTILINE)
        assert "left out" not in part


@pytest.mark.parametrize(
    ("title", "told"),
    [
        (
            "2. Attention",
            "`attention_unet` and `unet` are not both in this report, so this question is left out.",
        ),
        ("3. Classification", "No model of this report names the class, so this question is left out."),
        ("5. Joint", "Joint and separate nets are not both in this report, so this question is left out."),
        ("6. Grid", "No grid of optimisers and rates was run in this profile, so this question is left out."),
        ("7. Recipe", "No recipes of training were compared in this profile, so this question is left out."),
        ("8. Data", "No audit was run: copies of test images in train were not looked for."),
    ],
)
def test_a_question_without_results_is_one_sentence(build: Build, text: Text, title: str, told: str) -> None:
    part = chapter(text(build(source="brisc2025")), title)
    assert told in part
    assert "![Figure" not in part


def test_what_learns_nothing_is_held_against_whole_intervals(copied: Path, text: Text) -> None:
    def plant(metrics: Any) -> None:
        for model, low in (("unet", 0.42), ("attention_unet", 0.40), ("joint", 0.5)):
            metrics[model]["official"]["dice_per_image_low"] = low  # the nearest mask has 0.41

    edit(copied / "metrics.json", plant)
    assert "gives 41.00 % on official, where 2 of 3 models have the whole interval above it" in text(copied)


def test_the_cheapest_of_those_that_are_not_told_apart(copied: Path, text: Text) -> None:
    def costs(metrics: Any) -> None:
        for model, macs in (("unet", 4e9), ("attention_unet", 2e9), ("joint", 1e9)):
            metrics[model]["cost"]["macs"] = macs

    def order(comparisons: Any) -> None:
        block = comparisons["heads"]["mask"]["subsets"]["official"]
        block["order"].sort(key=lambda standing: ("unet", "attention_unet", "joint").index(standing["model"]))
        for pair in block["pairs"]:
            pair["told_apart"] = "joint" in (pair["a"], pair["b"])

    edit(copied / "metrics.json", costs)
    edit(copied / "comparisons.json", order)
    part = chapter(text(copied), "4. Efficiency")
    assert (
        "as far as they are told apart, `attention_unet` is the cheapest: 2,000 million multiply-adds" in part
    )
    assert "50 % of the multiply-adds of `unet`" in part
    assert (
        "By estimate, of 5 models of the `paper` profile at 256 x 256 px and 16 images a step 4 fit and 1 is tight on a GPU"
        in part
    )


def test_joint_against_separate_says_what_remains(copied: Path, text: Text) -> None:
    def plant(comparisons: Any) -> None:
        comparisons["joint_against_separate"]["subsets"]["official"][0] |= {
            "n": 860,
            "difference": -0.02,
            "low": -0.05,
            "high": 0.01,
            "remains": 0.407,
            "remains_low": -0.204,
            "remains_high": 1.018,
        }

    edit(copied / "comparisons.json", plant)
    part = chapter(text(copied), "5. Joint")
    assert (
        f"{MINUS}2.00 points of `dice_study` against `unet` (n = 860, 95 % interval {MINUS}5.00 to +1.00; not told apart), of a "
        f"published {MINUS}4.91: 41 % [{MINUS}20, 102] of that gap remains"
    ) in part


def test_the_most_common_confusion_is_named(copied: Path, text: Text) -> None:
    def plant(metrics: Any) -> None:
        for model in ("mobilenetv2", "densenet121", "joint"):
            for true, row in metrics[model]["official"]["confusion"].items():
                row.update({said: 10 if said == true else 0 for said in row})
        metrics["joint"]["official"]["confusion"]["glioma"]["meningioma"] = 5
        metrics["densenet121"]["official"]["confusion"]["pituitary"]["glioma"] = 4

    edit(copied / "metrics.json", plant)
    assert (
        "Of 9 mistakes on official by 3 models, 5 call glioma meningioma, the most common confusion."
        in text(copied)
    )


# --------------------------------------------------------------------------------------------------------------
# the rest


def test_only_what_is_published_with_the_same_definition_is_like_for_like(build: Build, text: Text) -> None:
    made = text(build(source="brisc2025"))
    marked = [
        line for line in made.splitlines() if line.startswith("| ") and "| yes | " in line and "(`" in line
    ]
    assert [re.search(r"`(\w+)`", line)[1] for line in marked] == [
        "dice_study",
        "iou_study",
        "pixel_accuracy",
    ]  # type: ignore[index]
    unpublished = row(made, "beside the published figures", "Dice, mean per image")
    assert unpublished[1] == ""
    assert unpublished[2].startswith("\N{EN DASH}")


def test_undefined_numbers_are_dashes_with_a_reason(build: Build, text: Text) -> None:
    folder = build(source="brisc2025", models=("unet", "mobilenetv2"), audit=True)
    path = folder / "metrics.json"

    def empty(metrics: Any) -> None:
        strict, official = metrics["unet"]["strict"], metrics["unet"]["official"]
        labels = metrics["mobilenetv2"]["strict"]
        for block in (
            strict,
            *strict["by_class"].values(),
            *strict["by_plane"].values(),
            labels,
            *labels["by_label"].values(),
        ):
            for key in block:
                if isinstance(block[key], int | float):
                    block[key] = 0 if isinstance(block[key], int) else None
        strict["false_alarms"] = {
            "n": 0,
            "images": 0,
            "rate": None,
            "low": None,
            "high": None,
            "mean_pixels": None,
        }
        strict["class_weighted"]["dice_per_image"] = None
        official |= {"hd95_px": None, "dice_per_image_low": None, "dice_per_image_high": None}

    edit(path, empty)
    # NaN is not JSON, but Python writes and reads it.
    path.write_text(path.read_text().replace('"boundary_dice": null', '"boundary_dice": NaN'))
    assert "NaN" in path.read_text()
    made = text(folder)
    assert not re.findall(r"\b(nan|NaN|None|inf|null)\b", made)
    assert re.search(r"\| HD95, px \(`hd95_px`\) \|.*\N{EN DASH}<sup>\w</sup> \|", made)
    for reason in (
        "no such images",
        "no image here has both a true and a predicted boundary",
        "not measured in this profile",
        "no interval: it takes at least two groups",
        "no healthy slices",
        "a class has no images here",
    ):
        assert reason in made
    for block in made.split("\n\n"):
        if block.startswith("|") and "\N{EN DASH}" in block:
            after = made[made.index(block) + len(block) :]
            assert after.startswith("\n\n\N{EN DASH}: "), block.splitlines()[0]


def test_no_undefined_value_reaches_the_text(five: Path, text: Text) -> None:
    assert not re.findall(r"\b(nan|NaN|None|inf|null)\b", text(five))


def test_without_measured_time_the_report_says_so(build: Build, text: Text) -> None:
    made = text(build(measured=False))
    assert "Time and memory are not measured in this profile" in made
    assert row(made, "What each training cost", "`unet`")[1] == "\N{EN DASH}"


def test_the_cost_of_phantoms_is_not_held_against_the_study(build: Build, text: Text) -> None:
    made = text(build(source="phantom", measured=True))
    assert "All 2 trainings took 1.7 hours, 3.1 core-hours." in made
    assert "hours of a GPU" not in made


def test_without_a_clean_subset_the_report_says_so(build: Build, text: Text) -> None:
    folder = build()
    edit(
        folder / "metrics.json",
        lambda metrics: [metrics["unet"].pop(subset) for subset in ("clean", "strict")],
    )
    made = text(folder)
    assert "The change from official to clean is not known" in made
    assert "ours, clean" not in made


def test_a_classifier_s_published_scores_are_like_for_like(copied: Path, text: Text) -> None:
    def plant(metrics: Any) -> None:
        metrics["mobilenetv2"]["official"] |= {
            "accuracy": 0.95,
            "accuracy_low": 0.93,
            "accuracy_high": 0.97,
            "f1_macro": 0.9444,
        }
        metrics["mobilenetv2"]["official"] |= {"f1_macro_low": None, "f1_macro_high": None}

    edit(copied / "metrics.json", plant)
    made = text(copied)
    assert row(made, "**Table 2", "`mobilenetv2`")[1:3] == ["94.10", "95.00 [93.00, 97.00]"]
    assert row(made, "`mobilenetv2` on the subsets", "F1, mean")[1:3] == ["yes", "94.07"]
    assert row(made, "`mobilenetv2` on the subsets", "F1, mean")[3].startswith("94.44 [")


def test_the_report_imports_neither_torch_nor_dvc() -> None:
    check = (
        "import sys, brisc.report.render, brisc.report.printed; "
        "print(sorted({'torch', 'dvc', 'cv2', 'brisc.evaluation'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_a_grid_without_cells_is_no_grid(copied: Path, text: Text) -> None:
    edit(copied / "grid.json", lambda grid: grid.update(cells=[], optimizers=[], learning_rates=[]))
    for name in ("grid.csv", "grid_history.csv"):
        (copied / name).write_text("\n")
    part = chapter(text(copied), "6. Grid")
    assert "No grid of optimisers and rates was run in this profile, so this question is left out." in part
    assert "![Figure" not in part


def test_what_the_study_says_of_the_grid_is_judged(copied: Path, text: Text) -> None:
    part = chapter(text(copied), "6. Grid")
    assert (
        "held against this grid: that adam at 5e-05 is the best (grid table) cannot be told, since 1 of 19 other cells cannot be "
        "told apart from it; that rmsprop at 5e-05 is the best (grid log) is not supported, since 4 of 19 other cells are "
        "better. The study's cells had 20 epochs; a low rate needs more of them than a high one." in part
    )
    edit(copied / "grid.json", lambda grid: grid.update(epochs=20))
    assert "The study's cells had" not in chapter(text(copied), "6. Grid")


def test_recipes_of_training_are_held_against_the_first(five: Path, text: Text) -> None:
    part = chapter(text(five), "7. Recipe")
    assert (
        "The recipe plain (`unet`, 3 epochs each) reaches a validation Dice of **50.00 %** (n = 30)." in part
    )
    assert "Better than it: plain with flips (+3.00 points)." in part
    assert (
        "Worse: no_augmentation (\N{MINUS SIGN}10.00 points) and no_augmentation with flips (\N{MINUS SIGN}5.00 points)."
        in part
    )
    assert "Not told apart from it: ema (+1.00 points) and ema with flips (0.00 points)." in part
    assert "lost diverged in the first epoch." in part
    assert row(part, "**Table", "plain with flips")[1:7] == [
        "the same",
        "53.00 [50.00, 56.00]",
        "+3.00 [+1.00, +5.00]",
        "0.040",
        "better",
        "3",
    ]
    assert row(part, "**Table", "plain |")[1] == "nothing"
    assert row(part, "**Table", "ema |")[1] == "ema_decay 0.9"
    assert (
        row(part, "**Table", "no_augmentation |")[1]
        == "augment: horizontal_flip 0, vertical_flip 0; schedule none"
    )


def test_recipes_trained_for_another_length_than_their_model_are_told(copied: Path, text: Text) -> None:
    said = "`unet` itself had up to 8 epochs: which recipe helps may change with the length."
    edit(copied / "runs.json", lambda runs: runs["unet"]["run"].update(epochs=8))
    assert f"another seed could change the order. {said}" in chapter(text(copied), "7. Recipe")
    edit(copied / "runs.json", lambda runs: runs["unet"]["run"].update(epochs=3))
    assert "itself had up to" not in chapter(text(copied), "7. Recipe")
    edit(copied / "ablation.json", lambda ablation: ablation.update(model="not_among_the_models"))
    assert "itself had up to" not in chapter(text(copied), "7. Recipe")


def test_an_ablation_without_rows_is_none(copied: Path, text: Text) -> None:
    edit(copied / "ablation.json", lambda ablation: ablation.update(rows=[]))
    assert "so this question is left out" in chapter(text(copied), "7. Recipe")
