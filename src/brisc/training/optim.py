"""Optimisers and the schedules of their learning rate."""

from collections.abc import Iterable

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from brisc.config import Optimizer, Run


def build_optimizer(parameters: Iterable[torch.nn.Parameter], optimizer: Optimizer) -> torch.optim.Optimizer:
    """Fused where torch has a fused kernel: one pass over the weights instead of one per operation."""
    rate, decay = optimizer.learning_rate, optimizer.weight_decay
    match optimizer.name:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(
                parameters, lr=rate, weight_decay=decay, momentum=optimizer.momentum, fused=True
            )
        case "rmsprop":  # no fused kernel; the study gives momentum to SGD alone
            return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay)


def build_schedule(optimizer: torch.optim.Optimizer, run: Run) -> LRScheduler:
    """What `advance` moves once an epoch.

    "plateau", the study's: lower the rate when the validation score has not risen for `plateau_patience`
    epochs. "cosine": from the full rate down to 0 over `epochs`, whatever the score (Loshchilov and Hutter,
    arXiv:1608.03983, without restarts).
    """
    if run.schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=run.epochs)
    return ReduceLROnPlateau(
        optimizer,
        mode="max",
        factor=run.plateau_factor,
        patience=run.plateau_patience,
        min_lr=run.plateau_floor,
        threshold=0.0,
    )


def advance(schedule: LRScheduler, score: float) -> None:
    """One epoch on; only the plateau looks at the validation score."""
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(score)
    else:
        schedule.step()
