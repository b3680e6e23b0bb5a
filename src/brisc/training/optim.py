"""Optimisers and the plateau schedule."""

from collections.abc import Iterable

import torch

from brisc.config import Optimizer, Train


def build_optimizer(parameters: Iterable[torch.nn.Parameter], optimizer: Optimizer) -> torch.optim.Optimizer:
    """Fused where torch has a fused kernel: one pass over the weights instead of one per operation."""
    rate, decay = optimizer.learning_rate, optimizer.weight_decay
    match optimizer.name:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(parameters, lr=rate, weight_decay=decay, momentum=optimizer.momentum, fused=True)
        case "rmsprop":  # no fused kernel; the study gives momentum to SGD alone
            return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay)


def build_schedule(optimizer: torch.optim.Optimizer, train: Train) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """Lower the rate when validation Dice has not risen for `plateau_patience` epochs."""
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=train.plateau_factor, patience=train.plateau_patience, min_lr=train.plateau_floor,
        threshold=0.0,
    )  # fmt: skip
