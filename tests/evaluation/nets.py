"""Nets whose answers can be worked out by hand."""

import torch
from torch import nn


class Bright(nn.Module):
    """The mask is where the image is brighter than one half."""

    def __init__(self) -> None:
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(40.0))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mask": self.steepness * (image - 0.5)}


class Corner(nn.Module):
    """The label's logits are four times the four upper left pixels; the mask is the corner alone, whatever
    the image."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Conv2d(1, 1, 1, bias=False)
        self.grey.weight.data.fill_(4.0)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        mask = torch.full_like(image, -3.0)
        mask[:, :, 0, 0] = 2.0
        return {"mask": mask, "label": self.grey(image)[:, 0, :2, :2].flatten(1)}


class Joint(nn.Module):
    """Convolutions, then a label from their mean and a mask from the same map, by a decoder that runs before
    or after it."""

    def __init__(self, *, mask_first: bool = True) -> None:
        super().__init__()
        self.mask_first = mask_first
        self.stem = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(inplace=True)
        )
        self.deep = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(6, 4)
        self.up = nn.ConvTranspose2d(6, 3, 2, stride=2)
        self.merge = nn.Conv2d(6, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        shallow = self.stem(image)
        deep = self.deep(shallow)
        heads = {"mask": self.mask, "label": self.label}
        order = ("mask", "label") if self.mask_first else ("label", "mask")
        return {name: heads[name](shallow, deep) for name in order}

    def mask(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        return self.merge(torch.cat([shallow, self.up(deep)], dim=1))

    def label(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        return self.classify(self.pool(deep).flatten(1))


class Classifier(nn.Module):
    """Convolutions and a label."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 5, 3, padding=1)
        self.classify = nn.Linear(5, 4)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"label": self.classify(torch.relu_(self.features(image)).mean((2, 3)))}
