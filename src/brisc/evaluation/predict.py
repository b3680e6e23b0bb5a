"""What a trained net says of each image, without gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from brisc.config import Evaluate, Train
from brisc.data.dataset import Samples, evaluation_batches
from brisc.training.device import build_fabric

# Axes of (B, C, H, W) to mirror: the image itself, left-right, upside down, both.
VIEWS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))


class Inference:
    """A net as it is used: on the device, in the precision and in the memory layout of training; its weights
    take no gradients.

    Called with images (B, 1, H, W) float32 of any device, it gives the net's logits.
    """

    def __init__(self, net: nn.Module, train: Train) -> None:
        self._fabric = build_fabric(train, devices=1)
        self._layout = torch.channels_last if train.channels_last else torch.contiguous_format
        self.device = self._fabric.device
        self.net = net.to(self.device).to(memory_format=self._layout).eval().requires_grad_(False)

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        image = image.to(self.device).contiguous(memory_format=self._layout)
        with self._fabric.autocast():
            logits: dict[str, torch.Tensor] = self.net(image)
        return logits


@dataclass(frozen=True)
class Head:
    """How the logits of a head become a prediction; probabilities are float64, so that their mean over views
    is exact enough."""

    probability: Callable[[torch.Tensor], torch.Tensor]
    restore: Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]  # undoes the mirroring of a view
    decide: Callable[[torch.Tensor, float], torch.Tensor]  # from the mean probability and the threshold


HEADS = {
    "mask": Head(
        probability=torch.sigmoid,
        restore=lambda probability, view: probability.flip(view),
        decide=lambda probability, threshold: probability[:, 0] > threshold,
    ),
    "label": Head(
        probability=lambda logits: torch.softmax(logits, dim=1),
        restore=lambda probability, view: probability,
        decide=lambda probability, threshold: probability,
    ),
}


@torch.no_grad()
def predict(
    net: Inference, samples: Samples, rows: np.ndarray, *, settings: Evaluate
) -> dict[str, np.ndarray]:
    """By head of the net: "mask" (N, H, W) bool, probability above the threshold; "label" (N, K) float64,
    probabilities.

    With `settings.flips` a probability is the mean over the image and its three mirror images, masks mirrored
    back.
    """
    views = VIEWS if settings.flips else VIEWS[:1]
    found: dict[str, list[torch.Tensor]] = {}
    for batch in evaluation_batches(samples, rows, batch_size=settings.batch_size):
        for head, probability in mean_probabilities(net, batch["image"], views).items():
            found.setdefault(head, []).append(HEADS[head].decide(probability, settings.threshold))
    return {head: torch.cat(parts).numpy() for head, parts in found.items()}


def mean_probabilities(
    net: Inference, image: torch.Tensor, views: Sequence[tuple[int, ...]]
) -> dict[str, torch.Tensor]:
    """By head of the net, the mean over the views of the images (B, 1, H, W): (B, 1, H, W) or (B, K) float64,
    on the CPU."""
    total: dict[str, torch.Tensor] = {}
    for view in views:
        for head, logits in net(image.flip(view)).items():
            probability = HEADS[head].restore(HEADS[head].probability(logits.cpu().double()), view)
            total[head] = total[head] + probability if head in total else probability
    return {head: probability / len(views) for head, probability in total.items()}
