"""What a trained net says of each image, without gradients."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import nn

from brisc.config import Augment, Evaluate, Train
from brisc.data.dataset import Samples, evaluation_batches
from brisc.training.device import build_fabric

View = tuple[int, ...]  # axes of (B, C, H, W) to mirror; none: the image itself

# No mean probability counts as nearer to 0 or 1, so that its logit is finite and exact to eight digits.
CERTAIN = 1e-8


class Inference:
    """A net as it is used: on the device, in the precision and in the memory layout of training; its weights
    take no gradients.

    Called with images (B, 1, H, W) float32 of any device, it gives the net's logits. views: the image and the
    mirror images that training showed the net.
    """

    def __init__(self, net: nn.Module, train: Train) -> None:
        self._fabric = build_fabric(train, net, devices=1)
        self._layout = torch.channels_last if train.channels_last else torch.contiguous_format
        self.device = self._fabric.device
        self.views = views_of(train.augment)
        self.net = net.to(self.device).to(memory_format=self._layout).eval().requires_grad_(False)

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        image = image.to(self.device).contiguous(memory_format=self._layout)
        with self._fabric.autocast():
            logits: dict[str, torch.Tensor] = self.net(image)
        return logits


def views_of(augment: Augment) -> list[View]:
    """The image itself, and it mirrored in every way in which training mirrors: a net is wrong about an image
    that stands as none did that it learned from (with views upside down a U-Net lost 5 points of Dice)."""
    axes = [axis for axis, p in ((3, augment.horizontal_flip), (2, augment.vertical_flip)) if p > 0]
    return [view for n in range(len(axes) + 1) for view in combinations(axes, n)]


@dataclass(frozen=True)
class Readout:
    """How the logits of a head become a prediction; probabilities are float64, so that their mean over views
    is exact enough."""

    probability: Callable[[torch.Tensor], torch.Tensor]
    restore: Callable[[torch.Tensor, View], torch.Tensor]  # undoes the mirroring of a view
    decide: Callable[[torch.Tensor, float], torch.Tensor]  # from the mean probability and the threshold


READOUTS = {
    "mask": Readout(
        probability=torch.sigmoid,
        restore=lambda probability, view: probability.flip(view),
        decide=lambda probability, threshold: probability[:, 0] > threshold,
    ),
    "label": Readout(
        probability=lambda logits: torch.softmax(logits, dim=1),
        restore=lambda probability, view: probability,
        decide=lambda probability, threshold: probability,
    ),
}


@dataclass(frozen=True)
class Output:
    """What one head says of a batch: for each view of it the logits, float64 on the CPU."""

    readout: Readout
    logits: Mapping[View, torch.Tensor]

    @functools.cached_property
    def probability(self) -> torch.Tensor:
        """Mean over the views, (B, 1, H, W) or (B, K) float64."""
        restored = (
            self.readout.restore(self.readout.probability(x), view) for view, x in self.logits.items()
        )
        return functools.reduce(torch.add, restored) / len(self.logits)

    def prediction(self, threshold: float) -> np.ndarray:
        decided: np.ndarray = self.readout.decide(self.probability, threshold).numpy()
        return decided

    def mask_logits(self) -> np.ndarray:
        """(B, H, W) float64: the net's own, or of several views those of their mean probability."""
        several = len(self.logits) > 1
        logits = torch.logit(self.probability, eps=CERTAIN) if several else self.logits[()]
        grids: np.ndarray = logits[:, 0].numpy()
        return grids


def predict(
    net: Inference, samples: Samples, rows: np.ndarray, *, settings: Evaluate
) -> dict[str, np.ndarray]:
    """By head of the net: "mask" (N, H, W) bool, probability above the threshold; "label" (N, K) float64,
    probabilities.

    With `settings.flips` a probability is the mean over the net's views, masks mirrored back.
    """
    found: dict[str, list[np.ndarray]] = {}
    for _, outputs in predict_batches(net, samples, rows, settings=settings):
        for head, output in outputs.items():
            found.setdefault(head, []).append(output.prediction(settings.threshold))
    return {head: np.concatenate(parts) for head, parts in found.items()}


@torch.no_grad()
def predict_batches(
    net: Inference, samples: Samples, rows: np.ndarray, *, settings: Evaluate
) -> Iterator[tuple[np.ndarray, dict[str, Output]]]:
    """The rows of each batch, and what each head of the net says of them."""
    views = net.views if settings.flips else net.views[:1]
    chunks = (rows[start : start + settings.batch_size] for start in range(0, len(rows), settings.batch_size))
    batches = evaluation_batches(samples, rows, batch_size=settings.batch_size)
    for chosen, batch in zip(chunks, batches, strict=True):
        yield chosen, outputs_of(net, batch["image"], views)


def outputs_of(net: Inference, image: torch.Tensor, views: Sequence[View]) -> dict[str, Output]:
    """By head of the net, what it says of the images (B, 1, H, W)."""
    found: dict[str, dict[View, torch.Tensor]] = {}
    for view in views:
        for head, logits in net(image.flip(view)).items():
            found.setdefault(head, {})[view] = logits.cpu().double()
    return {head: Output(READOUTS[head], logits) for head, logits in found.items()}
