"""EfficientNet-Lite0, EfficientNet-B0 without squeeze-and-excitation and with ReLU6, as timm builds it:
3.4 million parameters and the classifier. Not part of the study.

Its ImageNet weights were trained on pixels from -1 to 1; the net centres its images itself, pretrained or
not.
"""

import timm
from torch import nn

from brisc.models.blocks import SingleHead, start_as_for_imagenet
from brisc.pretrained import LITE0, Centred, imagenet_weights


def build(*, classes: int, pretrained: bool) -> nn.Module:
    """forward(image (B, 1, H, W)) -> {"label": logits (B, classes)}; any H and W from 32 on."""
    net = timm.create_model(LITE0, in_chans=1, num_classes=classes)
    if pretrained:
        weights = imagenet_weights()
        # The classifier of 1,000 classes stays out; ours starts anew.
        start = {name: weights[name] for name in net.state_dict() if not name.startswith("classifier.")}
        net.load_state_dict({**net.state_dict(), **start})
    start_as_for_imagenet(net.get_submodule("classifier"))
    return SingleHead(Centred(net), head="label")
