"""Attention U-Net, Oktay et al. 2018 (arXiv:1804.03999): a U-Net whose skips pass additive attention gates.

Everything but the gates is the net of unet.py, block for block. The paper leaves the finest skip without a
gate; the study that is reproduced here gates every skip, and so does this net. Where paper and authors' code
(github.com/ozan-oktay/Attention-Gated-Networks) differ, the gate says which of them it follows.
"""

import torch
from torch import nn
from torch.nn import functional

from brisc.models.blocks import UNetEncoder, UpStep

OPEN = 3.0  # where b_psi starts: sigmoid(3) = 0.95


class AttentionGate(nn.Module):
    """forward(skip (B, C, 2H, 2W), gating (B, G, H, W)) -> the skip, attended to (B, C, 2H, 2W). Fig. 2 and
    Eq. 1 of the paper:

        alpha = sigmoid(psi(relu(W_x(skip) + W_g(gating)))),  result = W(alpha * skip)

    From the paper: 1x1 convolutions without normalisation, alpha computed at the gating signal's resolution
    and brought to the skip's by linear interpolation, and gates that start open; it gives no number for how
    open. From the authors' code: W_x is a 2x2 convolution of stride 2, so that every pixel of the skip
    counts; C intermediate channels (F_int); and the last W, a 1x1 convolution with the gate's only batch
    normalisation.
    """

    def __init__(self, *, channels: int, gating_channels: int) -> None:
        super().__init__()
        self.w_x = nn.Conv2d(
            channels, channels, 2, stride=2, bias=False
        )  # W_g brings the one bias of the sum, b_g
        self.w_g = nn.Conv2d(gating_channels, channels, 1)
        self.psi = nn.Conv2d(channels, 1, 1)
        self.w = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        assert self.psi.bias is not None
        nn.init.constant_(self.psi.bias, OPEN)

    def attention(self, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        """alpha (B, 1, 2H, 2W), between 0 and 1."""
        coarse = torch.sigmoid(self.psi(functional.relu(self.w_x(skip) + self.w_g(gating))))
        return functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)

    def forward(self, skip: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        attended: torch.Tensor = self.w(self.attention(skip, gating) * skip)
        return attended


class AttentionUNet(nn.Module):
    """forward(image (B, in_channels, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 2 **
    (levels - 1).

    Each skip is gated by the map one level deeper, the one that is up-sampled to meet it.
    """

    def __init__(self, *, in_channels: int, base_channels: int, levels: int) -> None:
        super().__init__()
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels)
        skips = self.encoder.channels[-2::-1]
        self.gates = nn.ModuleList(
            AttentionGate(channels=channels, gating_channels=2 * channels) for channels in skips
        )
        self.steps = nn.ModuleList(UpStep(channels=channels) for channels in skips)
        self.head = nn.Conv2d(base_channels, 1, 1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        *skips, x = self.encoder(image)
        for step, gate, skip in zip(self.steps, self.gates, reversed(skips), strict=True):
            x = step(x, gate(skip, x))
        return {"mask": self.head(x)}


build = AttentionUNet
