"""U-Net on EfficientNet-Lite0: the encoder of efficientnet_lite0.py, pretrained on ImageNet where asked, and
the decoder of segmentation_models_pytorch. Not part of the study.
"""

import segmentation_models_pytorch
from torch import nn

from brisc.models.blocks import SingleHead
from brisc.pretrained import LITE0, Centred, imagenet_weights


def build(*, pretrained: bool) -> nn.Module:
    """forward(image (B, 1, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 32."""
    net = segmentation_models_pytorch.Unet(f"tu-{LITE0}", encoder_weights=None, in_channels=1, classes=1)
    if pretrained:
        encoder, weights = net.encoder.model, imagenet_weights()
        # Without the last convolution and the classifier, which a U-Net has no use for.
        encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()})
    return SingleHead(Centred(net), head="mask")
