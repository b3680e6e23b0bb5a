"""The only reader of YAML: a block of a profile becomes a frozen dataclass, or one clear error.

YAML key = dataclass field = keyword argument. There are no defaults: a missing knob and an unknown knob both
fail before any data is read. The knobs are explained where they are set, in profiles/demo.yaml.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from brisc.errors import InputError, InputErrors


class Strict:
    """No unknown keys, and no "3" for 3."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)


Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Splits(Strict):
    """A number for each half of the publisher's split."""

    train: Count
    test: Count


@dataclass(frozen=True, kw_only=True)
class Expected(Strict):
    """What validate must find: images, and among them those with a mask."""

    images: Splits
    pairs: Splits


@dataclass(frozen=True, kw_only=True)
class Data(Strict):
    """Where the data set comes from, how to know its version, and what it must hold."""

    source: Literal["phantom", "brisc2025"]
    kaggle: Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+(/versions/[0-9]+)?$")]
    manifest_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    expected: Expected


@dataclass(frozen=True, kw_only=True)
class Phantom(Strict):
    """Generated images: how many, how they vary, and how many known copies and neighbours are planted in
    train."""

    seed: Seed
    size: Annotated[int, Field(ge=64)]
    slices: Splits
    deformation_mm: NonNegative
    bias: Annotated[float, Field(ge=0, lt=0.5)]
    noise: NonNegative
    lesion_contrast: Annotated[float, Field(gt=0, le=2)]
    other_sizes: Probability
    colour: Probability
    rotated: Probability
    mask_quality: Annotated[int, Field(ge=50, le=99)]
    copies_same_bytes: Count
    copies_same_pixels: Count
    copies_reencoded: Count
    copies_rescaled: Count
    copies_mirrored: Count
    copies_within_train: Count
    neighbours: Count
    neighbours_within_train: Count
    neighbour_gap_mm: Annotated[float, Field(gt=0, le=8)]


@dataclass(frozen=True, kw_only=True)
class Planes(Strict):
    """A number for each anatomical plane."""

    axial: Rate
    coronal: Rate
    sagittal: Rate


@dataclass(frozen=True, kw_only=True)
class Audit(Strict):
    """Lines between copies, neighbours and strangers, and how widely copies are searched, see
    brisc.data.similarity."""

    copy_similarity: Rate
    neighbour_similarity: Planes
    screen_similarity: Rate
    nearest: Positive
    tilts_degrees: list[Annotated[float, Field(gt=0, le=45)]]
    probe_seed: Seed


@dataclass(frozen=True, kw_only=True)
class Prepare(Strict):
    size: Annotated[int, Field(ge=32, multiple_of=16)]
    fit: Literal["squeeze", "pad"]
    split: Literal["random", "grouped"]
    prune: Literal["none", "copies", "neighbours"]
    validation_fraction: Rate
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class Augment(Strict):
    """Probabilities and ranges of the study's augmentation, see brisc.data.dataset."""

    horizontal_flip: Probability
    vertical_flip: Probability
    rotate_degrees: NonNegative
    rotate_probability: Probability
    shift_fraction: NonNegative
    zoom_fraction: Probability
    affine_probability: Probability
    brightness: Probability
    contrast: Probability
    brightness_contrast_probability: Probability
    noise_std: Annotated[list[NonNegative], Field(min_length=2, max_length=2)]
    noise_probability: Probability


@dataclass(frozen=True, kw_only=True)
class Train(Strict):
    """What is held equal over the models that are compared."""

    seed: Seed
    batch_size: Positive
    accumulate: Positive
    precision: Literal["32-true", "bf16-mixed", "auto"]
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    devices: Positive
    channels_last: bool
    portable_cpu: bool
    measure_seconds: bool
    early_stopping_patience: Positive
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    schedule: Literal["plateau", "cosine"]
    plateau_patience: Positive
    plateau_factor: Rate
    plateau_floor: NonNegative
    augment: Augment


