"""report.md, details.md and claims.md: what stands where."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_files import HEADS, edit

from brisc.analysis.claims import judge_all
from brisc.analysis.results import Results
from brisc.errors import InputError
from brisc.report.cells import DASH
from brisc.report.figures import PHANTOM, charts
from brisc.report.figures.style import STYLE
from brisc.report.render import render, report_texts

Build = Callable[..., Path]
Read = Callable[[Path], Results]
Texts = Callable[[Path], dict[str, str]]
EVERYTHING = {"grid": True, "recipes": True, "measured": True}


@pytest.fixture
def texts(read: Read) -> Texts:
    """The report and the details of a folder of result files."""

    def make(folder: Path) -> dict[str, str]:
        results = read(folder)
        return report_texts(results, charts(results), judge_all(results))

    return make


def row(text: str, table: str, start: str) -> list[str]:
    """The cells of the first row that starts with `start` in the table whose caption holds `table`."""
    lines = text[text.index(table) :].splitlines()
    found = next(line for line in lines if line.startswith(f"| {start}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


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
        files = [folder / f"{name}.md" for name in ("report", "details", "claims")]
        files += sorted((folder / "figures").iterdir())
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    pictures = [name for name in contents[0] if name.endswith(".png")]
    assert all(contents[0][name].startswith(b"\x89PNG") for name in pictures)
    made = contents[0]["report.md"] + contents[0]["details.md"]
    assert sorted(re.findall(r"!\[Figure D?\d+\]\(figures/(.*?)\)", made.decode())) == sorted(pictures)
    assert not list(folder.glob(".*.tmp"))


def test_each_chart_stands_once_in_one_of_the_two_files(five: Path, texts: Texts, read: Read) -> None:
    linked = re.findall(r"\(figures/(.*?)\.png\)", "".join(texts(five).values()))
    assert sorted(linked) == sorted(chart.name for chart in charts(read(five)))
    assert len(linked) >= 18


def test_tables_and_figures_are_numbered_in_order(five: Path, texts: Texts) -> None:
    made = texts(five)
    for name, prefix in (("report.md", ""), ("details.md", "D")):
        for kind in ("Table", "Figure"):
            numbers = re.findall(rf"^\*\*{kind} (\w+)", made[name], flags=re.MULTILINE)
            assert numbers == [f"{prefix}{i}" for i in range(1, len(numbers) + 1)]
            assert len(numbers) >= 5


def test_the_report_of_all_ten_models_is_short(build: Build, texts: Texts) -> None:
    made = texts(build(source="brisc2025", models=tuple(HEADS), **EVERYTHING))
    assert len(made["report.md"].splitlines()) <= 350
    assert len(made["details.md"].splitlines()) > 500


@pytest.mark.parametrize("name", ["report.md", "details.md"])
def test_phantoms_are_labelled_wherever_a_number_can_be_cut_out(
    build: Build, texts: Texts, name: str
) -> None:
    made = texts(build(source="phantom", models=("unet", "densenet121"), **EVERYTHING))[name]
    captions = re.findall(r"^\*\*(?:Table|Figure) .*", made, flags=re.MULTILINE)
    assert captions
    assert all(f"({PHANTOM}).**" in caption for caption in captions)
    assert made.index(PHANTOM.capitalize()) < made.index("\n## ")


def test_real_data_carries_no_phantom_label(five: Path, texts: Texts) -> None:
    assert "phantom" not in "".join(texts(five).values()).lower()


def test_links_of_the_report_lead_to_headings_of_the_details(five: Path, texts: Texts) -> None:
    made = texts(five)
    headings = re.findall(r"^#+ (.*)", made["details.md"], flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    linked = re.findall(r"\(details\.md#(.*?)\)", made["report.md"])
    assert len(set(linked)) >= 7
    assert set(linked) <= anchors


@pytest.mark.parametrize(
    "name",
    [
        "metrics.json",
        "runs.json",
        "audit.json",
        "comparisons.json",
        "grid.json",
        "history.csv",
        "per_image/unet.csv",
    ],
)
def test_a_missing_file_is_named_and_nothing_is_written(build: Build, published: Path, name: str) -> None:
    folder = build()
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{re.escape(Path(name).name)}: no such result file"):
        run(folder, published)
    assert not list(folder.glob("*.md"))
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
    copied: Path, texts: Texts, path: tuple[str, ...], told: str
) -> None:
    def remove(metrics: Any) -> None:
        for key in path[:-1]:
            metrics = metrics[key]
        del metrics[path[-1]]

    edit(copied / "metrics.json", remove)
    with pytest.raises(InputError, match=told):
        texts(copied)


def test_the_chapters_stand_in_the_order_in_which_a_reader_asks(five: Path, texts: Texts) -> None:
    made = texts(five)["report.md"]
    titles = [title.split(":")[0] for title in re.findall(r"^## (.*)", made, flags=re.MULTILINE)]
    assert titles == [
        "The answer",
        "1. Segmentation",
        "2. Attention",
        "3. Classification",
        "4. Efficiency",
        "5. Joint or separate",
        "6. Grid",
        "7. Recipes",
        "8. Data",
        "Reproducing it",
        "Sources and licence",
    ]
    answer = chapter(made, "The answer")
    assert len(re.findall(r"^- \*\*", answer, flags=re.MULTILINE)) == 6
    assert len(answer.split("**Table")[0]) < 3500
    for title in titles[1:9]:
        part = chapter(made, title)
        assert part.count("**Table") <= 1
        assert part.count("![Figure") == (0 if title == "7. Recipes" else 1)
        assert "left out" not in part


@pytest.mark.parametrize(
    "title", ["2. Attention", "3. Classification", "5. Joint or separate", "6. Grid", "7. Recipes"]
)
def test_a_question_without_results_is_one_sentence(build: Build, texts: Texts, title: str) -> None:
    part = chapter(texts(build(source="brisc2025"))["report.md"], title)
    [said] = [line for line in part.splitlines()[1:] if line]
    assert re.search("left out", said)


def test_a_report_of_some_runs_says_so(build: Build, texts: Texts) -> None:
    folder = build(source="brisc2025", models=("unet", "joint"))
    recorded = len(json.loads((folder / "runs.json").read_text()))
    for all_of_them, told in ((recorded + 1, True), (recorded, False)):
        edit(folder / "provenance.json", lambda content, n=all_of_them: content.update(runs_of_profile=n))
        assert (f"{recorded} of the {all_of_them} runs" in texts(folder)["report.md"]) == told


def test_a_joint_model_before_its_partners_are_trained(build: Build, texts: Texts) -> None:
    folder = build(source="brisc2025", models=("joint", "mobilenetv2"))

    def without_partners(content: Any) -> None:
        for entries in content["joint_against_separate"]["subsets"].values():
            for entry in entries:
                entry["like_for_like"] = False

    edit(folder / "comparisons.json", without_partners)
    report = texts(folder)["report.md"]
    assert re.search("left out", chapter(report, "5. Joint or separate"))
    headers = [line for line in report.splitlines() if line.startswith("| model")]
    assert ["false positives" in line for line in headers if "`accuracy`" in line] == [False]


def test_a_joint_model_before_one_of_its_partners_is_trained(build: Build, texts: Texts) -> None:
    folder = build(source="brisc2025", models=("joint", "densenet121"))
    part = chapter(texts(folder)["report.md"], "5. Joint or separate")
    assert "only classification was compared; for segmentation `unet` is not there yet" in part
    assert "(n: accuracy: " in part


def test_numbers_in_the_text_are_those_of_the_files(build: Build, texts: Texts) -> None:
    folder = build(source="brisc2025", measured=True)

    def plant(metrics: Any) -> None:
        unet = metrics["unet"]
        unet["official"] |= {"dice_study": 0.84104, "dice_study_low": 0.82, "dice_study_high": 0.86}
        unet["official"] |= {"dice_per_image": 0.82546, "dice_per_image_low": 0.81111}
        unet["official"] |= {"dice_per_image_high": 0.83999, "hd95_px": 7.26, "n_pairs": 860}
        unet["official"] |= {"dice_native": 0.8, "dice_native_low": 0.75, "dice_native_high": 0.85}
        unet["clean"] |= {"dice_per_image": 0.80009, "dice_per_image_low": 0.78}
        unet["clean"] |= {"dice_per_image_high": 0.81996}
        rate = {"rate": 0.1, "low": 0.0605, "high": 0.1611}
        unet["official"]["false_alarms"] = {"n": 140, "images": 14, "mean_pixels": 3.14, **rate}

    edit(folder / "metrics.json", plant)
    made = texts(folder)
    shown = row(made["report.md"], "**Table 1", "`unet`")
    assert shown[1:4] == ["88.22", "84.10 [82.00, 86.00]", "82.55 [81.11, 84.00]"]
    assert shown[5] == "80.01 [78.00, 82.00]"
    assert shown[-1] == "10.0 [6.0, 16.1]"
    details = made["details.md"]
    assert row(details, "**Table D1", "Dice, study average")[1:4] == ["yes", "88.22", "84.10 [82.00, 86.00]"]
    native = row(details, "**Table D1", "Dice, mean per image at native size")
    assert native[3] == "80.00 [75.00, 85.00]"
    assert native[4].startswith(DASH)  # clean has none
    assert row(details, "**Table D1", "HD95, px")[3] == "7.3"
    assert row(details, "**Table D1", "n, tumour slices")[3] == "860"


def test_the_settings_are_those_of_the_model_with_the_highest_mean(copied: Path, texts: Texts) -> None:
    def order(comparisons: Any) -> None:
        block = comparisons["heads"]["mask"]["subsets"]["official"]
        block["order"].sort(key=lambda standing: standing["model"] != "joint")

    edit(copied / "comparisons.json", order)
    edit(
        copied / "runs.json",
        lambda runs: runs["joint"]["settings"]["optimizer"].update(name="sgd", learning_rate=0.0123),
    )
    lines = chapter(texts(copied)["report.md"], "The answer").splitlines()
    [told] = [line for line in lines if "`joint`: 64 x 64 px" in line]
    assert "sgd at a rate of 0.0123" in told


def test_the_reasons_of_the_study_s_cells_are_told(copied: Path, texts: Texts) -> None:
    part = chapter(texts(copied)["report.md"], "6. Grid")
    assert re.search("adam at 5e-05 .* inconclusive, since 1 of 19", part)
    assert re.search("rmsprop at 5e-05 .* not supported, since 4 of 19", part)
    phantom = copied / "provenance.json"
    edit(phantom, lambda origin: origin.update(source="phantom"))
    assert "of 19" not in chapter(texts(copied)["report.md"], "6. Grid")


def test_what_is_missing_is_a_dash_and_never_a_word_of_the_machine(five: Path, texts: Texts) -> None:
    assert not re.findall(r"\b(nan|NaN|None|inf|null|undefined)\b", "".join(texts(five).values()))


def test_sentences_stand_apart(five: Path, texts: Texts) -> None:
    """Whatever parts of a paragraph are there, white space is between them and none before a full stop."""
    lines = [line for line in "".join(texts(five).values()).splitlines() if not line.startswith(("|", "!"))]
    assert [
        line for line in lines if re.search(r"\w[.;:,](?=[A-Z`])| [.,;:](?!\w)|[a-z](?=\*\*[A-Z])", line)
    ] == []


def test_without_measured_time_there_is_a_dash(build: Build, texts: Texts) -> None:
    made = texts(build(measured=False))["details.md"]
    assert row(made, "What each training cost", "`unet`")[1] == DASH


def test_a_classifier_s_published_scores_are_like_for_like(copied: Path, texts: Texts) -> None:
    def plant(metrics: Any) -> None:
        official = metrics["mobilenetv2"]["official"]
        official |= {"accuracy": 0.95, "accuracy_low": 0.93, "accuracy_high": 0.97}
        official |= {"f1_weighted": 0.9444}

    edit(copied / "metrics.json", plant)
    made = texts(copied)
    assert row(made["report.md"], "**Table 2", "`mobilenetv2`")[1:3] == ["94.10", "95.00 [93.00, 97.00]"]
    f1 = row(made["details.md"], "`mobilenetv2` on the subsets", "F1, classes weighted")
    assert f1[1:3] == ["yes", "94.07"]
    assert f1[3].startswith("94.44")


def test_the_report_imports_neither_torch_nor_dvc() -> None:
    check = (
        "import sys, brisc.report.render, brisc.report.printed; "
        "print(sorted({'torch', 'dvc', 'cv2'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_charts_are_drawn_whatever_backend_a_notebook_asks_for(tmp_path: Path) -> None:
    """A notebook sets MPLBACKEND for its child processes, to one that is not there."""
    check = (
        "from pathlib import Path; from matplotlib.figure import Figure; "
        "from brisc.report.figures import Chart, save; import matplotlib; import seaborn; "
        "figure = Figure(); seaborn.heatmap([[1, 2]], ax=figure.subplots()); "
        f"save(Chart('made', figure), Path({str(tmp_path)!r})); print(matplotlib.get_backend())"
    )
    check = "import brisc.report.render; " + check
    environment = os.environ | {"MPLBACKEND": "module://a_notebook.backend_inline"}
    command = [sys.executable, "-c", check]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip().lower() == "agg"
    assert (tmp_path / "made.png").stat().st_size > 0


def test_a_grid_without_cells_is_no_grid(copied: Path, texts: Texts) -> None:
    edit(copied / "grid.json", lambda grid: grid.update(cells=[], optimizers=[], learning_rates=[]))
    (copied / "grid_history.csv").write_text("\n")
    part = chapter(texts(copied)["report.md"], "6. Grid")
    assert "left out" in part
    assert "![Figure" not in part


def test_recipes_stand_with_their_settings_and_verdicts(five: Path, texts: Texts) -> None:
    part = chapter(texts(five)["report.md"], "7. Recipes")
    assert row(part, "**Table", "`unet-plain` with flips")[1:7] == [
        "as above",
        "53.00 [50.00, 56.00]",
        "+3.00 [+1.00, +5.00]",
        "0.040",
        "better",
        "3",
    ]
    assert row(part, "**Table", "`unet-ema` |")[1] == "ema_decay 0.9"
    changes = "augment: horizontal_flip 0, vertical_flip 0; schedule cosine"
    assert row(part, "**Table", "`unet-bare` |")[1] == changes
    assert row(part, "**Table", "`unet-bare` |")[5] == "worse"
    assert row(part, "**Table", "`unet-lost` |")[2].startswith(DASH)
