"""The loss of each head, as the study defines it, and how the heads' losses are added up."""

import torch
from torch import nn
from torch.nn import functional

from brisc.config import Loss
from brisc.errors import InputError

Logits = dict[str, torch.Tensor]


def dice_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - 2|X.Y| / (|X| + |Y|) with X the sigmoid of the logits, summed over all pixels of the batch; both
    (B, 1, H, W).

    The study's Dice pools a batch of 16, and so does this loss. The smallest positive number in the
    denominator only matters for a batch that is empty in truth and in prediction.
    """
    probability = torch.sigmoid(logits.float())
    truth = truth.float()
    overlap = (probability * truth).sum()
    total = probability.sum() + truth.sum()
    return 1 - 2 * overlap / total.clamp_min(torch.finfo(torch.float32).tiny)


def mask_loss(logits: torch.Tensor, truth: torch.Tensor, *, loss: Loss) -> torch.Tensor:
    """Weighted Dice + binary cross-entropy (mean over pixels), in float32 whatever the precision of the
    net."""
    terms = []
    if loss.dice > 0:
        terms.append(loss.dice * dice_loss(logits, truth))
    if loss.bce > 0:
        terms.append(loss.bce * functional.binary_cross_entropy_with_logits(logits.float(), truth))
    return torch.stack(terms).sum()


def label_loss(logits: torch.Tensor, truth: torch.Tensor, *, loss: Loss) -> torch.Tensor:
    """Weighted cross-entropy of logits (B, K) against class indices (B,), in float32 whatever the precision
    of the net."""
    return loss.cross_entropy * functional.cross_entropy(logits.float(), truth)


HEADS = {"label": label_loss, "mask": mask_loss}


class TotalLoss(nn.Module):
    """forward(logits, batch) -> the sum of the losses of the heads that have a weight.

    balance "fixed" adds them as weighted. "uncertainty" learns the balance: exp(-s) L + s / 2 with s = log
    sigma^2 of each head a parameter that starts at 0 (Kendall et al. 2018, arXiv:1705.07115, section 3.2, for
    classification likelihoods, which both heads have).
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        weights = {"label": loss.cross_entropy, "mask": loss.dice + loss.bce}
        self.loss = loss
        self.heads = [head for head, weight in weights.items() if weight > 0]
        learned = self.heads if loss.balance == "uncertainty" else []
        self.log_variance = nn.ParameterDict({head: nn.Parameter(torch.zeros(())) for head in learned})

    def forward(self, logits: Logits, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if sorted(logits) != self.heads:
            raise InputError(
                "loss and net have different heads",
                where="loss block of the model",
                got=f"weights above 0 for {', '.join(self.heads) or 'no head'}",
                expected=f"for {', '.join(sorted(logits))}",
                mend="dice and bce belong to a mask, cross_entropy to a label; others have weight 0.",
            )
        return torch.stack(
            [
                self._balanced(head, HEADS[head](logits[head], batch[head], loss=self.loss))
                for head in self.heads
            ]
        ).sum()

    def _balanced(self, head: str, value: torch.Tensor) -> torch.Tensor:
        if head not in self.log_variance:
            return value
        s: torch.Tensor = self.log_variance[head]
        return torch.exp(-s) * value + s / 2
