"""Folders of made-up result files for the tests of the report."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from result_files import FIVE, write_results

from brisc.analysis.results import Results, read_results

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """made(...) -> a folder of such result files, written once for all tests, which must not change it."""
    known: dict[str, Path] = {}

    def write(**kwargs: Any) -> Path:
        key = repr(sorted(kwargs.items()))
        if key not in known:
            known[key] = write_results(tmp_path_factory.mktemp("made") / "demo", **kwargs)
        return known[key]

    return write


@pytest.fixture
def build(made: Build, tmp_path: Path) -> Build:
    """build(source="phantom", models=("unet",), images=60, ...) -> a new folder of result files, of the
    profile demo."""
    numbers = count()

    def write(**kwargs: Any) -> Path:
        folder = tmp_path / f"reports-{next(numbers)}"
        shutil.copytree(made(**kwargs).parent, folder)
        return folder / "demo"

    return write


@pytest.fixture(scope="session")
def published() -> Path:
    """The project's own file of published figures."""
    return Path(__file__).parents[2] / "published.json"


@pytest.fixture
def read(published: Path) -> Callable[[Path], Results]:
    return lambda folder: read_results(
        folder, profile="demo", published=published, estimate=folder.parent / "paper" / "estimate.json"
    )


EVERYTHING = {
    "source": "brisc2025",
    "models": FIVE,
    "grid": True,
    "measured": True,
    "recipes": True,
}


@pytest.fixture(scope="session")
def five(made: Build) -> Path:
    """Everything that a profile of real data can have, for five models. Not to be changed: copy it first
    (`copied`)."""
    return made(**EVERYTHING)


@pytest.fixture
def copied(build: Build) -> Path:
    """A copy of `five` to change."""
    return build(**EVERYTHING)
