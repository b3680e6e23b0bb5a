"""Attention U-Net as the reproduced study has it, by its code: the net of unet_bilinear.py, each of whose
skips passes an additive attention gate at its own resolution.

attention_unet.py has the gates of the paper, Oktay et al. 2018 (arXiv:1804.03999).
"""

import torch
from torch import nn

from brisc.models.unet_bilinear import UNetBilinear


def project(in_channels: int, out_channels: int) -> nn.Sequential:
    """Without the study's bias, which the normalisation takes away again."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))


class AdditiveGate(nn.Module):
    """forward(skip (B, C, H, W), gating (B, C, H, W)) -> the skip times sigmoid(psi(relu(W_x(skip) +
    W_g(gating)))), where W_x, W_g and psi are 1x1 convolutions with batch normalisation."""

    def __init__(self, *, channels: int, inner_channels: int) -> None:
        super().__init__()
        self.w_x, self.w_g = (project(channels, inner_channels) for _ in range(2))
        self.psi = project(inner_channels, 1)

    def forward(self, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        attention = torch.sigmoid(self.psi(torch.relu(self.w_x(skip) + self.w_g(gating))))
        return skip * attention


class AttentionUNetBilinear(UNetBilinear):
    """forward as that of UNetBilinear."""

    def __init__(self, *, in_channels: int, base_channels: int, levels: int) -> None:
        super().__init__(in_channels=in_channels, base_channels=base_channels, levels=levels)
        self.gates = nn.ModuleList(
            AdditiveGate(channels=skip, inner_channels=out)
            for skip, out in zip(self.skips, self.outs, strict=True)
        )

    def attended(self, step: int, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        attended: torch.Tensor = self.gates[step](skip, gating)
        return attended


build = AttentionUNetBilinear
