import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from brisc.errors import InputError
from brisc.reporting.figures import PHANTOM, Chart
from brisc.reporting.report import render, report_text
from brisc.reporting.results import read_results

Build = Callable[..., Path]


@pytest.fixture
def text(published: Path) -> Callable[[Path], str]:
    """The report of a folder of result files, with empty figures."""
    names = (
        "learning_curves", "comparison", "class_mix", "copies", "similarity", "validation_leak", "dice_distribution",
        "dice_heatmap", "dice_by_size",
    )  # fmt: skip
    empty = [Chart(name, f"Caption of {name}.", Figure()) for name in names]

    def make(folder: Path) -> str:
        return report_text(read_results(folder, profile="demo", published=published), empty)

    return make


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def row(text: str, table: str, start: str) -> list[str]:
    """The cells of the first row that starts with `start` in the table whose caption holds `table`."""
    lines = text[text.index(table) :].splitlines()
    return [cell.strip() for cell in next(line for line in lines if line.startswith(f"| {start}")).strip("|").split("|")]


def test_the_same_input_gives_the_same_bytes(build: Build, published: Path) -> None:
    folder = build(audit=True)
    contents = []
    for _ in range(2):
        render(folder, profile="demo", published=published)
        files = [folder / "report.md", *sorted((folder / "figures").iterdir())]
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert all(content.startswith(b"\x89PNG") for name, content in contents[0].items() if name.endswith(".png"))


def test_every_figure_is_a_file_and_files_of_an_earlier_report_are_gone(build: Build, published: Path) -> None:
    folder = build()
    (folder / "figures").mkdir()
    (folder / "figures" / "of_an_earlier_report.png").write_bytes(b"")
    render(folder, profile="demo", published=published)
    linked = re.findall(r"!\[Figure \d+\]\((.*?)\)", (folder / "report.md").read_text())
    assert sorted(linked) == sorted(f"figures/{path.name}" for path in (folder / "figures").iterdir())
    assert not list(folder.glob(".*.tmp"))


def test_tables_and_figures_are_numbered_in_order(build: Build, text: Callable[[Path], str]) -> None:
    made = text(build(models=("unet", "attention_unet"), audit=True))
    for kind in ("Table", "Figure"):
        numbers = [int(n) for n in re.findall(rf"^\*\*{kind} (\d+)", made, flags=re.MULTILINE)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 5


def test_phantoms_are_labelled_wherever_a_number_can_be_cut_out(build: Build, text: Callable[[Path], str]) -> None:
    made = text(build(source="phantom", audit=True))
    captions = re.findall(r"^\*\*(?:Table|Figure) .*", made, flags=re.MULTILINE)
    assert captions
    assert all(f"({PHANTOM}).**" in caption for caption in captions)
    assert made.index(PHANTOM.capitalize()) < made.index("## The answer")
    assert "points below the published" not in made
    assert "points above the published" not in made


def test_real_data_carries_no_phantom_label(build: Build, text: Callable[[Path], str]) -> None:
    assert "phantom" not in text(build(source="brisc2025", audit=True)).lower()


@pytest.mark.parametrize(
    "name", ["metrics.json", "runs.json", "provenance.json", "validation.json", "history.csv", "per_image.csv"]
)
def test_a_missing_file_is_named_and_nothing_is_written(build: Build, published: Path, name: str) -> None:
    folder = build()
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{re.escape(name)}: no such result file"):
        render(folder, profile="demo", published=published)
    assert not (folder / "report.md").exists()
    assert not (folder / "figures").exists()


def test_missing_published_figures_are_named(build: Build, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: no such result file"):
        render(build(), profile="demo", published=tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("unet", "official", "dice_per_image"), r"metrics\.json, unet, official: no key 'dice_per_image'"),
        (("unet", "clean", "by_class", "glioma", "n"), r"metrics\.json, unet, clean, by_class, glioma: no key 'n'"),
        (("unet", "official", "dice_study"), r"metrics\.json, unet, official: no known metric"),
        (("unet", "validation"), r"metrics\.json, unet: no key 'validation'"),
        (("unet", "cost", "seconds"), r"metrics\.json, unet, cost: no key 'seconds'"),
    ],
)
def test_a_missing_metric_is_named_with_its_place(
    build: Build, text: Callable[[Path], str], path: tuple[str, ...], told: str
) -> None:
    folder = build()

    def remove(metrics: Any) -> None:
        for key in path[:-1]:
            metrics = metrics[key]
        del metrics[path[-1]]

    edit(folder / "metrics.json", remove)
    with pytest.raises(InputError, match=told):
        text(folder)


