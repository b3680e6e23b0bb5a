"""The attention gate against numbers worked out by hand, and the gate as the one thing that differs from the
U-Net."""

import math

import pytest
import torch

from brisc.models import build
from brisc.models.attention_unet import AttentionGate

UNET = {"in_channels": 1, "base_channels": 2, "levels": 3}


@pytest.fixture
def gate() -> AttentionGate:
    """One channel each. relu(0.5 * sum of 2x2 skip pixels - gating + 0.5), psi doubles it and takes 7 off, W
    triples."""
    gate = AttentionGate(channels=1, gating_channels=1).eval()
    with torch.no_grad():
        gate.w_x.weight.fill_(0.5)
        gate.w_g.weight.fill_(-1.0)
        gate.w_g.bias.fill_(0.5)
        gate.psi.weight.fill_(2.0)
        gate.psi.bias.fill_(-7.0)
        gate.w[0].weight.fill_(3.0)
    gate.w[1].eps = 0.0  # normalisation with mean 0 and variance 1 is then no change
    return gate


SKIP = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])


def test_gate_by_hand(gate: AttentionGate) -> None:
    # W_x: 0.5 * (1 + 2 + 3 + 4) = 5. W_g: -2 + 0.5 = -1.5. psi: 2 * 3.5 - 7 = 0, so alpha is 1/2 everywhere.
    expected = torch.tensor([[[[1.5, 3.0], [4.5, 6.0]]]])
    torch.testing.assert_close(gate(SKIP, torch.full((1, 1, 1, 1), 2.0)), expected)


def test_gate_closes_where_the_sum_is_negative(gate: AttentionGate) -> None:
    # W_g: -8 + 0.5 = -7.5; relu(5 - 7.5) = 0; psi: -7.
    alpha = gate.attention(SKIP, torch.full((1, 1, 1, 1), 8.0))
    torch.testing.assert_close(alpha, torch.full((1, 1, 2, 2), 1 / (1 + math.exp(7))))


def test_attention_is_brought_to_the_skip_by_linear_interpolation(gate: AttentionGate) -> None:
    # Skip all 0: alpha = sigmoid(2 * relu(0.5 - gating) - 7). Left: sum 3.5, alpha 1/2. Right: sum 3.5 +
    # ln(3) / 2, alpha 3/4.
    gating = torch.tensor([[[[-3.0, -3.0 - math.log(3) / 2]]]])
    alpha = gate.attention(torch.zeros(1, 1, 2, 4), gating)
    row = [1 / 2, 1 / 2 + 1 / 16, 3 / 4 - 1 / 16, 3 / 4]
    torch.testing.assert_close(alpha, torch.tensor([[[row, row]]]))


def test_gates_start_open() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(channels=8, gating_channels=16)
    alpha = gate.attention(torch.rand(2, 8, 8, 8), torch.rand(2, 16, 4, 4))
    assert alpha.min() > 0.85
    assert alpha.max() < 1


def test_without_gates_it_is_the_unet() -> None:
    class Open(torch.nn.Module):
        def forward(self, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
            return skip

    unet, attention_unet = build(arch="unet", **UNET), build(arch="attention_unet", **UNET)
    attention_unet.gates = torch.nn.ModuleList(Open() for _ in attention_unet.gates)
    attention_unet.load_state_dict(
        {name.removeprefix("decoder."): tensor for name, tensor in unet.state_dict().items()}
    )
    image = torch.rand(2, 1, 16, 16)
    assert torch.equal(unet(image)["mask"], attention_unet(image)["mask"])


def test_parameters_by_hand() -> None:
    # A gate of C channels under a map of 2C: W_x 4 C*C, W_g 2 C*C + C, psi C + 1, W C*C, its normalisation 2
    # C.
    gates = sum(7 * channels**2 + 4 * channels + 1 for channels in (2, 4))
    unet, attention_unet = (
        sum(p.numel() for p in build(arch=arch, **UNET).parameters()) for arch in ("unet", "attention_unet")
    )
    assert attention_unet - unet == gates
