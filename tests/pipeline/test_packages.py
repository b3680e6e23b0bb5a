"""What a node needs of packages is read off the code that runs there."""

from pathlib import Path
from typing import Any

import pytest

from brisc.plan import imports
from pipeline.packages import packages

ROOT = Path(__file__).parents[2]


@pytest.fixture
def needed(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, dict[str, Any]]]:
    """By architecture."""
    monkeypatch.chdir(ROOT)
    scripts = ("stages/train.py", "stages/evaluate.py", "src/brisc/config.py")
    return {
        arch: packages(imports(*scripts, f"src/brisc/models/{arch}.py")) for arch in ("unet", "densenet121")
    }


def test_neither_torch_nor_dvc_nor_what_only_other_stages_use(needed: dict[str, dict[str, Any]]) -> None:
    assert (
        not {"torch", "torchvision", "dvc", "matplotlib", "kagglehub", "rich"} & needed["densenet121"].keys()
    )


def test_a_net_of_timm_needs_timm_and_no_other_does(needed: dict[str, dict[str, Any]]) -> None:
    assert "timm" not in needed["unet"]
    assert needed["densenet121"]["timm"]["imported"]
    assert "safetensors" in needed["densenet121"]["timm"]["needs"]
    assert not needed["densenet121"]["safetensors"]["imported"]


def test_a_package_is_known_by_what_it_is_imported_as(needed: dict[str, dict[str, Any]]) -> None:
    modules = {name: package["module"] for name, package in needed["unet"].items()}
    assert (modules["pillow"], modules["pyyaml"]) == ("PIL", "yaml")
    assert modules["opencv-python-headless"] == "cv2"
    assert modules["pydantic-core"] == "pydantic_core"


def test_what_is_imported_by_its_name_alone_is_needed(tmp_path: Path) -> None:
    """As the package of pretrained weights is."""
    code = tmp_path / "a.py"
    code.write_text(
        'from importlib import import_module\nWEIGHTS = "yaml"\nOTHER = "numpy"\nimport_module(WEIGHTS)\n'
    )
    assert list(packages([code])) == ["pyyaml"]


def test_all_that_is_needed_is_listed(needed: dict[str, dict[str, Any]]) -> None:
    for listed in needed.values():
        assert {need for package in listed.values() for need in package["needs"]} <= listed.keys()
