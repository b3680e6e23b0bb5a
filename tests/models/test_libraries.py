"""Nets that come from timm and segmentation_models_pytorch: that they are the reference nets, and that each
setting is alive."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from brisc.config import read_yaml
from brisc.errors import InputError
from brisc.models import build

FULL = read_yaml(Path(__file__).parents[2] / "profiles" / "laptop.yaml")["runs"]
REFERENCE = {
    "mobilenetv2": "mobilenetv2_100",
    "efficientnet_b0": "efficientnet_b0",
    "densenet121": "densenet121",
}
SMP = {"arch": "smp", "architecture": "Unet", "encoder": "resnet18", "in_channels": 1, "pretrained": False}


TIMM = {
    "arch": "timm",
    "name": "test_efficientnet",
    "in_channels": 1,
    "classes": 4,
    "head_units": [],
    "dropout": [0.0],
    "drop_path": 0.0,
    "pretrained": False,
}


def build_meta(**block: Any) -> torch.nn.Module:
    with torch.device("meta"):
        return build(**block)


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_full_size_is_the_reference_net(name: str) -> None:
    with torch.device("meta"):
        reference = timm.create_model(REFERENCE[name], in_chans=1, num_classes=4)
    ours = build_meta(**FULL[name]["model"]).net
    assert [(key, value.shape) for key, value in ours.state_dict().items()] == [
        (key, value.shape) for key, value in reference.state_dict().items()
    ]
    assert [type(module) for module in ours.modules()] == [type(module) for module in reference.modules()]


@pytest.mark.parametrize(
    ("name", "literature"),
    [
        ("mobilenetv2", 3.5),
        ("efficientnet_b0", 5.3),
        ("densenet121", 8.0),
    ],  # millions, ImageNet's three channels and 1000 classes
)
def test_parameters_beside_the_literature_s(name: str, literature: float) -> None:
    net = build_meta(**{**FULL[name]["model"], "in_channels": 3, "classes": 1000})
    assert round(count(net) / 1e6, 1) == literature


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("mobilenetv2", "width_multiplier", 0.5),
        ("mobilenetv2", "depth_multiplier", 0.5),
        ("efficientnet_b0", "width_multiplier", 0.5),
        ("efficientnet_b0", "depth_multiplier", 0.5),
        ("densenet121", "growth_rate", 16),
        ("densenet121", "block_layers", [3, 6, 12, 8]),
    ],
)
def test_size_settings_shrink_the_net_and_have_no_published_weights(
    name: str, setting: str, value: object
) -> None:
    full = FULL[name]["model"]
    assert count(build_meta(**{**full, setting: value})) < count(build_meta(**full))
    with pytest.raises(InputError, match="no published weights for this size"):
        build(**{**full, setting: value, "pretrained": True})


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_pretrained_loads_timm_s_weights_for_one_channel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(
        "timm.models._builder.load_pretrained", lambda net, **options: loaded.append((net, options))
    )
    net = build(**{**FULL[name]["model"], "pretrained": True}).net
    ((loaded_into, options),) = loaded
    assert loaded_into is net
    assert (options["in_chans"], options["pretrained_cfg"]["architecture"]) == (1, REFERENCE[name])


@pytest.mark.parametrize("block", [FULL["mobilenetv2"]["model"], SMP, {**SMP, "encoder": "tu-resnet18"}])
def test_pretrained_without_a_network_is_told(
    block: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="no pretrained weights"):
        build(**{**block, "pretrained": True})


def test_smp_takes_an_encoder_of_its_own_and_of_timm() -> None:
    assert count(build_meta(**SMP)) != count(build_meta(**{**SMP, "architecture": "FPN"}))
    assert (
        type(build_meta(**{**SMP, "encoder": "tu-resnet18"}).net.encoder).__name__ == "TimmUniversalEncoder"
    )
    assert build_meta(**{**SMP, "in_channels": 3}).net.encoder.conv1.in_channels == 3


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("architecture", "SegNet", "unknown architecture: got 'SegNet', expected one of deeplabv3, "),
        (
            "encoder",
            "resnet19",
            "unknown encoder: got 'resnet19', expected a name that segmentation_models_pytorch.encoders",
        ),
        ("encoder", "tu-resnet19", "unknown encoder: got 'tu-resnet19'"),
    ],
)
def test_an_unknown_name_is_told(setting: str, value: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        build(**{**SMP, setting: value})
    assert expected in str(caught.value)


def test_timm_takes_a_net_by_its_name_and_puts_layers_before_the_classes() -> None:
    net = build_meta(**{**TIMM, "name": "resnet18", "head_units": [8], "dropout": [0.0, 0.5]}).net
    with torch.device("meta"):
        reference = timm.create_model("resnet18", in_chans=1, num_classes=0)
    assert net[0].state_dict().keys() == reference.state_dict().keys()
    assert [(layer.in_features, layer.out_features) for layer in net[1] if hasattr(layer, "in_features")] == [
        (512, 8),
        (8, 4),
    ]


def test_stochastic_depth_drops_blocks() -> None:
    """In training what is left of the net differs from draw to draw."""
    torch.manual_seed(0)
    image = torch.rand(2, 1, 32, 32)
    for rate, expected in ((0.0, 1), (0.5, 2)):
        net = build(**{**TIMM, "name": "efficientnet_b0", "drop_path": rate}).net[0].train()
        with torch.no_grad():
            drawn = {tuple(net(image).flatten().tolist()) for _ in range(4)}
        assert min(len(drawn), 2) == expected


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("name", "resnet19", "unknown model: got 'resnet19', expected a name that timm.list_models() lists"),
        ("name", "densenet121", "a setting that this net does not take: got "),
    ],
)
def test_what_timm_does_not_have_is_told(setting: str, value: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        build(**{**TIMM, "drop_path": 0.2, setting: value})
    assert expected in str(caught.value)
