from collections.abc import Callable
from pathlib import Path
from typing import Any

from result_files import edit

from brisc.analysis.results import Results
from brisc.report.cells import DASH, Cell
from brisc.report.tables import provenance

Build = Callable[..., Path]


def test_deviations_hold_what_differs_and_nothing_else(build: Build, read: Callable[[Path], Results]) -> None:
    table = provenance.deviations(read(build(source="brisc2025")))
    assert table.rows == [
        ["image size, px", "256", "64", "all"],
        ["validation split", "random", "grouped", "all"],
        ["precision", "32-true", "bf16-mixed", "all"],
        ["epochs at most", "100", "3", "all"],
        ["architecture, as it is called here", "unet_bilinear", "unet", "all"],
        ["channels of the first level", "64", "16", "all"],
        ["weight of the Dice loss", "0.5", "1", "all"],
        ["weight of binary cross-entropy", "0.5", "1", "all"],
    ]


def test_a_deviation_of_some_models_names_them(build: Build, read: Callable[[Path], Results]) -> None:
    folder = build(source="brisc2025", models=("unet", "attention_unet"))
    path = folder / "runs.json"
    path.write_text(path.read_text().replace('"learning_rate": 0.0001', '"learning_rate": 0.0005', 1))
    assert ["learning rate", "0.0001", "0.0005", "`unet`"] in provenance.deviations(read(folder)).rows


def test_sources_name_the_licence_of_the_data_used(build: Build, read: Callable[[Path], Results]) -> None:
    real, phantom = (provenance.sources(read(build(source=source))) for source in ("brisc2025", "phantom"))
    assert "CC BY 4.0" in real[0]
    assert not any("ICBM" in text for text in real)
    assert "ICBM 152" in phantom[0]


def test_settings_are_apart_where_models_differ(build: Build, read: Callable[[Path], Results]) -> None:
    folder = build(models=("unet", "mobilenetv2"))

    def change(runs: Any) -> None:
        del runs["mobilenetv2"]["settings"]["model"]["levels"]

    edit(folder / "runs.json", change)
    results = read(folder)
    common = {row[0]: row[1] for row in provenance.common_settings(results).rows}
    assert common["`optimizer.name`"] == "adam"
    own = {row[0]: list(row[1:]) for row in provenance.own_settings(results).rows}
    assert own["`loss.cross_entropy`"] == ["0", "1"]
    assert own["`model.levels`"] == ["5", Cell(DASH, "the model has no such setting")]
    assert set(common) & set(own) == set()


def test_a_setting_of_the_model_stands_for_that_of_the_study(
    build: Build, read: Callable[[Path], Results]
) -> None:
    """The study trained its classifiers for 50 epochs at most, others for 100."""
    folder = build(source="brisc2025", models=("unet", "mobilenetv2"))
    rows = [row for row in provenance.deviations(read(folder)).rows if row[0] == "epochs at most"]
    assert rows == [["epochs at most", "100", "3", "`unet`"], ["epochs at most", "50", "3", "`mobilenetv2`"]]
