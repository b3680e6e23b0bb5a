"""Any architecture of segmentation_models_pytorch with any of its encoders, timm's among them (`tu-<timm
name>`).

What there is: segmentation_models_pytorch.MODEL_ARCHITECTURES_MAPPING, .encoders.get_encoder_names() and
timm.list_models().
"""

import segmentation_models_pytorch
import timm
from segmentation_models_pytorch.encoders import get_encoder_names
from torch import nn

from brisc.errors import InputError
from brisc.models.blocks import SingleHead

TIMM = "tu-"


def build(*, architecture: str, encoder: str, in_channels: int, pretrained: bool) -> nn.Module:
    """forward(image (B, in_channels, H, W)) -> {"mask": logits (B, 1, H, W)}; H and W are multiples of 32
    with most encoders."""
    architectures = sorted(segmentation_models_pytorch.MODEL_ARCHITECTURES_MAPPING)
    if architecture.lower() not in architectures:
        raise InputError(
            "unknown architecture",
            where="model block of arch smp",
            got=repr(architecture),
            expected=f"one of {', '.join(architectures)}",
            mend="Correct the profile.",
        )
    known = (
        timm.is_model(encoder.removeprefix(TIMM))
        if encoder.startswith(TIMM)
        else encoder in get_encoder_names()
    )
    if not known:
        raise InputError(
            "unknown encoder",
            where="model block of arch smp",
            got=repr(encoder),
            expected="a name that segmentation_models_pytorch.encoders.get_encoder_names() lists, "
            "or tu- and a name that timm.list_models() lists",
            mend="Correct the profile.",
        )
    weights = (True if encoder.startswith(TIMM) else "imagenet") if pretrained else None
    net = segmentation_models_pytorch.create_model(
        architecture, encoder_name=encoder, encoder_weights=weights, in_channels=in_channels, classes=1
    )
    return SingleHead(net, head="mask")
