"""The U-Nets of the reproduced study, by its code: up-sampling is bilinear, each step of the decoder halves
the channels at its end, and the deepest level is as wide as the one above it; with gates its Attention U-Net.

With base_channels 64 the U-Net has 13.4 million parameters; unet.py, which up-samples as the paper does, has
31.0. attention_unet.py has the gates of Oktay et al. 2018 (arXiv:1804.03999).
"""

import torch
from torch import nn

from brisc.models.blocks import DoubleConv, UNetEncoder


class AdditiveGate(nn.Module):
    """forward(skip (B, C, H, W), gating (B, C, H, W)) -> the skip times sigmoid(psi(relu(W_x(skip) +
    W_g(gating)))), where W_x, W_g and psi are 1x1 convolutions with batch normalisation."""

    def __init__(self, *, channels: int, inner_channels: int) -> None:
        super().__init__()
        self.w_x, self.w_g = (_project(channels, inner_channels) for _ in range(2))
        self.psi = _project(inner_channels, 1)

    def forward(self, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        attention = torch.sigmoid(self.psi(torch.relu(self.w_x(skip) + self.w_g(gating))))
        return skip * attention


class UNetBilinear(nn.Module):
    """forward(image (B, in_channels, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 2 **
    (levels - 1). gates: whether each skip passes one, at its own resolution."""

    def __init__(self, *, in_channels: int, base_channels: int, levels: int, gates: bool) -> None:
        super().__init__()
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels - 1)
        skips = self.encoder.channels[::-1]  # deepest first
        outs = [*skips[1:], base_channels]
        self.pool = nn.MaxPool2d(2)
        self.bottom = DoubleConv(in_channels=skips[0], out_channels=skips[0])
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.merges = nn.ModuleList(
            DoubleConv(in_channels=2 * skip, out_channels=out) for skip, out in zip(skips, outs, strict=True)
        )
        self.gates = nn.ModuleList(
            AdditiveGate(channels=skip, inner_channels=out)
            for skip, out in zip(skips, outs, strict=True)
            if gates
        )
        self.head = nn.Conv2d(base_channels, 1, 1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.encoder(image)
        x = self.bottom(self.pool(features[-1]))
        for step, (merge, skip) in enumerate(zip(self.merges, reversed(features), strict=True)):
            x = self.up(x)
            kept = self.gates[step](skip, x) if self.gates else skip
            x = merge(torch.cat([kept, x], dim=1))
        return {"mask": self.head(x)}


def _project(in_channels: int, out_channels: int) -> nn.Sequential:
    """Without the study's bias, which the normalisation takes away again."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))


build = UNetBilinear
