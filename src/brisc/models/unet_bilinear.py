"""U-Net as the reproduced study has it, by its code: up-sampling is bilinear, each step of the decoder halves
the channels at its end, and the deepest level is as wide as the one above it.

With base_channels 64 it has 13.4 million parameters; unet.py, which up-samples as the paper does, has 31.0.
"""

import torch
from torch import nn

from brisc.models.blocks import DoubleConv, UNetEncoder


class UNetBilinear(nn.Module):
    """forward(image (B, in_channels, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 2 **
    (levels - 1)."""

    def __init__(self, *, in_channels: int, base_channels: int, levels: int) -> None:
        super().__init__()
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels - 1)
        self.skips = self.encoder.channels[::-1]  # deepest first
        self.outs = [*self.skips[1:], base_channels]
        self.pool = nn.MaxPool2d(2)
        self.bottom = DoubleConv(in_channels=self.skips[0], out_channels=self.skips[0])
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.merges = nn.ModuleList(
            DoubleConv(in_channels=2 * skip, out_channels=out)
            for skip, out in zip(self.skips, self.outs, strict=True)
        )
        self.head = nn.Conv2d(base_channels, 1, 1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.encoder(image)
        x = self.bottom(self.pool(features[-1]))
        for step, (merge, skip) in enumerate(zip(self.merges, reversed(features), strict=True)):
            x = self.up(x)
            x = merge(torch.cat([self.attended(step, skip, x), x], dim=1))
        return {"mask": self.head(x)}

    def attended(self, step: int, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        """What of the skip (B, C, H, W) meets the up-sampled map (B, C, H, W): here all of it."""
        return skip


build = UNetBilinear
