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

PAPER = read_yaml(Path(__file__).parents[2] / "profiles" / "paper.yaml")["runs"]
REFERENCE = {
    "mobilenetv2": "mobilenetv2_100",
    "efficientnet_b0": "efficientnet_b0",
    "densenet121": "densenet121",
}
SMP = {"arch": "smp", "architecture": "Unet", "encoder": "resnet18", "in_channels": 1, "pretrained": False}


def build_meta(**block: Any) -> torch.nn.Module:
    with torch.device("meta"):
        return build(**block)


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_full_size_is_the_reference_net(name: str) -> None:
    with torch.device("meta"):
        reference = timm.create_model(REFERENCE[name], in_chans=1, num_classes=4)
    ours = build_meta(**PAPER[name]["model"]).net
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
    net = build_meta(**{**PAPER[name]["model"], "in_channels": 3, "classes": 1000})
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
    full = PAPER[name]["model"]
    assert count(build_meta(**{**full, setting: value})) < count(build_meta(**full))
    with pytest.raises(InputError, match="no published weights for this size"):
        build(**{**full, setting: value, "pretrained": True})


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_pretrained_loads_timm_s_weights_for_one_channel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(
        "timm.models._builder.load_pretrained", lambda net, **options: loaded.append((net, options))
    )
    net = build(**{**PAPER[name]["model"], "pretrained": True}).net
    ((loaded_into, options),) = loaded
    assert loaded_into is net
    assert (options["in_chans"], options["pretrained_cfg"]["architecture"]) == (1, REFERENCE[name])


@pytest.mark.parametrize("block", [PAPER["mobilenetv2"]["model"], SMP, {**SMP, "encoder": "tu-resnet18"}])
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
