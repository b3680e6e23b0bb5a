"""U-Net, Ronneberger et al. 2015 (arXiv:1505.04597), Fig. 1: five levels, base channels doubling, skip
connections.

With base_channels 64 it has 31.0 million parameters, up-sampling by transposed convolutions.
"""

import torch
from torch import nn

from brisc.models.blocks import UNetDecoder, UNetEncoder


class UNet(nn.Module):
    """forward(image (B, in_channels, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 2 **
    (levels - 1)."""

    def __init__(self, *, in_channels: int, base_channels: int, levels: int) -> None:
        super().__init__()
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels)
        self.decoder = UNetDecoder(channels=self.encoder.channels)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mask": self.decoder(self.encoder(image))}


build = UNet
