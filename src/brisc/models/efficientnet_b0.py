"""EfficientNet-B0, Tan & Le 2019 (arXiv:1905.11946), Table 1, as timm builds it: 4.0 million parameters and
the classifier.

The paper trains with dropout and stochastic depth, and so does the study (timm.py); here both are off, as
they are by default in timm.
"""

from timm.models.efficientnet import _gen_efficientnet  # timm.create_model fixes the multipliers
from torch import nn

from brisc.errors import InputError
from brisc.models.blocks import SingleHead, start_as_for_imagenet


def build(
    *, in_channels: int, classes: int, width_multiplier: float, depth_multiplier: float, pretrained: bool
) -> nn.Module:
    """forward(image (B, in_channels, H, W)) -> {"label": logits (B, classes)}; any H and W from 32 on.

    `width_multiplier` and `depth_multiplier` are the paper's compound scaling, here downwards: channels of
    all layers, and blocks of a stage, rounded up. Both 1.0 are B0; `pretrained` fetches its ImageNet weights.
    """
    if pretrained and (width_multiplier, depth_multiplier) != (1.0, 1.0):
        raise InputError(
            "no published weights for this size",
            where="model block of arch efficientnet_b0",
            got=f"width_multiplier {width_multiplier}, depth_multiplier {depth_multiplier}",
            expected="1.0 and 1.0",
            mend="Set both to 1.0, or pretrained to false.",
        )
    net = _gen_efficientnet(  # type: ignore[no-untyped-call]
        "efficientnet_b0",
        width_multiplier,
        depth_multiplier,
        pretrained=pretrained,
        in_chans=in_channels,
        num_classes=classes,
    )
    start_as_for_imagenet(net.classifier)
    return SingleHead(net, head="label")
