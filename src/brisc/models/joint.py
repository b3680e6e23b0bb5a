"""One U-Net encoder for two tasks: the decoder of unet.py draws the mask, a linear layer names the label.

The study's own joint net is unet_bilinear.py's; the head here is the plainest: global average pooling of the
deepest map, then a linear layer.
"""

import torch
from torch import nn

from brisc.errors import InputError
from brisc.models.blocks import UNetDecoder, UNetEncoder


class LabelHead(nn.Sequential):
    """Global average pooling and a linear layer: (B, C, h, w) -> logits (B, K)."""

    def __init__(self, *, channels: int, classes: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class Joint(nn.Module):
    """forward(image (B, in_channels, H, W)) -> logits {"mask": (B, 1, H, W), "label": (B, classes)}, those
    that `heads` lists.

    A head that is not listed is not built: [label] is the encoder with a label head. H and W are multiples of
    2 ** (levels - 1).
    """

    def __init__(
        self, *, in_channels: int, base_channels: int, levels: int, classes: int, heads: list[str]
    ) -> None:
        super().__init__()
        if not heads or len(set(heads)) < len(heads) or not set(heads) <= {"mask", "label"}:
            raise InputError(
                "wrong heads",
                where="model block of arch joint",
                got=heads,
                expected="mask, label or both, each once",
                mend="Correct the profile.",
            )
        self.encoder = UNetEncoder(in_channels=in_channels, base_channels=base_channels, levels=levels)
        self.decoder = UNetDecoder(channels=self.encoder.channels) if "mask" in heads else None
        self.label = (
            LabelHead(channels=self.encoder.channels[-1], classes=classes) if "label" in heads else None
        )

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.encoder(image)
        logits = {}
        if self.decoder is not None:
            logits["mask"] = self.decoder(features)
        if self.label is not None:
            logits["label"] = self.label(features[-1])
        return logits


build = Joint
