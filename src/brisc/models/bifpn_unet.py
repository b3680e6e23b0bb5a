"""U-Net encoder with a BiFPN for a decoder: the weighted bidirectional feature pyramid of EfficientDet, Tan
et al. 2020 (arXiv:1911.09070), Fig. 2(d).

The paper fuses P3 to P7; here the pyramid is the encoder's, P0 to P4, P_i having 1 / 2**i of the image's
resolution, so that its finest map is the mask's. As in the paper's segmentation experiment, only the finest
map is classified.
"""

import torch
from torch import nn
from torch.nn import functional

from brisc.models.blocks import UNetEncoder

EPSILON = 1e-4  # Section 3.3


class FastNormalizedFusion(nn.Module):
    """Section 3.3: O = sum_i w_i I_i / (epsilon + sum_j w_j), w_i >= 0 by ReLU; maps of one shape -> a map of
    that shape."""

    def __init__(self, *, inputs: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(inputs))

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        weights = functional.relu(self.weights)
        weights = weights / (EPSILON + weights.sum())
        fused = weights[0] * maps[0]
        for weight, other in zip(weights[1:], maps[1:], strict=True):
            fused = fused + weight * other
        return fused


class Node(nn.Module):
    """A circle of Fig. 2(d): fusion, depthwise separable 3x3 convolution, normalisation, SiLU; maps (B, C, h,
    w) -> one map."""

    def __init__(self, *, inputs: int, channels: int) -> None:
        super().__init__()
        self.fuse = FastNormalizedFusion(inputs=inputs)
        self.convolve = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
        )

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        convolved: torch.Tensor = self.convolve(self.fuse(*maps))
        return convolved


class BiFPNLayer(nn.Module):
    """One top-down and one bottom-up pass: maps (B, C, H / 2**i, W / 2**i), finest first -> as many of the
    same shapes.

    With `finest_only` it returns [P0_out] and has no bottom-up nodes, which nothing would read. As in the
    paper, the coarsest level has no node on the way down and the finest none on the way up, where there would
    be nothing to fuse.
    """

    def __init__(self, *, levels: int, channels: int, finest_only: bool) -> None:
        super().__init__()
        self.between = range(1, levels - 1)
        self.coarsest = levels - 1
        self.finest_only = finest_only
        inputs = {f"P{level}_td": 2 for level in reversed(self.between)} | {"P0_out": 2}
        if not finest_only:
            inputs |= {f"P{level}_out": 3 for level in self.between} | {f"P{self.coarsest}_out": 2}
        self.nodes = nn.ModuleDict(
            {name: Node(inputs=count, channels=channels) for name, count in inputs.items()}
        )

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        top_down = {self.coarsest: maps[self.coarsest]}
        for level in reversed(self.between):
            top_down[level] = self.nodes[f"P{level}_td"](maps[level], finer(top_down[level + 1]))
        out = [self.nodes["P0_out"](maps[0], finer(top_down[1]))]
        if self.finest_only:
            return out
        for level in self.between:
            out.append(self.nodes[f"P{level}_out"](maps[level], top_down[level], coarser(out[-1])))
        return [*out, self.nodes[f"P{self.coarsest}_out"](maps[self.coarsest], coarser(out[-1]))]


def finer(deep: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) -> (B, C, 2h, 2w), nearest neighbour."""
    return functional.interpolate(deep, scale_factor=2, mode="nearest")


def coarser(fine: torch.Tensor) -> torch.Tensor:
    """(B, C, 2h, 2w) -> (B, C, h, w), the maximum of 3x3 windows, a size taken from the authors' code
    (google/automl)."""
    return functional.max_pool2d(fine, 3, stride=2, padding=1)


class BiFPNUNet(nn.Module):
    """forward(image (B, in_channels, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 2 **
    (levels - 1)."""

    def __init__(
        self, *, in_channels: int, base_channels: int, levels: int, bifpn_channels: int, bifpn_layers: int
    ) -> None:
        super().__init__()
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels)
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, bifpn_channels, 1, bias=False), nn.BatchNorm2d(bifpn_channels))
            for channels in self.encoder.channels
        )
        self.bifpn = nn.Sequential(
            *(
                BiFPNLayer(levels=levels, channels=bifpn_channels, finest_only=layer == bifpn_layers)
                for layer in range(1, bifpn_layers + 1)
            )
        )
        self.head = nn.Conv2d(bifpn_channels, 1, 1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = [
            lateral(features) for lateral, features in zip(self.lateral, self.encoder(image), strict=True)
        ]
        (finest,) = self.bifpn(maps)
        return {"mask": self.head(finest)}


build = BiFPNUNet
