"""The only reader of YAML: a block of a profile becomes a frozen dataclass, or one clear error.

YAML key = dataclass field = keyword argument. There are no defaults but the profile's own block `train`,
which has every setting of a training once; a run says what it changes. A missing setting and an unknown one
both fail before any data is read. The settings are explained where they are set, in profiles/demo.yaml.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from brisc.errors import InputError, InputErrors


class Strict:
    """No unknown keys, and no "3" for 3."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)


Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# One of vocabulary.FOLDS, a file that not every stage declares, as all declare this one.
Fold = Annotated[int, Field(ge=0, lt=5)]
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
class Train(Strict):
    """Every setting of a training but the net."""

    seed: Seed
    healthy_slices: bool
    epochs: Positive
    batch_size: Positive
    validation_batch_size: Positive
    accumulate: Positive
    optimizer: Optimizer
    loss: Loss
    precision: Literal["32-true", "bf16-mixed", "auto"]
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    devices: Positive
    channels_last: bool
    compile: Literal["none", "default", "graphs"]
    workers: Count | Literal["auto"]
    portable_cpu: bool
    checkpoint_seconds: NonNegative
    measure_seconds: bool
    may_diverge: bool
    early_stopping_patience: Positive
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    schedule: Literal["plateau", "cosine"]
    plateau_patience: Positive
    plateau_factor: Rate
    plateau_floor: NonNegative
    augment: Augment


@dataclass(frozen=True, kw_only=True)
class Run(Train):
    """One training: `model` goes to brisc.models.build as it stands, prune and fold to
    brisc.data.selection.select."""

    model: dict[str, Any]
    prune: Literal["none", "copies", "random"]
    fold: Fold | None


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
class Grid(Strict):
    """A training of `run` for each pair of optimizer and rate; an empty axis: no grid."""

    run: str
    optimizers: list[Literal["adam", "adamw", "sgd", "rmsprop"]]
    learning_rates: list[Annotated[float, Field(gt=0)]]


@dataclass(frozen=True, kw_only=True)
class LikeForLike(Strict):
    """By head, the run that differs from a joint one in nothing but the other head."""

    mask: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Separate(Strict):
    """By head, the runs of which the best on validation stands for the study's way of comparing."""

    mask: list[str]
    label: list[str]


@dataclass(frozen=True, kw_only=True)
class Compare(Strict):
    """Joint nets and what they are compared with; names that are not listed under runs are left out."""

    joint: list[str]
    like_for_like: LikeForLike
    separate: Separate


@dataclass(frozen=True, kw_only=True)
class Vote(Strict):
    """A pixel is tumour where at least `agree` of the members say so, those that the profile has. No vote
    where one of them is not listed under runs."""

    members: list[str]
    agree: Positive


@dataclass(frozen=True, kw_only=True)
class VotePlan(Strict):
    """What the vote stage takes from the profile: the names of all its runs, and how masks are judged."""

    runs: list[str]
    evaluate: Evaluate


@dataclass(frozen=True, kw_only=True)
class Params(Strict):
    """params.yaml: which profile, which runs, and the grid's axes. No number of a training."""

    profile: str
    runs: Annotated[list[str], Field(min_length=1)]
    export: list[str]
    grid: Grid
    compare: Compare
    vote: Vote


BLOCKS = {
    "data": Data,
    "phantom": Phantom,
    "audit": Audit,
    "prepare": Prepare,
    "train": Train,
    "evaluate": Evaluate,
}


