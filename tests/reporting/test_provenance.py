from collections.abc import Callable
from pathlib import Path

import pytest

from brisc.reporting import provenance
from brisc.reporting.results import Results, read_results

Build = Callable[..., Path]


@pytest.fixture
def read(published: Path) -> Callable[[Path], Results]:
    return lambda folder: read_results(folder, profile="demo", published=published)


def test_deviations_hold_what_differs_and_nothing_else(build: Build, read: Callable[[Path], Results]) -> None:
    table = provenance.deviations(read(build(source="brisc2025")))
    assert table.rows == [
        ["image size, px", "256", "64", "all"],
        ["validation split", "random", "grouped", "all"],
        ["precision", "32-true", "bf16-mixed", "all"],
        ["epochs at most", "100", "3", "all"],
        ["channels of the first level", "64", "16", "all"],
    ]


def test_a_deviation_of_some_models_names_them(build: Build, read: Callable[[Path], Results]) -> None:
    folder = build(source="brisc2025", models=("unet", "attention_unet"))
    path = folder / "runs.json"
    path.write_text(path.read_text().replace('"learning_rate": 0.0001', '"learning_rate": 0.0005', 1))
    assert ["learning rate", "0.0001", "0.0005", "unet"] in provenance.deviations(read(folder)).rows


def test_sources_name_the_licence_of_the_data_used(build: Build, read: Callable[[Path], Results]) -> None:
    real, phantom = (provenance.sources(read(build(source=source))) for source in ("brisc2025", "phantom"))
    assert "CC BY 4.0" in real[0]
    assert not any("ICBM" in text for text in real)
    assert "ICBM 152" in phantom[0]
