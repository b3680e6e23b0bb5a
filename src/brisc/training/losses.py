"""The loss of each head, as the study defines it."""

import torch
from torch.nn import functional

from brisc.config import Loss

Logits = dict[str, torch.Tensor]


def dice_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - 2|X.Y| / (|X| + |Y|) with X the sigmoid of the logits, summed over all pixels of the batch; both (B, 1, H, W).

    The study's Dice pools a batch of 16, and so does this loss. The smallest positive number in the denominator only matters
    for a batch that is empty in truth and in prediction.
    """
    probability = torch.sigmoid(logits.float())
    truth = truth.float()
    overlap = (probability * truth).sum()
    total = probability.sum() + truth.sum()
    return 1 - 2 * overlap / total.clamp_min(torch.finfo(torch.float32).tiny)


def mask_loss(logits: torch.Tensor, truth: torch.Tensor, *, loss: Loss) -> torch.Tensor:
    """Weighted Dice + binary cross-entropy (mean over pixels), in float32 whatever the precision of the net."""
    terms = []
    if loss.dice > 0:
        terms.append(loss.dice * dice_loss(logits, truth))
    if loss.bce > 0:
        terms.append(loss.bce * functional.binary_cross_entropy_with_logits(logits.float(), truth))
    return torch.stack(terms).sum()


HEADS = {"mask": mask_loss}


def total_loss(logits: Logits, batch: dict[str, torch.Tensor], *, loss: Loss) -> torch.Tensor:
    """The sum over the heads the net has."""
    return torch.stack([HEADS[head](logits[head], batch[head], loss=loss) for head in sorted(logits)]).sum()
