"""Any classifier of timm by its name, with hidden layers before the classes. The study's classifiers, by its
code, are mobilenetv2_100, efficientnet_b0 and densenet121 with such layers.

What there is: timm.list_models().
"""

from collections.abc import Sequence
from typing import Any

import timm
from torch import nn

from brisc.errors import InputError
from brisc.label_head import label_head
from brisc.models.blocks import SingleHead


def build(
    *,
    name: str,
    in_channels: int,
    classes: int,
    head_units: Sequence[int],
    dropout: Sequence[float],
    drop_path: float,
    pretrained: bool,
) -> nn.Module:
    """forward(image (B, in_channels, H, W)) -> {"label": logits (B, classes)}.

    `head_units` and `dropout` are those of label_head; `drop_path` is the rate of stochastic depth, Huang et
    al. 2016 (arXiv:1603.09382), at the deepest block; 0 where the net has none.
    """
    if not timm.is_model(name):
        raise InputError(
            "unknown model",
            where="model.name of arch timm",
            got=repr(name),
            expected="a name that timm.list_models() lists",
            mend="Correct the profile.",
        )
    try:
        net: Any = timm.create_model(
            name,
            pretrained=pretrained,
            in_chans=in_channels,
            num_classes=0,  # then it returns its features, pooled
            drop_path_rate=drop_path or None,
        )
    except TypeError as error:
        raise InputError(
            "a setting that this net does not take",
            where=f"model block of arch timm, {name}",
            got=str(error),
            expected="a net that takes in_channels and, above 0, drop_path",
            mend="Set drop_path to 0, or take another net.",
        ) from None
    head = label_head(net.head_hidden_size, classes, head_units=head_units, dropout=dropout, arch="timm")
    return SingleHead(nn.Sequential(net, head), head="label")
