"""The BiFPN against numbers worked out by hand: fusion, resizing, and which node reads which maps."""

import pytest
import torch

from brisc.models import build
from brisc.models.bifpn_unet import BiFPNLayer, FastNormalizedFusion, coarser, finer


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1.0, 3.0], (1 * 2 + 3 * 6) / 4.0001),
        ([1.0, 1.0], (2 + 6) / 2.0001),
        ([-1.0, 2.0], 2 * 6 / 2.0001),  # a negative weight counts as 0
        ([-1.0, -1.0], 0.0),  # epsilon keeps this from being 0 / 0
    ],
)
def test_fast_normalised_fusion_by_hand(weights: list[float], expected: float) -> None:
    fusion = FastNormalizedFusion(inputs=2)
    with torch.no_grad():
        fusion.weights.copy_(torch.tensor(weights))
    fused = fusion(torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), 6.0))
    torch.testing.assert_close(fused, torch.full((1, 1, 2, 2), expected))


def test_fusion_starts_as_a_mean() -> None:
    maps = [torch.full((1, 1, 1, 1), value) for value in (1.0, 2.0, 6.0)]
    torch.testing.assert_close(FastNormalizedFusion(inputs=3)(*maps), torch.full((1, 1, 1, 1), 9 / 3.0001))


def test_resizing_by_hand() -> None:
    grid = torch.arange(15.0, -1.0, -1.0).reshape(
        1, 1, 4, 4
    )  # 15 to 0, so that each window's largest is its first
    assert coarser(grid).tolist() == [[[[15.0, 14.0], [11.0, 10.0]]]]
    assert finer(torch.tensor([[[[1.0, 2.0]]]])).tolist() == [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]


class Mean(torch.nn.Module):
    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        return torch.stack(maps).mean(0)


def test_a_layer_reads_the_maps_that_the_paper_says() -> None:
    layer = BiFPNLayer(levels=4, channels=1, finest_only=False)
    assert set(layer.nodes) == {"P2_td", "P1_td", "P0_out", "P1_out", "P2_out", "P3_out"}
    layer.nodes = torch.nn.ModuleDict({name: Mean() for name in layer.nodes})
    inputs = [1.0, 3.0, 2.0, 8.0]
    out = layer([torch.full((1, 1, 8 >> level, 8 >> level), value) for level, value in enumerate(inputs)])
    # Down: P2_td = (2 + 8) / 2 = 5, P1_td = (3 + 5) / 2 = 4, P0 = (1 + 4) / 2 = 2.5. Up: P1 = (3 + 4 + 2.5) /
    # 3 = 9.5 / 3, P2 = (2 + 5 + 9.5 / 3) / 3 = 30.5 / 9, P3 = (8 + 30.5 / 9) / 2 = 102.5 / 18.
    for level, (tensor, value) in enumerate(zip(out, [2.5, 9.5 / 3, 30.5 / 9, 102.5 / 18], strict=True)):
        torch.testing.assert_close(tensor, torch.full((1, 1, 8 >> level, 8 >> level), value))


def test_the_last_layer_has_no_nodes_that_nothing_reads() -> None:
    layer = BiFPNLayer(levels=4, channels=1, finest_only=True)
    assert set(layer.nodes) == {"P2_td", "P1_td", "P0_out"}
    (finest,) = layer([torch.rand(1, 1, 8 >> level, 8 >> level) for level in range(4)])
    assert finest.shape == (1, 1, 8, 8)


def test_parameters_by_hand() -> None:
    # Encoder as in joint with [label], less its linear layer of 2 * 4 + 4. Base 1, two levels, 3 channels in
    # the BiFPN. Lateral: 1 * 3 + 2 * 3, and normalisations 2 * 6. A node: 9 * 3 + 3 * 3 + 6, and a weight for
    # each input. Whole layer: P0_out of 2 and P1_out of 2 inputs; last layer: P0_out of 2. Head: 3 + 1.
    settings = {"in_channels": 1, "base_channels": 1, "levels": 2}
    encoder = count(build(arch="joint", **settings, classes=4, heads=["label"])) - 12
    assert (
        count(build(arch="bifpn_unet", **settings, bifpn_channels=3, bifpn_layers=2))
        == encoder + 21 + 3 * 44 + 4
    )


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
