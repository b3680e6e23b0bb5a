"""DenseNet-121, Huang et al. 2017 (arXiv:1608.06993), Table 1, as timm builds it: 7.0 million parameters and
the classifier.

No dropout, as in the paper where images are augmented.
"""

import timm
from torch import nn

from brisc.errors import InputError
from brisc.models.blocks import SingleHead

PUBLISHED = (32, [6, 12, 24, 16])


def build(
    *, in_channels: int, classes: int, growth_rate: int, block_layers: list[int], pretrained: bool
) -> nn.Module:
    """forward(image (B, in_channels, H, W)) -> {"label": logits (B, classes)}; any H and W from 32 on.

    `growth_rate` is the paper's k, the channels that a layer adds, twice that many being the stem's;
    `block_layers` is the number of layers in each dense block. 32 and [6, 12, 24, 16] are the paper's;
    `pretrained` fetches their ImageNet weights.
    """
    if pretrained and (growth_rate, block_layers) != PUBLISHED:
        raise InputError(
            "no published weights for this size",
            where="model block of arch densenet121",
            got=f"growth_rate {growth_rate}, block_layers {block_layers}",
            expected="{} and {}".format(*PUBLISHED),
            mend="Set them so, or pretrained to false.",
        )
    net = timm.create_model(
        "densenet121",
        pretrained=pretrained,
        in_chans=in_channels,
        num_classes=classes,
        growth_rate=growth_rate,
        block_config=tuple(block_layers),
    )
    return SingleHead(net, head="label")
