"""Layers that name the label, where one linear layer is not enough."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from brisc.errors import InputError


def label_head(
    channels: int, classes: int, *, head_units: Sequence[int], dropout: Sequence[float], arch: str
) -> nn.Sequential:
    """(B, channels) -> logits (B, classes), with a hidden layer and ReLU for each number of `head_units`.

    dropout: the rate before each linear layer, one more than hidden layers. Raises InputError otherwise.
    """
    if len(dropout) != len(head_units) + 1 or not all(0 <= rate < 1 for rate in dropout):
        raise InputError(
            "wrong dropout",
            where=f"model.dropout of arch {arch}",
            got=list(dropout),
            expected=f"{len(head_units) + 1} rates from 0 to below 1: one before each hidden layer of "
            "head_units and one before the classes",
            mend="Correct the profile.",
        )
    layers: list[nn.Module] = []
    for rate, (inputs, outputs) in zip(dropout, pairwise([channels, *head_units, classes]), strict=True):
        layers += [nn.Dropout(rate), nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])
