"""MobileNetV2, Sandler et al. 2018 (arXiv:1801.04381), Table 2, as timm builds it: 2.2 million parameters and
the classifier.

Dropout is off, as it is by default in timm.
"""

from timm.models.efficientnet import _gen_mobilenet_v2  # timm.create_model fixes the multipliers
from torch import nn

from brisc.errors import InputError
from brisc.models.blocks import SingleHead, start_as_for_imagenet


def build(
    *, in_channels: int, classes: int, width_multiplier: float, depth_multiplier: float, pretrained: bool
) -> nn.Module:
    """forward(image (B, in_channels, H, W)) -> {"label": logits (B, classes)}; any H and W from 32 on.

    `width_multiplier` scales the channels of all layers but the last convolution (the paper's alpha),
    `depth_multiplier` the number of blocks of a stage, rounded up. Both 1.0 are the paper's net; `pretrained`
    fetches its ImageNet weights.
    """
    if pretrained and (width_multiplier, depth_multiplier) != (1.0, 1.0):
        raise InputError(
            "no published weights for this size",
            where="model block of arch mobilenetv2",
            got=f"width_multiplier {width_multiplier}, depth_multiplier {depth_multiplier}",
            expected="1.0 and 1.0",
            mend="Set both to 1.0, or pretrained to false.",
        )
    net = _gen_mobilenet_v2(  # type: ignore[no-untyped-call]
        "mobilenetv2_100",
        width_multiplier,
        depth_multiplier,
        pretrained=pretrained,
        in_chans=in_channels,
        num_classes=classes,
    )
    start_as_for_imagenet(net.classifier)
    return SingleHead(net, head="label")
