"""The plan: what a run depends on is read off the imports, and wording is not part of it."""

import json
from pathlib import Path

import pytest

from brisc.errors import InputError
from brisc.plan import digests, imports, write_plans

ROOT = Path(__file__).parents[1]


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def names(*files: str) -> set[str]:
    return {path.as_posix() for path in imports(*files)}


def test_a_training_depends_on_its_script_on_the_loop_and_on_its_own_architecture(root: None) -> None:
    found = names("stages/train.py", "src/brisc/models/unet.py")
    expected = {
        "stages/train.py",
        "stages/command.py",
        "src/brisc/training/fit.py",
        "src/brisc/data/dataset.py",
    }
    assert expected | {"src/brisc/models/unet.py", "src/brisc/models/blocks.py"} <= found
    assert "src/brisc/models/densenet121.py" not in found
    assert not {name for name in found if name.startswith(("src/brisc/evaluation", "src/brisc/report"))}


def test_an_evaluation_depends_on_its_metrics(root: None) -> None:
    found = names("stages/evaluate.py", "src/brisc/models/unet.py")
    assert {"src/brisc/evaluation/segmentation.py", "src/brisc/evaluation/statistics.py"} <= found
    assert "src/brisc/training/fit.py" not in found


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """stages/a.py imports its neighbour b and brisc.c, which imports brisc.d; nobody imports brisc.e."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "stages/a.py": "import b\nfrom brisc.c import x\n",
        "stages/b.py": "VALUE = 1\n",
        "src/brisc/__init__.py": "",
        "src/brisc/c.py": '"""Says."""\nfrom brisc import d\n\ndef f():\n    """Doc."""\n    return d.N\n',
        "src/brisc/d.py": "N = 2  # of something\n",
        "src/brisc/e.py": "N = 3\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_imports_are_followed_from_the_script_down(code: Path) -> None:
    expected = {"stages/a.py", "stages/b.py", "src/brisc/__init__.py", "src/brisc/c.py", "src/brisc/d.py"}
    assert names("stages/a.py") == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("src/brisc/d.py", "# of something", "# of something else", set()),
        ("src/brisc/c.py", "Says.", "Says more.", set()),
        ("src/brisc/c.py", '    """Doc."""\n', '    """Longer doc."""\n', set()),
        ("src/brisc/c.py", "return d.N", "return (d.N)", set()),
        ("src/brisc/d.py", "N = 2", "N = 4", {"src/brisc/d.py"}),
        ("src/brisc/c.py", "return d.N", "return d.N + 1", {"src/brisc/c.py"}),
        ("stages/b.py", "VALUE = 1", "VALUE = 2", {"stages/b.py"}),
        ("src/brisc/e.py", "N = 3", "N = 4", set()),
    ],
)
def test_a_digest_sees_code_and_no_wording(
    code: Path, file: str, old: str, new: str, changes: set[str]
) -> None:
    before = digests("stages/a.py")
    text = (code / file).read_text()
    assert old in text
    (code / file).write_text(text.replace(old, new))
    after = digests("stages/a.py")
    assert {name for name in before | after if before.get(name) != after.get(name)} == changes


def test_what_a_package_runs_when_it_is_imported_counts(code: Path) -> None:
    before = digests("stages/a.py")
    (code / "src/brisc/__init__.py").write_text("N = 1\n")
    assert {name for name, digest in digests("stages/a.py").items() if before.get(name) != digest} == {
        "src/brisc/__init__.py"
    }


def test_an_unknown_architecture_is_told_before_any_data_is_read(repository: Path) -> None:
    path = Path("profiles/demo.yaml")
    path.write_text(path.read_text().replace("arch: unet,", "arch: vnet,", 1))
    with pytest.raises(
        InputError, match=r"profiles/demo\.yaml: unknown architecture in runs\.unet\.model\.arch"
    ):
        write_plans("demo", ["unet"], Path("plan"), grid_run="unet", grid=Path("grid.json"))
    assert not Path("plan").exists()


def test_every_run_gets_its_settings_and_every_stage_its_blocks(repository: Path) -> None:
    runs = ["unet", "unet-43", "unet-ema"]
    write_plans("demo", runs, Path("plan"), grid_run="unet", grid=Path("grid.json"))
    found = {name: json.loads(Path(f"plan/train/{name}.json").read_text()) for name in runs}
    assert [found[name]["run"]["seed"] for name in runs] == [42, 43, 42]
    assert [found[name]["run"]["ema_decay"] for name in runs] == [0.0, 0.0, 0.9]
    assert found["unet"]["code"] == found["unet-ema"]["code"]
    about = {name: json.loads(Path(f"plan/evaluate/{name}.json").read_text()) for name in runs}
    assert [about[name]["kind"] for name in runs] == ["model", "seed", "recipe"]
    assert [about[name]["judge"] for name in runs] == ["test", "test", "validation"]
    cell = json.loads(Path("grid.json").read_text())["run"]
    assert (cell["epochs"], cell["may_diverge"], cell["model"]) == (2, True, found["unet"]["run"]["model"])
    assert json.loads(Path("plan/audit.json").read_text()).keys() == {"audit", "validation_fraction", "seed"}
