"""The study's U-Nets: parts by hand, and the gates as the one thing that they differ in."""

import pytest
import torch

from brisc.errors import InputError
from brisc.models import build
from brisc.models.unet_bilinear import AdditiveGate

UNET = {"in_channels": 1, "base_channels": 2, "levels": 3, "heads": ["mask"], "classes": 4}
LABEL = {"head_units": [3], "dropout": [0.0, 0.5]}


def test_parameters_by_hand() -> None:
    """Base 2, three levels. Encoder: 1->2->2, 2->4->4 and below 4->4->4; decoder: 8->2->2, 4->2->2. Each
    convolution has 9 weights a pair of channels, each normalisation 2 numbers a channel; the head 2 weights
    and a bias."""
    pairs = (1 * 2 + 2 * 2) + (2 * 4 + 4 * 4) + (4 * 4 + 4 * 4) + (8 * 2 + 2 * 2) + (4 * 2 + 2 * 2)
    channels = 2 * (2 + 4 + 4 + 2 + 2)
    net = build(arch="unet_bilinear", gates=False, **UNET)
    assert sum(parameter.numel() for parameter in net.parameters()) == 9 * pairs + 2 * channels + 3


def test_the_corners_of_a_map_stay_when_it_is_up_sampled() -> None:
    """Of 2 to 4 pixels the two between lie at a third and two thirds."""
    net = build(arch="unet_bilinear", gates=False, **UNET)
    row = [0.0, 1.0, 2.0, 3.0]
    torch.testing.assert_close(net.decoder.up(torch.tensor([[[[0.0, 3.0]]]])), torch.tensor([[[row, row]]]))


def test_gate_by_hand() -> None:
    """One channel. W_x(skip) + W_g(gating) = 2 skip - gating: 1 and -2; psi of its positive part: 1 and 0."""
    gate = AdditiveGate(channels=1, inner_channels=1).eval()
    with torch.no_grad():
        for part, weight in ((gate.w_x, 2.0), (gate.w_g, -1.0), (gate.psi, 1.0)):
            part[0].weight.fill_(weight)
            part[1].eps = 0.0
    skip, gating = torch.tensor([[[[1.0, 1.0]]]]), torch.tensor([[[[1.0, 4.0]]]])
    expected = torch.sigmoid(torch.tensor([[[[1.0, 0.0]]]]))
    torch.testing.assert_close(gate(skip, gating), expected)


def test_without_its_gates_it_is_the_u_net() -> None:
    unet, attention_unet = (
        build(arch="unet_bilinear", gates=gates, **UNET).eval() for gates in (False, True)
    )
    missing = attention_unet.load_state_dict(unet.state_dict(), strict=False).missing_keys
    assert {name.rsplit(".", 3)[0].split(".")[1] for name in missing} == {"gates"}
    attention_unet.decoder.gates = torch.nn.ModuleList()
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(unet(image)["mask"], attention_unet(image)["mask"])


def test_the_mask_of_the_joint_net_is_the_u_net_s_and_its_label_that_of_label_alone() -> None:
    mask, label, joint = (
        build(arch="unet_bilinear", gates=False, **{**UNET, **LABEL, "heads": heads}).eval()
        for heads in (["mask"], ["label"], ["mask", "label"])
    )
    joint.load_state_dict({**joint.state_dict(), **mask.state_dict()})
    image = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(mask(image)["mask"], joint(image)["mask"])
        joint.load_state_dict({**joint.state_dict(), **label.state_dict()})
        assert torch.equal(label(image)["label"], joint(image)["label"])


def test_the_label_is_named_from_the_mean_of_the_deepest_map() -> None:
    net = build(arch="unet_bilinear", gates=False, **{**UNET, **LABEL, "heads": ["label"]}).eval()
    deepest = torch.tensor([1.0, -2.0, 3.0, 0.5])
    maps = deepest[None, :, None, None] * torch.tensor([[0.0, 2.0]])
    net.bottom.register_forward_hook(lambda module, given, output: maps)
    with torch.no_grad():
        torch.testing.assert_close(net(torch.rand(1, 1, 16, 16))["label"], net.label[2](deepest[None]))


@pytest.mark.parametrize("heads", [[], ["edge"], ["mask", "mask"], ["mask", "edge"]])
def test_wrong_heads_are_told(heads: list[str]) -> None:
    with pytest.raises(InputError, match="wrong heads"):
        build(arch="unet_bilinear", gates=False, **{**UNET, "heads": heads})
