"""The joint net: heads built as listed, and each head what the separate net has."""

import pytest
import torch

from brisc.errors import InputError
from brisc.models import build
from brisc.models.joint import LabelHead

UNET = {"in_channels": 1, "base_channels": 2, "levels": 3}


def test_the_mask_head_is_the_unet() -> None:
    unet, joint = build(arch="unet", **UNET), build(arch="joint", **UNET, classes=4, heads=["mask", "label"])
    joint.load_state_dict({**joint.state_dict(), **unet.state_dict()})
    image = torch.rand(2, 1, 16, 16)
    assert torch.equal(unet(image)["mask"], joint(image)["mask"])


def test_the_label_head_is_the_separate_one() -> None:
    separate, joint = (
        build(arch="joint", **UNET, classes=4, heads=heads) for heads in (["label"], ["mask", "label"])
    )
    joint.load_state_dict({**joint.state_dict(), **separate.state_dict()})
    image = torch.rand(2, 1, 16, 16)
    assert torch.equal(separate(image)["label"], joint(image)["label"])


def test_label_head_by_hand() -> None:
    head = LabelHead(channels=2, classes=2)
    with torch.no_grad():
        head[2].weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
        head[2].bias.copy_(torch.tensor([0.5, 0.0]))
    deep = torch.tensor([[[[1.0, 2.0, 6.0]], [[0.0, 0.0, 3.0]]]])  # means 3 and 1
    torch.testing.assert_close(head(deep), torch.tensor([[3.5, 5.0]]))


@pytest.mark.parametrize("heads", [[], ["edge"], ["mask", "mask"], ["mask", "edge"]])
def test_wrong_heads_are_told(heads: list[str]) -> None:
    with pytest.raises(InputError, match="wrong heads"):
        build(arch="joint", **UNET, classes=4, heads=heads)
