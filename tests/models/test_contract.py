"""What holds for every model: shapes, gradients, independence of batch mates, repeatability, weights that can
be stored."""

import ast
import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import brisc.models
from brisc.config import read_yaml, resolve
from brisc.errors import InputError
from brisc.models import build

MODELS = Path(brisc.models.__file__).parent

# The smallest form of each architecture that still has all of its parts.
UNET = {"in_channels": 1, "base_channels": 4, "levels": 5}
SCALED = {
    "in_channels": 1,
    "classes": 4,
    "width_multiplier": 0.25,
    "depth_multiplier": 0.1,
    "pretrained": False,
}
SMP = {"in_channels": 1, "pretrained": False}
BILINEAR = {**UNET, "base_channels": 8, "classes": 4}
SMALL: dict[str, dict[str, Any]] = {
    "unet": {"arch": "unet", **UNET},
    "unet_bilinear": {"arch": "unet_bilinear", **BILINEAR, "gates": False, "heads": ["mask"]},
    "attention_unet": {"arch": "attention_unet", **UNET},
    "unet_bilinear, gated": {"arch": "unet_bilinear", **BILINEAR, "gates": True, "heads": ["mask"]},
    "unet_bilinear, joint": {
        "arch": "unet_bilinear",
        **BILINEAR,
        "gates": False,
        "heads": ["mask", "label"],
        "head_units": [8],
        "dropout": [0.0, 0.5],
    },
    "bifpn_unet": {"arch": "bifpn_unet", **UNET, "bifpn_channels": 4, "bifpn_layers": 2},
    "mobilenetv2": {"arch": "mobilenetv2", **SCALED},
    "efficientnet_b0": {"arch": "efficientnet_b0", **SCALED},
    "densenet121": {
        "arch": "densenet121",
        "in_channels": 1,
        "classes": 4,
        "growth_rate": 8,
        "block_layers": [1, 2, 1],
        "pretrained": False,
    },
    "joint": {"arch": "joint", **UNET, "classes": 4, "heads": ["mask", "label"]},
    "joint, mask alone": {"arch": "joint", **UNET, "classes": 4, "heads": ["mask"]},
    "joint, label alone": {"arch": "joint", **UNET, "classes": 4, "heads": ["label"]},
    "timm": {
        "arch": "timm",
        "name": "test_efficientnet",
        "in_channels": 1,
        "classes": 4,
        "head_units": [8],
        "dropout": [0.5, 0.5],
        "drop_path": 0.2,
        "pretrained": False,
    },
    "smp, U-Net": {"arch": "smp", "architecture": "Unet", "encoder": "tu-test_efficientnet", **SMP},
    "smp, Linknet": {"arch": "smp", "architecture": "Linknet", "encoder": "mobilenet_v2", **SMP},
}
SMALL["efficientnet_lite0"] = {"arch": "efficientnet_lite0", "classes": 4, "pretrained": False}
SMALL["unet_lite0"] = {"arch": "unet_lite0", "pretrained": False}
HEADS = {
    "efficientnet_lite0": {"label"},
    "mobilenetv2": {"label"},
    "efficientnet_b0": {"label"},
    "densenet121": {"label"},
    "timm": {"label"},
    "unet_bilinear, joint": {"mask", "label"},
    "joint": {"mask", "label"},
    "joint, label alone": {"label"},
}
# A net as large as in the paper profile, counted on meta tensors, one channel and four classes, beside the
# literature.
PAPER_PARAMETERS = {
    # With Adam's two numbers for each weight 153.2 MiB; the study's file of weights has 153.
    "unet": 13_390_209,
    "attention_unet": 13_745_033,  # none published
    "bifpn_unet": 19_069_743,  # none published
    # The literature's net without its classifier, and the study's layers. Three times as many numbers of four
    # bytes, Adam's among them, are 33.0, 53.4 and 87.0 MiB; its files of weights have 33, 54 and 88 with the
    # means and variances of the normalisations.
    "mobilenetv2": 2_223_296 + 1280 * 512 + 512 + 512 * 4 + 4,
    "efficientnet_b0": 4_006_972 + 1280 * 512 + 512 + 512 * 4 + 4,
    "densenet121": 6_947_584 + 1024 * 512 + 512 + 512 * 256 + 256 + 256 * 4 + 4,
    "joint": 13_390_209 + 395_012,  # 512 * 512 + 512 + 512 * 256 + 256 + 256 * 4 + 4
    "unet_healthy": 13_390_209,
    "label_only": 9_406_784 + 395_012,
    "joint_uncertainty": 13_785_221,
}


# Nets of laptop that the study has not.
BEYOND = {"unet_lite0", "unet_lite0-scratch", "efficientnet_lite0", "efficientnet_lite0-scratch"}


def heads(name: str) -> set[str]:
    return HEADS.get(name, {"mask"})


