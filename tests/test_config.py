"""Profiles: the same keys everywhere, and one clear error for anything else."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from brisc.config import WHOLE, Fold, load, load_param, load_params, read_yaml, resolve, resolve_grid
from brisc.errors import InputError, InputErrors
from brisc.vocabulary import FOLDS
from pipeline.profile import main, use, use_recorded

PROFILES = ("demo", "laptop", "paper")
BLOCKS = ("data", "phantom", "audit", "prepare", "train", "evaluate")


def keys(content: object, prefix: str = "") -> set[str]:
    if not isinstance(content, dict):
        return {prefix}
    return {key for name, value in content.items() for key in keys(value, f"{prefix}.{name}")}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_of_every_profile_loads(repository: Path, profile: str, block: str) -> None:
    assert load(profile, block)


def test_profiles_have_the_same_keys(repository: Path) -> None:
    contents = [read_yaml(Path(f"profiles/{profile}.yaml")) for profile in PROFILES]
    runs = [list(content["runs"]) for content in contents]
    assert all(runs[0] == [run for run in more if run in runs[0]] for more in runs)
    demo, *others = (keys({**content, "runs": None}) for content in contents)
    assert len(demo) > 40
    assert all(other == demo for other in others)


def test_every_top_level_block_is_known(repository: Path) -> None:
    assert {*BLOCKS, "runs", "grid"} == set(read_yaml(Path("profiles/demo.yaml")))


def test_values_arrive_as_their_types(repository: Path) -> None:
    run = resolve("paper", "unet").run
    assert run.optimizer.learning_rate == 1e-3
    assert run.epochs == 60
    sizes = {"in_channels": 1, "base_channels": 64, "levels": 5}
    assert run.model == {"arch": "unet_bilinear", **sizes, "gates": False, "heads": ["mask"], "classes": 4}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "  batch_size: 16",
            "  batch_sise: 16",
            ["unknown setting train.batch_sise", "missing setting train.batch_size"],
        ),
        ("  batch_size: 16", "", ["missing setting train.batch_size"]),
        ("  batch_size: 16", "  batch_size: 0", ["bad value for train.batch_size: got 0"]),
        ("  batch_size: 16", '  batch_size: "16"', ["bad value for train.batch_size: got '16'"]),
        ("  batch_size: 16", "  batch_size: 16.5", ["bad value for train.batch_size: got 16.5"]),
        (
            "precision: 32-true",
            "precision: fp32",
            ["bad value for train.precision: got 'fp32'", "'32-true', 'bf16-mixed' or 'auto'"],
        ),
        ("zoom_fraction: 0.05", "zoom_fraction: 2.0", ["bad value for train.augment.zoom_fraction: got 2.0"]),
        (
            "noise_std: [0.01, 0.04]",
            "noise_std: [0.02]",
            ["bad value for train.augment.noise_std: got [0.02]"],
        ),
        ("\ntrain:", "\ntrain: [", ["not readable as YAML"]),
        ("\ntrain:", "\ntrane:", ["no block 'train'", "trane"]),
    ],
)
def test_a_bad_setting_is_told_by_name_and_file(
    repository: Path, old: str, new: str, expected: list[str]
) -> None:
    path = Path("profiles/demo.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises((InputError, InputErrors)) as caught:
        load("demo", "train")
    assert "profiles/demo.yaml" in str(caught.value)
    for part in expected:
        assert part in str(caught.value)


def test_all_bad_settings_are_told_at_once(repository: Path) -> None:
    path = Path("profiles/demo.yaml")
    path.write_text(
        path.read_text().replace("batch_size: 16", "batch_size: -1", 1).replace("devices: 1", "devices: one")
    )
    with pytest.raises(InputErrors) as caught:
        load("demo", "train")
    assert [problem.args[0].split(":")[1].strip() for problem in caught.value.problems] == [
        "bad value for train.batch_size",
        "bad value for train.devices",
    ]


def test_an_unknown_profile_names_the_known_ones(repository: Path) -> None:
    with pytest.raises(InputError, match=r"profiles/huge\.yaml: no such profile.*demo, laptop, paper"):
        load("huge", "train")


def test_the_runs_listed_are_in_every_profile(repository: Path) -> None:
    params = load_params()
    for profile in PROFILES:
        known = read_yaml(Path(f"profiles/{profile}.yaml"))["runs"]
        assert set(params.runs) <= set(known)
        for name in known:
            assert resolve(profile, name)


@pytest.mark.parametrize("listed", [None, "runs: [unet, joint]\n", "runs:\n- unet\n- joint\n"])
def test_a_profile_s_own_runs_are_listed_by_name(repository: Path, listed: str | None) -> None:
    path = repository / "params.yaml"
    before = path.read_text()
    if listed is not None:  # as `dvc exp run -S` writes it
        path.write_text(before[: before.index("runs:")] + listed)
    use("laptop")
    params = load_params()
    assert params.profile == "laptop"
    assert params.runs == list(read_yaml(Path("profiles/laptop.yaml"))["runs"])
    use("demo")
    assert listed is not None or path.read_text() == before
    assert (
        load_params().runs == read_yaml(path)["runs"] == list(read_yaml(Path("profiles/demo.yaml"))["runs"])
    )
    with pytest.raises(InputError, match="no such profile"):
        use("huge")


def test_the_recorded_runs_and_grid_are_those_of_the_committed_report(repository: Path) -> None:
    grid = {"run": "unet", "optimizers": ["sgd"], "learning_rates": [1.0e-5, 0.00025]}
    lock = {
        "stages": {"analyse@laptop": {"params": {"params.yaml": {"grid": grid, "runs": ["unet", "joint"]}}}}
    }
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    use_recorded("laptop")
    params = load_params()
    assert (params.profile, params.runs) == ("laptop", ["unet", "joint"])
    assert (params.grid.optimizers, params.grid.learning_rates) == (["sgd"], [1.0e-5, 0.00025])
    with pytest.raises(InputError, match="no analyse@paper"):
        use_recorded("paper")
    lock["stages"]["analyse@laptop"]["params"]["params.yaml"]["grid"]["optimizers"] = []
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    use_recorded("laptop")
    assert load_params().grid.optimizers == []
    assert Path("params.yaml").read_text().count("optimizers:") == 1


def test_blank_lines_and_comments_are_part_of_the_list(repository: Path) -> None:
    path = repository / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("  - unet\n", "  - unet\n\n  # others\n", 1).rstrip("\n"))
    use("demo")
    assert path.read_text() == before


def test_a_list_that_cannot_be_rewritten_is_left_alone(repository: Path) -> None:
    path = repository / "params.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("runs:")] + "runs: &all\n  - unet\n")
    before = path.read_text()
    with pytest.raises((InputError, InputErrors), match=r"params\.yaml"):
        use("laptop")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("words", "expected"), [(("demo", "unet joint"), "RUNS=unet"), (("", "recorded"), "PROFILE")]
)
def test_what_make_use_does_not_know_is_refused(
    repository: Path, words: tuple[str, str], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        main(*words)


def test_without_a_grid_it_says_so(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main("demo")
    assert "Without a grid" not in capsys.readouterr().out
    path = repository / "params.yaml"
    path.write_text(re.sub(r"optimizers: .*", "optimizers: []", path.read_text()))
    main("laptop")
    assert "Without a grid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  - unet\n", "  - []\n", "bad value for runs.0: got []"),
        ("  - unet\n", "  - unet\n  - unet\n", "a run that is listed twice: got unet"),
        (
            "members: [unet, ",
            "members: [unett, ",
            "a run that no profile has, under compare or vote: got unett",
        ),
        ("agree: 2", "agree: 20", "a vote of more than there are: got vote.agree: 20"),
        ("  - unet\n", "  - unet\n  - vote\n", "a run with the name of the vote: got vote under runs"),
        ("runs: #", "runz: #", "missing setting runs"),
        ("  run: unet", "  run: vnet", "a grid of a run that is not listed: got vnet"),
        ("optimizers: [adam, ", "optimizers: [adma, ", "bad value for grid.optimizers.0: got 'adma'"),
        (
            "learning_rates: [1.0e-5, ",
            "learning_rates: [0.0, ",
            "bad value for grid.learning_rates.0: got 0.0",
        ),
    ],
)
def test_bad_params_are_told(repository: Path, old: str, new: str, expected: str) -> None:
    path = Path("params.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises((InputError, InputErrors)) as caught:
        load_params()
    assert "params.yaml" in str(caught.value)
    assert expected in str(caught.value)


def test_a_rate_as_dvc_writes_it_is_a_number(repository: Path) -> None:
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("[1.0e-5, ", "[1e-05, "))
    assert load_params().grid.learning_rates[0] == 1e-5


RUNS = """
runs:
  plain: {model: {arch: unet, base_channels: 8}}
  wide: {like: plain, model: {base_channels: 16}, loss: {dice: 2.0}}
  wide-43: {like: wide, seed: 43}
  tried: {like: wide, judge: validation, augment: {noise_std: [0.0, 0.1]}}
  tried-43: {like: tried, seed: 43}
  other: {like: wide, model: {arch: joint, classes: 4}}
  fewer: {like: plain, prune: copies}
  fewer-43: {like: fewer, seed: 43}
  folded: {like: plain, fold: 0}