@dataclass(frozen=True, kw_only=True)
class Optimizer(Strict):
    name: Literal["adam", "adamw", "sgd", "rmsprop"]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: NonNegative
    momentum: Probability


@dataclass(frozen=True, kw_only=True)
class Loss(Strict):
    """Weights of the terms of the loss; a term with weight 0 is not computed."""

    dice: NonNegative
    bce: NonNegative
    cross_entropy: NonNegative
    balance: Literal["fixed", "uncertainty"]


@dataclass(frozen=True, kw_only=True)
class Run(Strict):
    """One training: `model` goes to brisc.models.build as it stands."""

    model: dict[str, Any]
    healthy_slices: bool
    epochs: Positive
    optimizer: Optimizer
    loss: Loss


@dataclass(frozen=True, kw_only=True)
class Grid(Strict):
    """What the cells of the grid share; a cell is the grid's model with another optimiser and rate."""

    epochs: Positive


@dataclass(frozen=True, kw_only=True)
class Ablation(Strict):
    """Recipes of training: what each changes in the block `train`; all last `epochs`."""

    epochs: Positive
    recipes: dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Evaluate(Strict):
    batch_size: Positive
    threshold: Rate
    flips: bool
    calibration_bins: Positive
    study_batch_size: Positive
    bootstrap_resamples: Positive
    bootstrap_seed: Seed


@dataclass(frozen=True, kw_only=True)
class Seeds(Strict):
    """Models that are trained again with other seeds than train.seed; no values: none is."""

    models: list[str]
    values: list[Seed]


@dataclass(frozen=True, kw_only=True)
class GridAxes(Strict):
    """A training of `model` for each pair of optimiser and rate; an empty axis: no grid."""

    model: str
    optimizers: list[Literal["adam", "adamw", "sgd", "rmsprop"]]
    learning_rates: list[Annotated[float, Field(gt=0)]]


@dataclass(frozen=True, kw_only=True)
class Ablated(Strict):
    """A training of `model` by each recipe, held against the first of them; no recipes: no ablation."""

    model: str
    recipes: list[str]


@dataclass(frozen=True, kw_only=True)
class LikeForLike(Strict):
    """By head, the model that differs from a joint one in nothing but the other head."""

    mask: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Separate(Strict):
    """By head, the models of which the best on validation stands for the study's way of comparing."""

    mask: list[str]
    label: list[str]


@dataclass(frozen=True, kw_only=True)
class Compare(Strict):
    """Joint nets and what they are held against; names that are not listed under models are left out."""

    joint: list[str]
    like_for_like: LikeForLike
    separate: Separate


@dataclass(frozen=True, kw_only=True)
class Params(Strict):
    """params.yaml: the only file that names models outside the profiles."""

    profile: str
    models: Annotated[list[str], Field(min_length=1)]
    seeds: Seeds
    grid: GridAxes
    ablation: Ablated
    compare: Compare


BLOCKS = {
    "data": Data,
    "phantom": Phantom,
    "audit": Audit,
    "prepare": Prepare,
    "train": Train,
    "grid": Grid,
    "ablation": Ablation,
    "evaluate": Evaluate,
}


def load(profile: str, block: str) -> Any:
    """The block `block` ("train", "models.unet") of profiles/<profile>.yaml as its dataclass."""
    path = Path("profiles") / f"{profile}.yaml"
    content: Any = read_yaml(path)
    for key in block.split("."):
        if not isinstance(content, dict) or key not in content:
            known = ", ".join(sorted(map(str, content))) if isinstance(content, dict) else "no keys"
            raise InputError(
                f"no block {block!r}",
                where=path,
                got=repr(key),
                expected=f"one of {known}",
                mend=f"Add the block to {path} or correct the name in the command or in params.yaml.",
            )
        content = content[key]
    return _checked(Run if block.startswith("models.") else BLOCKS[block], content, path, block)