def images(count: int, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.rand(count, 1, height, width)


@pytest.fixture(scope="module", params=sorted(SMALL))
def built(request: pytest.FixtureRequest) -> tuple[str, torch.nn.Module]:
    torch.manual_seed(0)
    return request.param, build(**SMALL[request.param])


@pytest.fixture
def net(built: tuple[str, torch.nn.Module]) -> torch.nn.Module:
    torch.manual_seed(0)
    return copy.deepcopy(built[1]).train()


def test_every_architecture_is_covered() -> None:
    files = {path.stem for path in MODELS.glob("*.py")} - {"__init__", "blocks"}
    assert {block["arch"] for block in SMALL.values()} == files


def test_logits_have_their_shapes(built: tuple[str, torch.nn.Module], net: torch.nn.Module) -> None:
    # Encoders of segmentation_models_pytorch halve five times, ours four times.
    height, width = (32, 64) if built[0].startswith("smp") or built[0] == "unet_lite0" else (32, 48)
    expected = {"mask": (3, 1, height, width), "label": (3, 4)}
    logits = net(images(3, height, width))
    assert {head: tuple(tensor.shape) for head, tensor in logits.items()} == {
        head: expected[head] for head in heads(built[0])
    }


def test_logits_are_not_squashed(net: torch.nn.Module) -> None:
    # With 100 times the last weights a sigmoid, softmax, tanh or their logarithm would stay on one side of 0
    # or within 1 of it.
    with torch.no_grad():
        for module in net.modules():
            if (isinstance(module, torch.nn.Conv2d) and module.out_channels == 1) or (
                isinstance(module, torch.nn.Linear) and module.out_features == 4
            ):
                module.weight.mul_(100)
        logits = net(images(8))
    for tensor in logits.values():
        assert tensor.min() < -1
        assert tensor.max() > 1


def test_every_parameter_gets_a_gradient(net: torch.nn.Module) -> None:
    sum(tensor.square().sum() for tensor in net(images(3)).values()).backward()
    without = [
        name
        for name, parameter in net.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


def test_an_image_s_prediction_does_not_depend_on_its_batch_mates(net: torch.nn.Module) -> None:
    net.eval()
    batch = images(3)
    with torch.no_grad():
        together, alone = net(batch), net(batch[1:2])
    for head, tensor in alone.items():
        torch.testing.assert_close(together[head][1:2], tensor)


def test_a_step_repeats_itself_to_the_bit(net: torch.nn.Module) -> None:
    net = net.to(memory_format=torch.channels_last)
    batch = images(3).contiguous(memory_format=torch.channels_last)
    gradients = []
    torch.use_deterministic_algorithms(True)  # an operation that has no repeatable form raises
    try:
        for twin in (copy.deepcopy(net), net):
            torch.manual_seed(1)  # dropout is repeatable through the seed
            sum(tensor.square().sum() for tensor in twin(batch).values()).backward()
            gradients.append([parameter.grad for parameter in twin.parameters()])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(first, second) for first, second in zip(*gradients, strict=True))


def test_weights_survive_a_round_trip(net: torch.nn.Module) -> None:
    other = copy.deepcopy(net)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(net.state_dict())
    image = images(1)
    with torch.no_grad():
        expected, got = net.eval()(image), other.eval()(image)
    assert all(torch.equal(expected[head], got[head]) for head in expected)


@pytest.mark.parametrize("name", sorted(PAPER_PARAMETERS))
def test_parameter_counts_at_full_size(name: str, repository: Path) -> None:
    with torch.device("meta"):
        net = build(**resolve("paper", name).run.model)
    assert sum(parameter.numel() for parameter in net.parameters()) == PAPER_PARAMETERS[name]


@pytest.mark.parametrize("profile", ["demo", "laptop", "paper"])
def test_every_model_of_a_profile_builds_and_is_counted_above(profile: str, repository: Path) -> None:
    found = {name: resolve(profile, name) for name in read_yaml(Path(f"profiles/{profile}.yaml"))["runs"]}
    models = {name: each.run.model for name, each in found.items() if each.kind == "model"}
    assert models.keys() - BEYOND == PAPER_PARAMETERS.keys()
    for block in models.values():
        with torch.device("meta"):  # which holds no weights, be they pretrained
            build(**{**block, **({"pretrained": False} if "pretrained" in block else {})})


def test_unet_parameters_by_hand() -> None:
    # base 1, two levels. Encoder: 1->1 twice (9 + 9 weights, 2 + 2 of the normalisations), 1->2->2 (18 + 36,
    # 4 + 4). Up-sampling 2->1 by 2x2: 8 weights + 1 bias. Merge 2->1->1: 18 + 9, 2 + 2. Head: 1 weight + 1
    # bias.
    net = build(arch="unet", in_channels=1, base_channels=1, levels=2)
    assert sum(parameter.numel() for parameter in net.parameters()) == 22 + 62 + 9 + 31 + 2


def test_only_nets_of_a_library_import_it() -> None:
    # A training of a U-Net must not wait for timm, nor fail for its sake.
    importing = set()
    for path in MODELS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [getattr(node, "module", None) or ""]
            )
            if {name.split(".")[0] for name in names} & {
                "timm",
                "segmentation_models_pytorch",
                "torchvision",
            }:
                importing.add(path.stem)
    assert importing == {
        "mobilenetv2",
        "efficientnet_b0",
        "efficientnet_lite0",
        "densenet121",
        "smp",
        "timm",
        "unet_lite0",
    }


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"arch": "vnet"},
            "unknown arch: got 'vnet', expected one of attention_unet, bifpn_unet, ",
        ),
        ({"arch": "blocks"}, "unknown arch"),
        ({"arch": "unet", "in_channels": 1, "base_channels": 2}, "missing a required argument: 'levels'"),
        (
            {"arch": "unet", "in_channels": 1, "base_channels": 2, "levels": 3, "depth": 4},
            "unexpected keyword argument 'depth'",
        ),
    ],
)
def test_a_wrong_model_block_is_told(block: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        build(**block)  # type: ignore[arg-type]
    assert expected in str(caught.value)
