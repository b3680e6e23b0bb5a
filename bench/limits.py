"""What a device can do at most: bytes a second by a copy, operations a second by a matrix product; and what
of either a training step asks for."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from brisc.config import Run
from brisc.models import build
from brisc.training.losses import TotalLoss

ROUNDS = 5


@dataclass(frozen=True)
class Limits:
    bytes_per_second: float
    operations_per_second: dict[str, float]  # by number format


@dataclass(frozen=True)
class Work:
    """Of one image in a training step: operations, and bytes that its operators read and write."""

    operations: float
    bytes: float

    def images_per_second(self, limits: Limits, precision: str) -> tuple[float, float]:
        """No more than this many by arithmetic, and by memory if each operator reads and writes by itself."""
        by_arithmetic = limits.operations_per_second[precision] / self.operations
        return by_arithmetic, limits.bytes_per_second / self.bytes


def measure_limits(device: torch.device, *, megabytes: int, side: int) -> Limits:
    """By copying so many megabytes, and by multiplying square matrices of this side."""
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    copied = seconds(lambda: target.copy_(source), device)
    operations = {}
    for precision, dtype in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        matrix = torch.ones(side, side, device=device, dtype=dtype)
        operations[precision] = 2 * side**3 / seconds(lambda matrix=matrix: matrix @ matrix, device)
    return Limits(2 * source.nbytes / copied, operations)


def seconds(action: Callable[[], Any], device: torch.device) -> float:
    """The median of a few times, after one to warm up."""
    times = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        action()
        wait_for(device)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes that operators read and write while it is on; a view moves none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, made)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return made


def work_of(run: Run, precision: str, *, size: int) -> Work:
    """Counted on meta tensors, which have sizes and no content. The optimizer is not counted."""
    half = precision == "bf16-mixed"
    net: nn.Module = build(**run.model).to("meta").to(torch.bfloat16 if half else torch.float32).train()
    criterion = TotalLoss(run.loss).to("meta")
    square = (run.batch_size, 1, size, size)
    batch = {
        "image": torch.empty(square, dtype=next(net.parameters()).dtype, device="meta"),
        "mask": torch.empty(square, device="meta"),
        "label": torch.empty(run.batch_size, dtype=torch.int64, device="meta"),
    }
    with FlopCounterMode(display=False) as counter, Traffic() as traffic:
        criterion(net(batch["image"]), batch).backward()
    return Work(counter.get_total_flops() / run.batch_size, traffic.bytes / run.batch_size)