"""


@pytest.fixture
def runs(repository: Path) -> Path:
    """The demo profile with the runs of RUNS."""
    path = Path("profiles/demo.yaml")
    text = path.read_text()
    start, end = text.index("\nruns:"), text.index("\ngrid:")
    path.write_text(text[:start] + RUNS + text[end:])
    return path


def test_a_run_takes_over_what_the_run_changes_that_it_is_like(runs: Path) -> None:
    train = load("demo", "train")
    wide = resolve("demo", "wide")
    assert wide.run.model == {"arch": "unet", "base_channels": 16}
    assert wide.run.loss == replace(train.loss, dice=2.0)
    assert asdict(wide.run) == {
        **asdict(train),
        **WHOLE,
        "model": wide.run.model,
        "loss": asdict(wide.run.loss),
    }
    assert (wide.like, wide.changes) == ("plain", {"model.base_channels": 16, "loss.dice": 2.0})
    assert resolve("demo", "wide-43").run == replace(wide.run, seed=43)


def test_a_model_that_names_its_architecture_keeps_no_setting_of_another(runs: Path) -> None:
    assert resolve("demo", "other").run.model == {"arch": "joint", "classes": 4}


def test_a_nested_block_keeps_what_is_not_named(runs: Path) -> None:
    tried = resolve("demo", "tried").run
    assert tried.augment == replace(load("demo", "train").augment, noise_std=[0.0, 0.1])


def test_what_a_run_is_to_the_others(runs: Path) -> None:
    kinds = {name: resolve("demo", name).kind for name in ("plain", "wide", "wide-43", "tried", "tried-43")}
    assert kinds == {
        "plain": "model",
        "wide": "model",
        "wide-43": "seed",
        "tried": "recipe",
        "tried-43": "recipe",
    }
    assert resolve("demo", "tried-43").judge == "validation"


def test_a_run_on_other_images_is_of_a_kind_of_its_own(runs: Path) -> None:
    kinds = {name: resolve("demo", name).kind for name in ("fewer", "fewer-43", "folded")}
    assert kinds == {"fewer": "pruned", "fewer-43": "pruned", "folded": "fold"}
    assert resolve("demo", "fewer").changes == {"prune": "copies"}


def test_how_a_run_is_computed_is_a_change_only_where_nothing_else_is(runs: Path) -> None:
    text = runs.read_text().replace("seed: 43}", "seed: 43, precision: bf16-mixed}", 1)
    runs.write_text(text.replace("noise_std: [0.0, 0.1]}}", "noise_std: [0.0, 0.1]}, precision: bf16-mixed}"))
    again, tried = resolve("demo", "wide-43"), resolve("demo", "tried")
    assert (again.kind, again.changes, again.run.precision) == ("seed", {"seed": 43}, "bf16-mixed")
    assert tried.changes == {"augment.noise_std": [0.0, 0.1]}
    runs.write_text(text.replace("seed: 43, ", "", 1))
    assert resolve("demo", "wide-43").kind == "model"
    assert resolve("demo", "wide-43").changes == {"precision": "bf16-mixed"}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            "fewer",
            "prune: copies",
            "prune: copies, judge: validation",
            "prune: copies with judge: validation",
        ),
        ("tried-43", "seed: 43", "healthy_slices: true", "a recipe on other images in runs.tried-43"),
    ],
)
def test_what_the_analysis_could_not_judge_is_told_before_training(
    runs: Path, name: str, old: str, new: str, expected: str
) -> None:
    line = next(line for line in runs.read_text().splitlines() if line.startswith(f"  {name}: "))
    runs.write_text(runs.read_text().replace(line, line.replace(old, new)))
    with pytest.raises(InputError, match=expected):
        resolve("demo", name)


def test_a_recipe_like_a_model_may_have_other_images(runs: Path) -> None:
    runs.write_text(runs.read_text().replace("judge: validation", "judge: validation, healthy_slices: true"))
    assert resolve("demo", "tried").run.healthy_slices is True


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("folded", "fold: 0", "fold: 5", r"bad value for runs\.folded\.fold"),
        ("fewer", "prune: copies", "prune: some", r"bad value for runs\.fewer\.prune"),
    ],
)
def test_a_selection_that_there_is_not_is_told(
    runs: Path, name: str, old: str, new: str, expected: str
) -> None:
    runs.write_text(runs.read_text().replace(old, new, 1))
    with pytest.raises(InputErrors, match=expected):
        resolve("demo", name)


@pytest.mark.parametrize("setting", ["prune: copies", "judge: validation", "healthy_slices: true"])
def test_a_fold_has_no_other_selection(runs: Path, setting: str) -> None:
    runs.write_text(runs.read_text().replace("fold: 0", f"fold: 0, {setting}", 1))
    with pytest.raises(InputError, match=r"settings that no fold has in runs\.folded: got fold 0 with"):
        resolve("demo", "folded")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("like: plain", "like: nobody", "no block 'runs.nobody'"),
        (
            "plain: {model",
            "plain: {like: wide, model",
            "runs that are like each other: got wide -> plain -> wide",
        ),
        ("loss: {dice: 2.0}", "loss: {dise: 2.0}", "unknown setting runs.wide.loss.dise"),
        (
            "like: plain, model: {base_channels: 16}",
            "optimizer: {name: adam}",
            "missing setting runs.wide.model",
        ),
        ("loss: {dice: 2.0}", "judge: test-set", "bad value for runs.wide.judge: got 'test-set'"),
    ],
)
def test_a_bad_run_is_told(runs: Path, old: str, new: str, expected: str) -> None:
    text = runs.read_text()
    assert old in text
    runs.write_text(text.replace(old, new, 1))
    with pytest.raises((InputError, InputErrors)) as caught:
        resolve("demo", "wide")
    assert expected in str(caught.value)


def test_a_cell_of_the_grid_shares_its_run_s_settings_but_those_of_the_block_grid(repository: Path) -> None:
    run = resolve("demo", "unet").run
    assert resolve_grid("demo", "unet") == replace(run, epochs=2, may_diverge=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-05", 1e-5),
        ("1.0e-5", 1e-5),
        ("1E5", 1e5),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("10", 10),
        ("-3", -3),
        ("010", 10),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("1:30", "1:30"),
        ("1e-05x", "1e-05x"),
        ("2026-11-26", "2026-11-26"),
        ('"1e-05"', "1e-05"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {text}\n")
    found = read_yaml(path)["a"]
    assert (found, type(found)) == (value, type(value))


def test_a_key_that_stands_there_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("runs:\n  unet: 1\n  unet: 2\n")
    with pytest.raises(InputError, match=r"a\.yaml: not readable as YAML.*'unet'.*twice"):
        read_yaml(path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(repository: Path) -> None:
    path = Path("params.yaml")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_params().profile == "demo"


def test_one_key_of_params_is_read_without_the_others(repository: Path) -> None:
    Path("params.yaml").write_text("runs: [unet]\n")
    assert load_param(list[str], "runs") == ["unet"]
    with pytest.raises(InputErrors, match="bad value for profile"):
        load_param(str, "profile")


def test_a_run_may_have_any_fold_and_no_other() -> None:
    folds = TypeAdapter(Fold)
    assert [folds.validate_python(fold) for fold in range(FOLDS)] == list(range(FOLDS))
    with pytest.raises(ValidationError):
        folds.validate_python(FOLDS)