Kind = Literal["model", "seed", "recipe", "pruned", "fold"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan(Strict):
    """All that decides a training but its data: settings, and a digest of each file of code."""

    run: Run
    code: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan(Strict):
    """How a run is evaluated, and what it is to the others, see `Resolved`."""

    name: str
    kind: Kind
    like: str | None
    changes: dict[str, Any]
    judge: Literal["test", "validation"]
    evaluate: Evaluate
    code: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class FetchPlan(Strict):
    data: Data
    phantom: Phantom


@dataclass(frozen=True, kw_only=True)
class ValidatePlan(Strict):
    data: Data


@dataclass(frozen=True, kw_only=True)
class AuditPlan(Strict):
    audit: Audit
    validation_fraction: Rate
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class PreparePlan(Strict):
    prepare: Prepare


@dataclass(frozen=True, kw_only=True)
class AnalysePlan(Strict):
    """source: of the data. runs: how many the profile has, recorded or not."""

    source: Literal["phantom", "brisc2025"]
    prepare: Prepare
    evaluate: Evaluate
    runs: int


Plan = TypeVar("Plan")


def read_plan(kind: type[Plan], path: Path) -> Plan:
    """What the plan stage wrote to `path`. Raises FileNotFoundError before it did."""
    plan: Plan = checked(kind, json.loads(path.read_text(encoding="utf-8")), path, "")
    return plan


def profile_path(profile: str) -> Path:
    return Path("profiles") / f"{profile}.yaml"


def load(profile: str, block: str) -> Any:
    """The block `block` of profiles/<profile>.yaml as its dataclass."""
    path = profile_path(profile)
    return checked(BLOCKS[block], _block(read_yaml(path), block, path), path, block)


PARAMS = Path("params.yaml")

VOTE = "vote"  # its table in reports/P/per_image stands beside those of the runs, by their names


def load_params() -> Params:
    """params.yaml as its dataclass: which profile, and the lists that the stages of dvc.yaml are made of."""
    return params_of(read_yaml(PARAMS))


def params_of(content: Any) -> Params:
    """The content of params.yaml, checked. Raises InputError for a run that is not listed, or that no profile
    has."""
    params: Params = checked(Params, content, PARAMS, "")
    if twice := [name for name in dict.fromkeys(params.runs) if params.runs.count(name) > 1]:
        raise InputError(
            "a run that is listed twice",
            where=PARAMS,
            got=", ".join(twice),
            expected="each once",
            mend="Take one of them out of runs.",
        )
    if VOTE in params.runs:
        raise InputError(
            "a run with the name of the vote",
            where=PARAMS,
            got=f"{VOTE} under runs",
            expected="another name, since both have a table in reports",
            mend="Rename the run here and in the profile.",
        )
    if params.grid.run not in params.runs:
        raise InputError(
            "a grid of a run that is not listed",
            where=PARAMS,
            got=params.grid.run,
            expected=f"one of {', '.join(params.runs)}",
            mend="Add it to runs, or name another run in grid.run.",
        )
    unknown = [name for name in params.export if name not in params.runs]
    if unknown:
        raise InputError(
            "an export of a run that is not listed",
            where=PARAMS,
            got=", ".join(unknown),
            expected=f"of {', '.join(params.runs)}",
            mend="Add it to runs, or take it out of export.",
        )
    profiles = [path.stem for path in sorted(profile_path("").parent.glob("*.yaml"))]
    known = {name for profile in profiles for name in run_names(profile)}
    compared, vote = params.compare, params.vote
    named = [*compared.joint, *asdict(compared.like_for_like).values()]
    named += [*compared.separate.mask, *compared.separate.label, *vote.members]
    unknown = [name for name in dict.fromkeys(named) if name not in known]
    if unknown and known:
        raise InputError(
            "a run that no profile has, under compare or vote",
            where=PARAMS,
            got=", ".join(unknown),
            expected=f"runs of {', '.join(profiles)}",
            mend="Correct the name.",
        )
    if vote.members and vote.agree > len(vote.members):
        raise InputError(
            "a vote of more than there are",
            where=PARAMS,
            got=f"vote.agree: {vote.agree}",
            expected=f"at most {len(vote.members)}, the number of vote.members",
            mend="Correct one of them.",
        )
    return params


def load_param(kind: Any, key: str) -> Any:
    """One key of params.yaml: what a stage that declares no other one may read."""
    content = read_yaml(PARAMS)
    return checked(kind, content.get(key) if isinstance(content, dict) else None, PARAMS, key)


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A run of a profile with all that it inherits.

    changes: dotted setting -> value, against the run `like`, or against the block `train` where there is no
    such run; without those of COMPUTING, unless nothing else changes. judge: the images that it is evaluated
    on: "test" (and validation), or "validation" alone.
    """

    run: Run
    like: str | None
    changes: dict[str, Any]
    judge: Literal["test", "validation"]

    @property
    def kind(self) -> Kind:
        """seed: another run once more; recipe: a choice of training, which the test images must not see;
        pruned: trained without some images; fold: trained without a fold, and judged on it."""
        if self.run.fold is not None:
            return "fold"
        if self.run.prune != "none":
            return "pruned"
        if self.judge == "validation":
            return "recipe"
        return "seed" if self.like is not None and self.changes.keys() == {"seed"} else "model"


def run_names(profile: str) -> list[str]:
    """All runs of the profile, whether params.yaml names them or not."""
    path = profile_path(profile)
    return list(_block(read_yaml(path), "runs", path))


def resolve(profile: str, name: str) -> Resolved:
    """The run `name`: the block `train`, then what the runs that it is like change, then its own changes."""
    path = profile_path(profile)
    content = read_yaml(path)
    runs = _block(content, "runs", path)
    own = dict(_block(runs, name, path, "runs"))
    like = own.pop("like", None)
    settings: dict[str, Any] = {**WHOLE, "judge": "test", **_block(content, "train", path)}
    before = settings
    for change in reversed(list(_lineage(runs, name, path))):
        before, settings = settings, _merged(settings, change)
    judge = settings.pop("judge")
    if judge not in ("test", "validation"):
        raise InputError(
            f"bad value for runs.{name}.judge",
            where=path,
            got=repr(judge),
            expected="test or validation",
            mend="Correct it.",
        )
    run: Run = checked(Run, settings, path, f"runs.{name}")
    _check_selection(run, judge, f"runs.{name}", path)
    if judge == before["judge"] == "validation" and run.healthy_slices != before["healthy_slices"]:
        raise InputError(
            f"a recipe on other images in runs.{name}",
            where=path,
            got=f"healthy_slices: {run.healthy_slices}, unlike {like}",
            expected="the validation images of the recipe that it is compared with",
            mend="Take healthy_slices out, or let the run be like a model.",
        )
    changes = dict(_leaves(own))
    learned = {setting: value for setting, value in changes.items() if setting not in COMPUTING}
    return Resolved(run=run, like=like, changes=learned or changes, judge=judge)


def resolve_grid(profile: str, name: str) -> Run:
    """What all cells of a grid of the run `name` share: its settings, changed as the block `grid` says."""
    path = profile_path(profile)
    settings = _merged(asdict(resolve(profile, name).run), _block(read_yaml(path), "grid", path))
    run: Run = checked(Run, settings, path, "grid")
    return run


def _check_selection(run: Run, judge: str, setting: str, path: Path) -> None:
    """A fold has other images than the publisher's halves, and tumour slices alone; what the images left out
    are worth shows on test."""
    clashing = [
        name
        for name, clashes in (
            ("prune", run.prune != "none"),
            ("judge: validation", judge == "validation"),
            ("healthy_slices", run.healthy_slices),
        )
        if clashes
    ]
    if run.fold is not None and clashing:
        raise InputError(
            f"settings that no fold has in {setting}",
            where=path,
            got=f"fold {run.fold} with {', '.join(clashing)}",
            expected="a fold of tumour slices, judged on the fold",
            mend="Take out the fold or the others.",
        )
    if run.prune != "none" and judge == "validation":
        raise InputError(
            f"settings that do not go together in {setting}",
            where=path,
            got=f"prune: {run.prune} with judge: validation",
            expected="a run without some train images, judged on test",
            mend="Take one of them out.",
        )


def _lineage(runs: Any, name: str, path: Path) -> Iterator[dict[str, Any]]:
    """The changes of the run, then of the run that it is like, and so on."""
    seen: list[str] = []
    following: str | None = name
    while following is not None:
        if following in seen:
            raise InputError(
                "runs that are like each other",
                where=path,
                got=" -> ".join([*seen, following]),
                expected="a run without `like` at the end",
                mend="Correct `like` of one of them.",
            )
        seen.append(following)
        change = dict(_block(runs, following, path, "runs"))
        following = change.pop("like", None)
        yield change


def _block(content: Any, key: str, path: Path, within: str = "") -> Any:
    if isinstance(content, dict) and isinstance(content.get(key), dict):
        return content[key]
    known = ", ".join(sorted(map(str, content))) if isinstance(content, dict) else "no keys"
    raise InputError(
        f"no block {f'{within}.{key}' if within else key!r}",
        where=path,
        got=repr(key),
        expected=f"one of {known}",
        mend=f"Add the block to {path} or correct the name in the command or in params.yaml.",
    )


def _merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with the changes, block by block: a nested block keeps the settings that the changes do not
    name. A model that names its architecture is a new one and keeps nothing."""
    nested = {
        key: _merged(content[key], value)
        for key, value in changes.items()
        if isinstance(content.get(key), dict) and isinstance(value, dict) and "arch" not in value
    }
    return {**content, **changes, **nested}


# What a run trains on unless it says otherwise: every image of the publisher's train half.
WHOLE: dict[str, Any] = {"prune": "none", "fold": None}

# What a run says of itself that changes nothing in how it is trained.
NOT_OF_TRAINING = ("judge", "may_diverge")

# How a training is computed. A run with another seed and the precision of the first is still its repetition.
COMPUTING = ("precision", "accelerator", "compile", "workers", "checkpoint_seconds")


def _leaves(changes: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in changes.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        elif key not in NOT_OF_TRAINING:
            yield f"{prefix}{key}", value


class _Yaml12(yaml.CSafeLoader):
    """PyYAML's safe parser in C, with the scalars of YAML 1.2: 1e-05 is a number, `no` and `on` are words."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands there twice", key.start_mark
                )
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_Yaml12.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", list("-+0123456789.")),
):
    _Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
# PyYAML would take 010 for an octal number.
_Yaml12.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def read_yaml(path: Path) -> Any:
    """The content of a YAML 1.2 file, parsed safely."""
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        of_profile = path.parent == profile_path("").parent
        raise InputError(
            "no such profile" if of_profile else "a file is missing",
            where=path,
            got="no file",
            expected=f"one of: {known}" if of_profile else "a file of the repository",
            mend="Name an existing profile in params.yaml."
            if of_profile
            else "Run it in the repository's root, or bring the file back with git.",
        )
    return yaml_of(path.read_bytes(), path)


def yaml_of(content: bytes | str, path: Path) -> Any:
    """The content of a YAML 1.2 file; path: where it is, or is to be."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return yaml.load(text, Loader=_Yaml12)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            "not readable as YAML",
            where=path,
            got=" ".join(str(error).split()),
            expected="YAML 1.2 in UTF-8",
            mend="Correct the file at that line.",
        ) from None


def checked(kind: Any, content: Any, path: Path, block: str) -> Any:
    """`content` as the dataclass `kind`; raises InputErrors that name the file and every wrong setting."""
    try:
        # Through JSON, since strict validation takes no dict for a dataclass otherwise.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise InputErrors([_explain(path, block, problem) for problem in error.errors()]) from None


def _explain(path: Path, block: str, problem: Any) -> InputError:
    setting = ".".join(str(part) for part in (block, *problem["loc"]) if part != "")
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return InputError(
            f"unknown setting {setting}",
            where=path,
            got=problem["input"],
            expected="no such key",
            mend="Correct or remove it.",
        )
    if problem["type"] in ("missing", "missing_argument"):
        return InputError(
            f"missing setting {setting}",
            where=path,
            got="nothing",
            expected="a value",
            mend="Set it; there are no defaults.",
        )
    return InputError(
        f"bad value for {setting}",
        where=path,
        got=repr(problem["input"]),
        expected=problem["msg"],
        mend="Correct it.",
    )
