"""What several nets are made of.

Weights start as torch's layers start them; where a paper asks for another start, its file says so.
"""

import torch
from torch import nn


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each with batch normalisation and ReLU: (B, in, H, W) -> (B, out, H, W).

    The U-Net paper (arXiv:1505.04597, Fig. 1) uses unpadded convolutions without normalisation; padding keeps
    input and output the same size, and normalisation is what published re-implementations train with.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, 3, padding=1, bias=False
            ),  # the normalisation brings its own bias
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class UNetEncoder(nn.Module):
    """Contracting path: (B, in, H, W) -> one feature map per level, the k-th (B, base * 2**k, H / 2**k, W /
    2**k)."""

    def __init__(self, *, in_channels: int, base_channels: int, levels: int) -> None:
        super().__init__()
        self.channels = [base_channels * 2**level for level in range(levels)]
        inputs = [in_channels, *self.channels[:-1]]
        self.levels = nn.ModuleList(
            DoubleConv(in_channels=i, out_channels=o) for i, o in zip(inputs, self.channels, strict=True)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        features = [self.levels[0](image)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return features


class UpStep(nn.Module):
    """One step of the expanding path: the deep map (B, 2C, H, W) and the skip (B, C, 2H, 2W) -> (B, C, 2H,
    2W).

    Up-sampling is a 2x2 transposed convolution, the paper's "up-convolution"; bilinear up-sampling would need
    fewer weights.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.merge = DoubleConv(in_channels=2 * channels, out_channels=channels)

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        merged: torch.Tensor = self.merge(torch.cat([skip, self.up(deep)], dim=1))
        return merged


class UNetDecoder(nn.Module):
    """Expanding path and 1x1 convolution: the encoder's feature maps, finest first -> mask logits (B, 1, H,
    W)."""

    def __init__(self, *, channels: list[int]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(UpStep(channels=skip) for skip in channels[-2::-1])
        self.head = nn.Conv2d(channels[0], 1, 1)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        *skips, x = features
        for step, skip in zip(self.steps, reversed(skips), strict=True):
            x = step(x, skip)
        logits: torch.Tensor = self.head(x)
        return logits


@torch.no_grad()
def start_as_for_imagenet(classifier: nn.Module) -> None:
    """Scale new weights to those that timm gives a classifier of ImageNet's 1,000 classes.

    timm draws them from +-1/sqrt(classes): with 4 classes and 1,280 features that makes logits of +-5, which
    a small net needs many epochs to unlearn.
    """
    assert isinstance(classifier, nn.Linear)
    classifier.weight *= (classifier.out_features / 1000) ** 0.5


class SingleHead(nn.Module):
    """A library's net as one of ours: forward(image (B, in, H, W)) -> {head: what the library's net
    returns}."""

    def __init__(self, net: nn.Module, *, head: str) -> None:
        super().__init__()
        self.net = net
        self.head = head

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {self.head: self.net(image)}
