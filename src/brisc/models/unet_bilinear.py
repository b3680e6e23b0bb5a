"""The U-Nets of the reproduced study, by its code: up-sampling is bilinear, each step of the decoder halves
the channels at its end, and the deepest level is as wide as the one above it; with gates its Attention U-Net,
with a label head its joint net.

With base_channels 64 the U-Net has 13.4 million parameters; unet.py, which up-samples as the paper does, has
31.0. attention_unet.py has the gates of Oktay et al. 2018 (arXiv:1804.03999).
"""

from collections.abc import Sequence

import torch
from torch import nn

from brisc.errors import InputError
from brisc.label_head import label_head
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


class Decoder(nn.Module):
    """forward(the deepest map, the skips, finest first) -> mask logits (B, 1, H, W). channels: those of the
    skips; gates: whether each skip passes one, at its own resolution."""

    def __init__(self, *, channels: Sequence[int], gates: bool) -> None:
        super().__init__()
        skips = channels[::-1]  # deepest first
        outs = [*skips[1:], channels[0]]
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.merges = nn.ModuleList(
            DoubleConv(in_channels=2 * skip, out_channels=out) for skip, out in zip(skips, outs, strict=True)
        )
        self.gates = nn.ModuleList(
            AdditiveGate(channels=skip, inner_channels=out)
            for skip, out in zip(skips, outs, strict=True)
            if gates
        )
        self.head = nn.Conv2d(channels[0], 1, 1)

    def forward(self, x: torch.Tensor, features: list[torch.Tensor]) -> torch.Tensor:
        for step, (merge, skip) in enumerate(zip(self.merges, reversed(features), strict=True)):
            x = self.up(x)
            kept = self.gates[step](skip, x) if self.gates else skip
            x = merge(torch.cat([kept, x], dim=1))
        logits: torch.Tensor = self.head(x)
        return logits


class UNetBilinear(nn.Module):
    """forward(image (B, in_channels, H, W)) -> logits {"mask": (B, 1, H, W), "label": (B, classes)}, those
    that `heads` lists; H and W are multiples of 2 ** (levels - 1).

    The label head, built of `classes`, `head_units` and `dropout` by label_head, sees the mean of the deepest
    map; without it they mean nothing.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        base_channels: int,
        levels: int,
        gates: bool,
        heads: list[str],
        classes: int,
        head_units: Sequence[int] = (),
        dropout: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if not heads or len(set(heads)) < len(heads) or not set(heads) <= {"mask", "label"}:
            raise InputError(
                "wrong heads",
                where="model block of arch unet_bilinear",
                got=heads,
                expected="mask, label or both, each once",
                mend="Correct the profile.",
            )
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels - 1)
        channels = self.encoder.channels
        self.pool = nn.MaxPool2d(2)
        self.bottom = DoubleConv(in_channels=channels[-1], out_channels=channels[-1])
        self.decoder = Decoder(channels=channels, gates=gates) if "mask" in heads else None
        self.label = None
        if "label" in heads:
            self.label = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                label_head(
                    channels[-1], classes, head_units=head_units, dropout=dropout, arch="unet_bilinear"
                ),
            )

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.encoder(image)
        deepest = self.bottom(self.pool(features[-1]))
        logits = {}
        if self.decoder is not None:
            logits["mask"] = self.decoder(deepest, features)
        if self.label is not None:
            logits["label"] = self.label(deepest)
        return logits


def _project(in_channels: int, out_channels: int) -> nn.Sequential:
    """Without the study's bias, which the normalisation takes away again."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))


build = UNetBilinear
