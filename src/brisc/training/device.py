"""Where and how exactly a net is computed: the device and the number format that the profile asks for."""

from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric

from brisc.config import Train
from brisc.errors import InputError

# What /proc/cpuinfo calls the processors' matrix units for bfloat16 (Intel AMX), with which a U-Net's step
# took half the time of float32 (two cores, 128 px, base 16). A processor without any units for bfloat16
# emulates it and took nine times as long.
MATRIX_UNITS = "amx_bf16"


def build_fabric(train: Train, *, devices: int) -> Fabric:
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
    if (precision := precision_on(plain.device, train.precision)) == "32-true":
        return plain
    return Fabric(accelerator=train.accelerator, devices=devices, precision=precision)


def precision_on(
    device: torch.device, precision: Literal["32-true", "bf16-mixed", "auto"]
) -> Literal["32-true", "bf16-mixed"]:
    """ "auto" is bf16-mixed on a device with units for it, else 32-true; anything else stays as it is."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if has_bf16_units(device) else "32-true"


def has_bf16_units(device: torch.device, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """On a GPU what CUDA says of it without emulation; of a CPU whether Linux lists its bfloat16 matrix
    units."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and cpuinfo.is_file() and MATRIX_UNITS in cpuinfo.read_text().split()