def test_numbers_in_the_text_are_those_of_the_files(build: Build, text: Callable[[Path], str]) -> None:
    folder = build(source="brisc2025", measured=True)

    def plant(metrics: Any) -> None:
        unet = metrics["unet"]
        unet["official"] |= {"dice_study": 0.84104, "dice_per_image": 0.82546, "dice_per_image_low": 0.81111}
        unet["official"] |= {"dice_per_image_high": 0.83999, "hd95_px": 7.26, "n_pairs": 860}
        unet["clean"] |= {"dice_per_image": 0.80009, "dice_per_image_low": 0.78, "dice_per_image_high": 0.81996}
        unet["clean"]["class_weighted"]["dice_per_image"] = 0.81004
        unet["official"]["false_alarms"] = {
            "n": 140, "images": 14, "rate": 0.1, "low": 0.0605, "high": 0.1611, "mean_pixels": 3.14
        }  # fmt: skip
        unet["cost"] |= {"parameters": 31_040_000, "seconds": 5160.0, "images_per_second": 12.34}

    edit(folder / "metrics.json", plant)
    made = text(folder)
    assert row(made, "**Table 1", "unet")[1:5] == ["88.22", "84.10", "82.55 [81.11, 84.00]", "80.01 [78.00, 82.00]"]
    assert row(made, "**Table 1", "unet")[-1] == "10.0 [6.0, 16.1]"
    study = row(made, "beside the published figures", "Dice, study average")
    assert study[1:4] == ["yes", "88.22", "84.10"]
    assert row(made, "beside the published figures", "HD95, px")[3] == "7.3"
    assert row(made, "beside the published figures", "n, tumour slices")[3] == "860"
    assert "is **84.10 %** (n = 860 tumour slices); the published figure is 88.22 %. Ours is 4.12 points below" in made
    assert "a gap of **\N{MINUS SIGN}2.54 points**" in made
    assert "clean has 81.00 %, a gap of \N{MINUS SIGN}1.54 points" in made
    assert "seen in 14 of 140 healthy slices (10.0 %, 95 % interval 6.0 to 16.1 %)" in made
    assert "31.04 million parameters" in made
    assert "86 min on Some Processor, 2 threads, 12.3 images/s" in made


def test_only_what_is_published_with_the_same_definition_is_like_for_like(build: Build, text: Callable[[Path], str]) -> None:
    made = text(build(source="brisc2025"))
    marked = [line for line in made.splitlines() if line.startswith("| ") and "| yes | " in line and "(`" in line]
    assert [re.search(r"`(\w+)`", line)[1] for line in marked] == ["dice_study", "iou_study", "pixel_accuracy"]  # type: ignore[index]
    unpublished = text_row = row(made, "beside the published figures", "Dice, mean per image")
    assert unpublished[1] == ""
    assert text_row[2].startswith("\N{EN DASH}")


def test_undefined_numbers_are_dashes_with_a_reason(build: Build, text: Callable[[Path], str]) -> None:
    folder = build(source="brisc2025", audit=True)
    path = folder / "metrics.json"

    def empty(metrics: Any) -> None:
        strict, official = metrics["unet"]["strict"], metrics["unet"]["official"]
        for block in (strict, *strict["by_class"].values(), *strict["by_plane"].values()):
            for key in block:
                if isinstance(block[key], int | float):
                    block[key] = 0 if isinstance(block[key], int) else None
        strict["false_alarms"] = {"n": 0, "images": 0, "rate": None, "low": None, "high": None, "mean_pixels": None}
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
        "no such images", "no image here has both a true and a predicted boundary", "not measured in this profile",
        "no interval: it takes at least two groups", "no healthy slices", "a class has no images here",
    ):  # fmt: skip
        assert reason in made
    for block in made.split("\n\n"):
        if block.startswith("|") and "\N{EN DASH}" in block:
            after = made[made.index(block) + len(block) :]
            assert after.startswith("\n\n\N{EN DASH}: "), block.splitlines()[0]


def test_without_measured_time_the_report_says_so(build: Build, text: Callable[[Path], str]) -> None:
    made = text(build(measured=False))
    assert "time and memory are not measured in this profile" in made
    assert row(made, "What each training cost", "unet")[1] == "\N{EN DASH}"


def test_without_an_audit_the_report_says_so(build: Build, text: Callable[[Path], str]) -> None:
    assert "No audit was run: copies" in text(build(audit=False))


def test_without_a_clean_subset_the_report_says_so(build: Build, text: Callable[[Path], str]) -> None:
    folder = build()
    edit(folder / "metrics.json", lambda metrics: [metrics["unet"].pop(subset) for subset in ("clean", "strict")])
    made = text(folder)
    assert "the clean subset was not evaluated" in made
    assert "ours, clean" not in made


def test_several_models_and_a_classifier_stand_in_one_report(build: Build, text: Callable[[Path], str]) -> None:
    folder = build(source="brisc2025", models=("unet", "attention_unet"))

    def add(metrics: Any) -> None:
        scores = {
            "n_images": 60, "accuracy": 0.95, "accuracy_low": 0.93, "accuracy_high": 0.97, "f1_macro": 0.9444,
        }  # fmt: skip
        metrics["mobilenetv2"] = {name: scores for name in ("official", "clean", "strict", "validation")}
        metrics["mobilenetv2"]["cost"] = metrics["unet"]["cost"]

    edit(folder / "metrics.json", add)
    edit(folder / "runs.json", lambda runs: runs.update(mobilenetv2=runs["unet"]))
    history = (folder / "history.csv").read_text().splitlines()
    history += [line.replace("unet,", "mobilenetv2,") for line in history if line.startswith("unet,")]
    (folder / "history.csv").write_text("\n".join(history) + "\n")
    made = text(folder)
    assert row(made, "**Table 2", "mobilenetv2")[1:3] == ["94.10", "95.00 [93.00, 97.00]"]
    assert "the published figure lies within our 95 % interval, 93.00 to 97.00 %" in made
    assert row(made, "`mobilenetv2` on the subsets", "F1, mean")[1:4] == ["yes", "94.07", "94.44"]
    assert "attention_unet" in made
    assert "`mobilenetv2` by class" not in made


def test_the_report_imports_neither_torch_nor_dvc() -> None:
    check = "import sys, brisc.reporting.report; print(sorted({'torch', 'dvc', 'cv2'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
