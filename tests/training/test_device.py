from dataclasses import replace

import pytest
import torch
from torch import nn

from brisc.config import load, resolve
from brisc.models import build
from brisc.training.device import (
    Compiled,
    build_fabric,
    has_bf16_units,
    is_depthwise,
    precision_on,
    to_device,
    workers_on,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")
PLAIN = nn.Conv2d(4, 4, 3)
DEPTHWISE = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 8, 1))


@pytest.mark.parametrize(
    ("flags", "units"),
    [("fpu avx512_bf16 amx_bf16 amx_tile", True), ("fpu avx512f avx512_bf16", False), ("fpu avx2", False)],
)
def test_a_cpu_has_units_for_bfloat16_if_linux_lists_them(tmp_path, flags, units):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: Some CPU\nflags\t\t: {flags}\n", encoding="utf-8")
    assert has_bf16_units(CPU, cpuinfo) is units


def test_without_a_list_of_flags_no_units_are_assumed(tmp_path):
    assert has_bf16_units(CPU, tmp_path / "none") is False


@pytest.mark.parametrize(("units", "chosen"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_goes_by_the_units_and_what_is_asked_for_by_name_does_not(monkeypatch, units, chosen):
    monkeypatch.setattr("brisc.training.device.has_bf16_units", lambda device: units)
    assert precision_on(CPU, "auto", PLAIN) == chosen
    for name in ("32-true", "bf16-mixed"):
        assert [precision_on(CPU, name, net) for net in (PLAIN, DEPTHWISE)] == [name, name]


def test_auto_keeps_nets_of_depthwise_convolutions_in_float32_on_a_cpu_alone(monkeypatch):
    monkeypatch.setattr("brisc.training.device.has_bf16_units", lambda device: True)
    assert precision_on(CPU, "auto", DEPTHWISE) == "32-true"
    assert precision_on(GPU, "auto", DEPTHWISE) == "bf16-mixed"


def test_what_a_net_of_depthwise_convolutions_is():
    """3x3 weights count, 1x1 ones do not; a convolution of one channel has one group because it has one
    channel."""
    assert is_depthwise(DEPTHWISE)
    assert not is_depthwise(nn.Conv2d(1, 4, 3))
    assert not is_depthwise(nn.Linear(4, 4))
    assert is_depthwise(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(8, 8, 3, groups=8)))  # 72 of 108
    assert not is_depthwise(nn.Sequential(nn.Conv2d(2, 4, 3), nn.Conv2d(8, 8, 3, groups=8)))  # 72 of 144


@pytest.mark.parametrize(
    ("run", "chosen"),
    [
        ("unet", "bf16-mixed"),
        ("attention_unet", "bf16-mixed"),
        ("bifpn_unet", "bf16-mixed"),
        ("joint", "bf16-mixed"),
        ("densenet121", "bf16-mixed"),
        ("mobilenetv2", "32-true"),
        ("efficientnet_b0", "32-true"),
    ],
)
def test_what_auto_is_for_the_nets_of_the_laptop_profile(repository, monkeypatch, run, chosen):
    """As measured on two cores with matrix units, see docs/speed.md."""
    monkeypatch.setattr("brisc.training.device.has_bf16_units", lambda device: True)
    with torch.device("meta"):
        net = build(**resolve("laptop", run).run.model)
    assert precision_on(CPU, "auto", net) == chosen


def test_workers_by_device_unless_they_are_given():
    assert (workers_on(CPU, "auto"), workers_on(CPU, 3), workers_on(GPU, 0)) == (0, 3, 0)
    assert workers_on(GPU, "auto") >= 1


def test_pixels_become_numbers_on_the_device():
    pixels = torch.tensor([[0, 51], [255, 1]], dtype=torch.uint8).view(1, 1, 2, 2)
    batch = {"image": pixels, "mask": (pixels > 50).to(torch.uint8), "label": torch.tensor([2])}
    moved = to_device(batch, CPU, channels_last=True)
    assert moved["image"].flatten().tolist() == pytest.approx([0.0, 0.2, 1.0, 1 / 255])
    assert moved["mask"].flatten().tolist() == [0.0, 1.0, 1.0, 0.0]
    assert {name: tensor.dtype for name, tensor in moved.items()} == {
        "image": torch.float32,
        "mask": torch.float32,
        "label": torch.int64,
    }
    assert batch["image"].dtype == torch.uint8


def test_a_batch_of_another_size_is_not_compiled_for(monkeypatch):
    """torch's compiler, replaced by one that notes for which batches it is called."""
    seen = []
    monkeypatch.setattr(
        torch, "compile", lambda function, **_: lambda image: seen.append(len(image)) or function(image)
    )
    net = nn.Conv2d(1, 2, 1)
    wrapped = Compiled(net, batch_size=4, graphs=False)
    for size in (4, 3, 5, 4):
        image = torch.rand(size, 1, 2, 2)
        assert torch.equal(wrapped(image), net(image))
    assert seen == [4, 4]
    assert [*map(id, wrapped.parameters())] == [*map(id, net.parameters())]


@pytest.mark.parametrize(("units", "computed"), [(True, torch.bfloat16), (False, torch.float32)])
def test_what_is_chosen_is_what_the_net_is_computed_in(monkeypatch, units, computed):
    monkeypatch.setattr("brisc.training.device.has_bf16_units", lambda device: units)
    train = replace(load("demo", "train"), accelerator="cpu", precision="auto")
    fabric = build_fabric(train, PLAIN, devices=1)
    with fabric.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == computed
