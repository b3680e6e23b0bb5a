"""Where and how exactly a net is computed: the device, the number format and the way there."""

import os
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import nn

from brisc.config import Run, Train
from brisc.data.dataset import Batch, scaled
from brisc.errors import InputError

# What /proc/cpuinfo calls the processors' matrix units for bfloat16 (Intel AMX), with which a U-Net's step
# took half the time of float32 (two cores, 128 px, base 16). A processor without any units for bfloat16
# emulates it and took nine times as long.
MATRIX_UNITS = "amx_bf16"

MOST_WORKERS = 4  # each prepares 2,600 images/s at 256 px, which is more than most nets train on


def build_fabric(train: Train, net: nn.Module, *, devices: int) -> Fabric:
    """lightning-fabric for `devices` of the run's accelerators, in the precision that `precision_on` makes of
    its setting. Raises InputError where this machine has no such accelerator."""
    try:
        plain = Fabric(accelerator=train.accelerator, devices=devices)
    except RuntimeError as error:
        raise InputError(
            "no such accelerator on this machine",
            where="train.accelerator",
            got=f"{devices} of {train.accelerator}: {' '.join(str(error).split())}",
            expected="one that torch finds here",
            mend="Set it to auto or cpu, or lower train.devices.",
        ) from None
    if (precision := precision_on(plain.device, train.precision, net)) == "32-true":
        return plain
    return Fabric(accelerator=train.accelerator, devices=devices, precision=precision)


def precision_on(
    device: torch.device, precision: Literal["32-true", "bf16-mixed", "auto"], net: nn.Module
) -> Literal["32-true", "bf16-mixed"]:
    """ "auto" is bf16-mixed on a device with units for it, but on a CPU not for a net of depthwise
    convolutions, else 32-true; anything else stays as it is."""
    if precision != "auto":
        return precision
    slower = device.type == "cpu" and is_depthwise(net)
    return "bf16-mixed" if has_bf16_units(device) and not slower else "32-true"


def has_bf16_units(device: torch.device, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """On a GPU what CUDA says of it without emulation; of a CPU whether Linux lists its bfloat16 matrix
    units."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and cpuinfo.is_file() and MATRIX_UNITS in cpuinfo.read_text().split()


def is_depthwise(net: nn.Module) -> bool:
    """Whether most weights of the net's convolutions over space, so not those of one pixel, are of depthwise
    ones, which have a group for each channel and leave matrix units nothing to do."""
    spatial = [
        module for module in net.modules() if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1
    ]
    depthwise = [module for module in spatial if module.groups == module.in_channels > 1]
    weights, of_all = (sum(module.weight.numel() for module in some) for some in (depthwise, spatial))
    return weights > of_all / 2


def workers_on(device: torch.device, workers: int | Literal["auto"]) -> int:
    """ "auto" is none on a CPU, whose cores have the net to compute, and a few beside a GPU."""
    if workers != "auto":
        return workers
    return min(MOST_WORKERS, len(os.sched_getaffinity(0))) if device.type == "cuda" else 0


def to_device(batch: Batch, device: torch.device, channels_last: bool) -> Batch:
    """The batch as numbers on the device; from pinned memory without waiting for it."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    moved = scaled({name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()})
    return {**moved, "image": moved["image"].contiguous(memory_format=layout)}


class Compiled(nn.Module):
    """`net` compiled for batches of `batch_size`. A smaller or larger one, the last of an epoch, takes the
    way that is not compiled: torch would compile again for it.

    graphs: the whole step of a batch is handed to a GPU at once, as a CUDA graph, so that it never waits for
    the next kernel to be launched.
    """

    def __init__(self, net: nn.Module, *, batch_size: int, graphs: bool) -> None:
        super().__init__()
        self.net, self.batch_size = net, batch_size
        mode = "reduce-overhead" if graphs else "default"
        self.fast = torch.compile(net.forward, mode=mode, dynamic=False)

    def forward(self, image: torch.Tensor) -> Any:
        return self.fast(image) if len(image) == self.batch_size else self.net(image)


def compiled(net: nn.Module, run: Run) -> nn.Module:
    """What training calls instead of `net`, with the same weights; validation calls the net itself."""
    if run.compile == "none":
        return net
    return Compiled(net, batch_size=run.batch_size, graphs=run.compile == "graphs")