def load_params() -> Params:
    """params.yaml as its dataclass: which profile, and the lists that the stages of dvc.yaml are made of."""
    path = Path("params.yaml")
    params: Params = _checked(Params, read_yaml(path), path, "")
    unknown = [
        model
        for model in (*params.seeds.models, params.grid.model, params.ablation.model)
        if model not in params.models
    ]
    if unknown:
        raise InputError(
            "seeds, a grid or an ablation of a model that is not listed",
            where=path,
            got=", ".join(unknown),
            expected=f"of {', '.join(params.models)}",
            mend="Add it to models, or take it out of seeds, grid and ablation.",
        )
    return params


def models_of(profile: str) -> list[str]:
    """The models that the profile has a block for, listed in params.yaml or not, sorted."""
    return sorted(read_yaml(Path("profiles") / f"{profile}.yaml")["models"])


def load_cell(profile: str, model: str, *, optimizer: str, learning_rate: str) -> Run:
    """A cell of the grid as its command line names it: the block of `model` with that optimiser, rate, and
    the grid's epochs."""
    run, grid = load(profile, f"models.{model}"), load(profile, "grid")
    try:
        rate: float | str = float(learning_rate)
    except ValueError:
        rate = learning_rate  # told below, with all the others
    content = asdict(run)
    content |= {
        "epochs": grid.epochs,
        "optimizer": {**content["optimizer"], "name": optimizer, "learning_rate": rate},
    }
    cell: Run = _checked(Run, content, Path("profiles") / f"{profile}.yaml", f"models.{model}")
    return cell


def load_recipe(profile: str, model: str, recipe: str) -> tuple[Run, Train]:
    """`model` as the recipe trains it: its block with the ablation's epochs, and `train` with the recipe's
    changes."""
    run, train, ablation = load(profile, f"models.{model}"), load(profile, "train"), load(profile, "ablation")
    path = Path("profiles") / f"{profile}.yaml"
    if recipe not in ablation.recipes:
        raise InputError(
            "no such recipe",
            where=path,
            got=repr(recipe),
            expected=f"one of {', '.join(ablation.recipes) or 'none'}",
            mend="Add it to ablation.recipes or correct its name in params.yaml.",
        )
    changed: Train = _checked(
        Train, _merged(asdict(train), ablation.recipes[recipe]), path, f"ablation.recipes.{recipe}"
    )
    return replace(run, epochs=ablation.epochs), changed


def _merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with the changes, block by block: a nested block keeps the knobs that the changes do not
    name."""
    nested = {
        key: _merged(content[key], value)
        for key, value in changes.items()
        if _are_blocks(content.get(key), value)
    }
    return {**content, **changes, **nested}


def _are_blocks(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def read_yaml(path: Path) -> Any:
    """YAML 1.2, safely: ruamel reads 1e-05 as a number, which PyYAML reads as a string."""
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise InputError(
            "no such profile",
            where=path,
            got="no file",
            expected=f"one of: {known}",
            mend="Name an existing profile in params.yaml.",
        )
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (MarkedYAMLError, UnicodeDecodeError) as error:
        raise InputError(
            "not readable as YAML",
            where=path,
            got=" ".join(str(error).split()),
            expected="YAML 1.2 in UTF-8",
            mend="Correct the file at that line.",
        ) from None


def _checked(kind: Any, content: Any, path: Path, block: str) -> Any:
    try:
        # Through JSON, since strict validation takes no dict for a dataclass otherwise.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise InputErrors([_explain(path, block, problem) for problem in error.errors()]) from None


def _explain(path: Path, block: str, problem: Any) -> InputError:
    knob = ".".join(str(part) for part in (block, *problem["loc"]) if part != "")
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return InputError(
            f"unknown knob {knob}",
            where=path,
            got=problem["input"],
            expected="no such key",
            mend="Correct or remove it.",
        )
    if problem["type"] in ("missing", "missing_argument"):
        return InputError(
            f"missing knob {knob}",
            where=path,
            got="nothing",
            expected="a value",
            mend="Set it; there are no defaults.",
        )
    return InputError(
        f"bad value for {knob}",
        where=path,
        got=repr(problem["input"]),
        expected=problem["msg"],
        mend="Correct it.",
    )
