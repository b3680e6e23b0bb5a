"""Optimizers, the learning rate of each epoch, and the running mean of a net."""

import copy
import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

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


def learning_rate(run: Run, scores: Sequence[float]) -> float:
    """The rate of the epoch that follows epochs with these validation scores; nothing else decides it, so a
    resumed run needs no more.

    It first rises to the full rate in equal steps, over `warmup` of the epochs. Then "plateau", the study's:
    it is lowered when the score has not risen for `plateau_patience` epochs. "cosine": it falls to 0 over the
    epochs left, whatever the score (Loshchilov and Hutter, arXiv:1608.03983, without restarts).
    """
    full, rising, done = run.optimizer.learning_rate, round(run.warmup * run.epochs), len(scores)
    if done < rising:
        return full * (done + 1) / (rising + 1)
    if run.schedule == "cosine":
        return full * (1 + math.cos(math.pi * (done - rising) / (run.epochs - rising))) / 2
    return on_plateaus(run, scores[rising:])


def on_plateaus(run: Run, scores: Iterable[float]) -> float:
    rate, best, waited = run.optimizer.learning_rate, -math.inf, 0
    for score in scores:
        if score > best:
            best, waited = score, 0
        elif (waited := waited + 1) > run.plateau_patience:
            # A rate that starts below the floor stays there.
            rate, waited = min(rate, max(rate * run.plateau_factor, run.plateau_floor)), 0
    return rate


class RunningMean(nn.Module):
    """The mean of a net's weights and statistics over steps, in `module`: of a step's net 1 - decay is taken
    in, of the first one all. How many steps there were is counted on the CPU, so that no step waits for a GPU
    to say it."""

    def __init__(self, net: nn.Module, *, decay: float) -> None:
        super().__init__()
        self.module, self.decay = copy.deepcopy(net).requires_grad_(False), decay
        self.steps: torch.Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.mean, self.new = _numbers(self.module), _numbers(net)

    @torch.no_grad()
    def update(self) -> None:
        if self.steps == 0:
            torch._foreach_copy_(self.mean, self.new)
        else:
            torch._foreach_lerp_(self.mean, self.new, 1 - self.decay)
        self.steps += 1


def _numbers(net: nn.Module) -> list[torch.Tensor]:
    return [value for value in net.state_dict().values() if value.is_floating_point()]
