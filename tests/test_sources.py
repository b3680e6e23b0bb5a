"""Which files a training depends on."""

from pathlib import Path

import pytest

from brisc import sources


def test_git_ids_are_git_s(tmp_path: Path) -> None:
    # `git hash-object` of a file with "hello\n", and the tree that holds it alone as a.py.
    (tmp_path / "a.py").write_text("hello\n")
    assert sources.git_blob(tmp_path / "a.py") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert sources.git_tree(tmp_path) == "d4cc5eb47e58ebe8a18198741fa1ba6fe579eb3a"


def test_a_training_depends_on_what_it_imports_and_on_no_other_model() -> None:
    names = set(sources.training_sources("unet"))
    assert {
        "models/unet.py",
        "models/blocks.py",
        "training/fit.py",
        "training/losses.py",
        "data/dataset.py",
    } <= names
    assert {name for name in names if name.startswith("models/")} == {"models/unet.py", "models/blocks.py"}
    assert not {name for name in names if name.startswith(("evaluation/", "reporting/"))}
    assert "config.py" not in names


def test_an_edit_changes_the_lists_of_those_that_import_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PACKAGE", tmp_path)
    files = {
        "training/fit.py": "from brisc.training import losses\n",
        "training/__init__.py": "",
        "training/losses.py": "A = 1\n",
        "models/one.py": "from brisc.models.blocks import B\n",
        "models/two.py": "import torch\n",
        "models/blocks.py": "B = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = {arch: sources.training_sources(arch) for arch in ("one", "two")}
    (tmp_path / "models/blocks.py").write_text("B = 2\n")
    changed = {arch: sources.training_sources(arch) != before[arch] for arch in ("one", "two")}
    assert changed == {"one": True, "two": False}
    (tmp_path / "training/losses.py").write_text("A = 2\n")
    assert sources.training_sources("two") != before["two"]
