from dataclasses import replace

import numpy as np
import pytest
import torch
from nets import Bright, Classifier, Joint
from torch import nn

from brisc.errors import InputError
from brisc.evaluation.gradcam import activation_maps, find_label_path, weigh
from brisc.evaluation.predict import Inference

ROWS = np.arange(4, 24)
IMAGE = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(3))


class LightAndDark(nn.Module):
    """Two maps, the image and what it lacks to white. Their means decide: class 0 for light, 1 for dark, 2
    against light."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 2, 1)
        self.maps.weight.data[:] = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        self.maps.bias.data[:] = torch.tensor([0.0, 1.0])
        self.weights = nn.Parameter(torch.tensor([[5.0, 0.0], [0.0, 0.1], [-1.0, 0.0], [1.0, -1.0]]))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = torch.relu_(self.maps(image) + 1e-6)
        return {"label": maps.mean((2, 3)) @ self.weights.T}


def test_maps_by_hand(samples, run):
    light = samples.images[[4, 5, 6, 7]] / 255
    maps = activation_maps(
        Inference(LightAndDark(), run), samples, ROWS[:4], np.array([0, 1, 2, 0]), batch_size=3
    )
    assert maps.dtype == np.uint8
    assert maps.shape == (4, 16, 16)
    # However large the weight, the largest value becomes 255; evidence against the class is none for it.
    for found, expected in [(maps[0], light[0]), (maps[1], 1 - light[1]), (maps[3], light[3])]:
        assert np.abs(found - 255 * expected / expected.max()).max() <= 0.51
    assert not maps[2].any()


def test_weights_are_mean_gradients():
    # Channel weights (1 + 3) / 2 = 2, (-1 + 0) / 2 = -1/2: evidence 2 x 1 - 2 / 2 = 1, 2 x 2 - 4 / 2 = 2;
    # 127.5 becomes 128.
    features = torch.tensor([[[[1.0, 2.0]], [[2.0, 4.0]]]])
    gradient = torch.tensor([[[[1.0, 3.0]], [[-1.0, 0.0]]]])
    assert weigh(features, gradient).tolist() == [[[128, 255]]]


def test_without_evidence_the_map_is_0():
    assert weigh(torch.ones(2, 3, 4, 4), -torch.ones(2, 3, 4, 4)).tolist() == np.zeros((2, 4, 4)).tolist()


@pytest.mark.parametrize("mask_first", [True, False])
def test_the_last_map_before_pooling_is_found_and_the_decoder_left_aside(run, mask_first):
    net = Joint(mask_first=mask_first)
    path = find_label_path(Inference(net, run), IMAGE)
    assert path.target is net.deep[2]
    assert path.beside == (net.up, net.merge)


def test_maps_of_one_pixel_are_passed_over(run):
    net = Joint()
    net.deep.append(nn.Sequential(nn.Conv2d(6, 6, 8), nn.ReLU()))
    net.mask = lambda shallow, deep: shallow
    assert find_label_path(Inference(net, run), IMAGE).target is net.deep[2]


@pytest.mark.parametrize("mask_first", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_maps_are_those_of_the_plain_definition(samples, run, mask_first, batch_size):
    # One image after the other, gradients of the whole net, nothing cut.
    torch.manual_seed(1)
    net = Joint(mask_first=mask_first).eval()
    classes = np.arange(len(ROWS)) % 4
    expected = []
    for row, chosen in zip(ROWS, classes, strict=True):
        image = torch.from_numpy(samples.images[row : row + 1]).unsqueeze(1).float() / 255
        features = net.deep(net.stem(image))
        features.retain_grad()
        net.label(None, features)[0, chosen].backward()
        evidence = (features.grad.mean((2, 3), keepdim=True) * features).sum(1).relu()[0].detach().numpy()
        expected.append(255 * evidence / max(evidence.max(), 1e-30))
    maps = activation_maps(Inference(net, run), samples, ROWS, classes, batch_size=batch_size)
    assert maps.shape == (20, 8, 8)
    assert np.abs(maps - np.array(expected)).max() <= 0.51
    assert set(maps.max(axis=(1, 2))) <= {0, 255}
    assert 255 in maps.max(axis=(1, 2))


def test_nothing_but_the_way_from_the_map_to_the_label_is_kept_for_the_gradient(samples, run):
    net, kept = Joint(), {}
    for name in ("stem", "deep", "up", "merge", "classify"):
        net.get_submodule(name).register_forward_hook(
            lambda module, given, out, name=name: kept.update({name: out.requires_grad})
        )
    inference = Inference(net, run)
    activation_maps(inference, samples, ROWS, np.zeros(20, dtype=int), batch_size=64)
    assert kept == {"stem": False, "deep": True, "up": False, "merge": False, "classify": True}


def test_the_net_is_left_as_it_was(samples, run):
    torch.manual_seed(2)
    net = Inference(Joint(), run)
    before = net(IMAGE)
    activation_maps(net, samples, ROWS, np.zeros(20, dtype=int), batch_size=8)
    after = net(IMAGE)
    assert all(torch.equal(before[head], after[head]) for head in before)
    assert not after["label"].requires_grad
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.net.modules())


def test_an_in_place_function_behind_the_map_does_no_harm(samples, run):
    # Classifier applies relu_ to the output of its only convolution.
    torch.manual_seed(3)
    maps = activation_maps(Inference(Classifier(), run), samples, ROWS, np.full(20, 3), batch_size=8)
    assert maps.shape == (20, 16, 16)


def test_half_precision_gives_nearly_the_same(samples, run):
    torch.manual_seed(1)
    net, classes = Joint(), np.arange(20) % 4
    full, half = (
        activation_maps(
            Inference(net, replace(run, precision=precision)), samples, ROWS, classes, batch_size=8
        )
        for precision in ("32-true", "bf16-mixed")
    )
    assert np.abs(full.astype(int) - half).mean() < 5


def test_a_net_without_a_map_is_told(run):
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classify = nn.Linear(1, 4)

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"label": self.classify(image.mean((2, 3)))}

    with pytest.raises(InputError, match="no feature map to explain the label by"):
        find_label_path(Inference(Mean(), run), IMAGE)
    with pytest.raises(KeyError, match="label"):
        find_label_path(Inference(Bright(), run), IMAGE)
