"""Profiles: the same keys everywhere, and one clear error for anything else."""

from dataclasses import replace
from pathlib import Path

import pytest

from brisc.config import load, load_params, load_recipe, read_yaml
from brisc.errors import InputError, InputErrors

PROFILES = ("demo", "laptop", "paper")
BLOCKS = ("data", "phantom", "audit", "prepare", "train", "models.unet", "grid", "ablation", "evaluate")


def keys(content: object, prefix: str = "") -> set[str]:
    if not isinstance(content, dict):
        return {prefix}
    return {key for name, value in content.items() for key in keys(value, f"{prefix}.{name}")}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_of_every_profile_loads(repository: Path, profile: str, block: str) -> None:
    assert load(profile, block)


def test_profiles_have_the_same_keys(repository: Path) -> None:
    demo, *others = (keys(read_yaml(Path(f"profiles/{profile}.yaml"))) for profile in PROFILES)
    assert len(demo) > 40
    assert all(other == demo for other in others)


def test_every_top_level_block_is_known(repository: Path) -> None:
    assert {block.split(".")[0] for block in BLOCKS} == set(read_yaml(Path("profiles/demo.yaml")))


def test_values_arrive_as_their_types(repository: Path) -> None:
    run = load("paper", "models.unet")
    assert run.optimizer.learning_rate == 1e-4
    assert run.epochs == 100
    assert run.model == {"arch": "unet", "in_channels": 1, "base_channels": 64, "levels": 5}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "  batch_size: 8",
            "  batch_sise: 16",
            ["unknown knob train.batch_sise", "missing knob train.batch_size"],
        ),
        ("  batch_size: 8", "", ["missing knob train.batch_size"]),
        ("  batch_size: 8", "  batch_size: 0", ["bad value for train.batch_size: got 0"]),
        ("  batch_size: 8", '  batch_size: "16"', ["bad value for train.batch_size: got '16'"]),
        ("  batch_size: 8", "  batch_size: 16.5", ["bad value for train.batch_size: got 16.5"]),
        (
            "precision: 32-true",
            "precision: fp32",
            ["bad value for train.precision: got 'fp32'", "'32-true', 'bf16-mixed' or 'auto'"],
        ),
        ("zoom_fraction: 0.1", "zoom_fraction: 2.0", ["bad value for train.augment.zoom_fraction: got 2.0"]),
        (
            "noise_std: [0.02, 0.1]",
            "noise_std: [0.02]",
            ["bad value for train.augment.noise_std: got [0.02]"],
        ),
        ("\ntrain:", "\ntrain: [", ["not readable as YAML"]),
        ("\ntrain:", "\ntrane:", ["no block 'train'", "trane"]),
    ],
)
def test_a_bad_knob_is_told_by_name_and_file(
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


def test_all_bad_knobs_are_told_at_once(repository: Path) -> None:
    path = Path("profiles/demo.yaml")
    path.write_text(
        path.read_text().replace("batch_size: 8", "batch_size: -1", 1).replace("devices: 1", "devices: one")
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


def test_params_name_models_that_every_profile_has(repository: Path) -> None:
    params = load_params()
    for profile in PROFILES:
        assert set(params.models) == set(read_yaml(Path(f"profiles/{profile}.yaml"))["models"])
        for model in params.models:
            assert load(profile, f"models.{model}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("models: [unet, ", "models: [[], ", "bad value for models.0: got []"),
        ("models: [unet, ", "modles: [unet, ", "missing knob models"),
        ("  values: [43]", "  values: [-1]", "bad value for seeds.values.0: got -1"),
        (
            "  model: unet",
            "  model: vnet",
            "seeds, a grid or an ablation of a model that is not listed: got vnet",
        ),
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


def test_a_recipe_changes_what_it_names_and_nothing_else(repository: Path) -> None:
    plain_run, plain = load_recipe("demo", "unet", "plain")
    assert plain == load("demo", "train")
    assert plain_run == replace(load("demo", "models.unet"), epochs=load("demo", "ablation").epochs)
    _, bare = load_recipe("demo", "unet", "no_augmentation")
    assert bare.augment.horizontal_flip == bare.augment.noise_probability == 0.0
    assert bare.augment.noise_std == plain.augment.noise_std
    assert replace(bare, augment=plain.augment) == plain


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("emma", "no such recipe: got 'emma', expected one of plain, ema, other_schedule, no_augmentation"),
        ("ema", "unknown knob ablation.recipes.ema.ema_decai"),
    ],
)
def test_a_bad_recipe_is_told(repository: Path, recipe: str, expected: str) -> None:
    path = Path("profiles/demo.yaml")
    path.write_text(path.read_text().replace("{ema_decay: 0.9}", "{ema_decai: 0.9}"))
    with pytest.raises((InputError, InputErrors)) as caught:
        load_recipe("demo", "unet", recipe)
    assert "demo.yaml" in str(caught.value)
    assert expected in str(caught.value)
