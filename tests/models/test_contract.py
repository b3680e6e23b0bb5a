"""What holds for every model: shapes, gradients, independence of batch mates, weights that can be stored."""

import copy

import pytest
import torch

from brisc.config import read_yaml
from brisc.errors import InputError
from brisc.models import build

# The smallest form of each architecture that still has all of its parts.
SMALL = {"unet": {"arch": "unet", "in_channels": 1, "base_channels": 2, "levels": 5}}
# A net as large as in the paper profile, counted on meta tensors, beside the number of the literature.
PAPER_PARAMETERS = {"unet": 31_036_481}


@pytest.fixture(params=sorted(SMALL))
def net(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(**SMALL[request.param])


def test_every_architecture_is_covered(repository: object) -> None:
    from pathlib import Path

    blocks = read_yaml(Path("profiles/paper.yaml"))["models"]
    assert {block["model"]["arch"] for block in blocks.values()} == set(SMALL) == set(PAPER_PARAMETERS)


def test_logits_have_the_image_s_shape(net: torch.nn.Module) -> None:
    logits = net(torch.rand(3, 1, 32, 48))
    assert {head: tuple(tensor.shape) for head, tensor in logits.items()} == {"mask": (3, 1, 32, 48)}


def test_logits_are_not_squashed(net: torch.nn.Module) -> None:
    logits = torch.cat([net(torch.rand(2, 1, 32, 32))["mask"].flatten() for _ in range(3)])
    assert logits.min() < 0


def test_every_parameter_gets_a_gradient(net: torch.nn.Module) -> None:
    sum(tensor.square().sum() for tensor in net(torch.rand(3, 1, 32, 32)).values()).backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert without == []


def test_an_image_s_prediction_does_not_depend_on_its_batch_mates(net: torch.nn.Module) -> None:
    net.eval()
    images = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net(images)["mask"][1:2], net(images[1:2])["mask"])


def test_weights_survive_a_round_trip(net: torch.nn.Module) -> None:
    other = copy.deepcopy(net)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(net.state_dict())
    image = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(net.eval()(image)["mask"], other.eval()(image)["mask"])


@pytest.mark.parametrize("arch", sorted(PAPER_PARAMETERS))
def test_parameter_counts_at_full_size(arch: str, repository: object) -> None:
    from pathlib import Path

    with torch.device("meta"):
        net = build(**read_yaml(Path("profiles/paper.yaml"))["models"][arch]["model"])
    assert sum(parameter.numel() for parameter in net.parameters()) == PAPER_PARAMETERS[arch]


def test_unet_parameters_by_hand() -> None:
    # base 1, two levels. Encoder: 1->1 twice (9 + 9 weights, 2 + 2 of the normalisations), 1->2->2 (18 + 36, 4 + 4).
    # Up-sampling 2->1 by 2x2: 8 weights + 1 bias. Merge 2->1->1: 18 + 9, 2 + 2. Head: 1 weight + 1 bias.
    net = build(arch="unet", in_channels=1, base_channels=1, levels=2)
    assert sum(parameter.numel() for parameter in net.parameters()) == 22 + 62 + 9 + 31 + 2


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"arch": "vnet"}, "unknown arch: got 'vnet', expected one of unet"),
        ({"arch": "blocks"}, "unknown arch"),
        ({"arch": "unet", "in_channels": 1, "base_channels": 2}, "missing a required argument: 'levels'"),
        ({"arch": "unet", "in_channels": 1, "base_channels": 2, "levels": 3, "depth": 4}, "unexpected keyword argument 'depth'"),
    ],
)
def test_a_wrong_model_block_is_told(block: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        build(**block)  # type: ignore[arg-type]
    assert expected in str(caught.value)
