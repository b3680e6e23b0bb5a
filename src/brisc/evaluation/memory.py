"""An estimate of the peak memory that training takes on a GPU, without a GPU: one step on meta tensors, which
have sizes and no content, while every allocation and release is counted.

Counted: weights, running statistics, the optimiser's state, gradients, what the forward pass keeps for the
backward pass, and the temporaries between operations. Not counted: workspaces inside kernels, the allocator's
rounding and gaps (HEADROOM stands for both), and the CUDA context. It is an estimate and no measurement.
"""

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from brisc.config import Optimizer, Run
from brisc.evaluation.macs import count_macs
from brisc.models import build
from brisc.training.losses import TotalLoss

# The study's card, and what a process takes of it before the first tensor: 0.5 to 0.7 GiB with CUDA 12 and
# 13.
GPU_MIB, CONTEXT_MIB = 8192.0, 614.4

# An assumption. Beyond it an estimate is called tight: it may fit.
HEADROOM = 0.1

PRECISIONS: tuple[Literal["32-true", "bf16-mixed"], ...] = ("32-true", "bf16-mixed")

_FLOAT, _HALF, _MIB = 4, 2, 2**20


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made while it is on: `now`, and `peak`, the most there were at
    once.

    held: tensors that exist already and are not counted. Views and results in place are no new bytes.
    """

    def __init__(self, held: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in held}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._release, storage._cdata, storage.nbytes()).atexit = False

    def _release(self, storage: int, size: int) -> None:
        self._known.discard(storage)
        self.now -= size


def estimate(runs: Mapping[str, Run], *, size: int) -> dict[str, Any]:
    """Of each model, at images of `size` squared: parameters, MACs, memory as the profile has it, and the
    batch that fits.

    estimate.json: estimate (always true), image_size, images_per_step (batch_size x accumulate), gpu_mib,
    context_mib, headroom, budget_mib (gpu less context) and models.<model>: parameters, macs (of one image),
    as_set, and options, one a precision: the largest batch, by halving images_per_step, that fits, with as
    many batches a step as keep it; the smallest where none fits. A smaller batch is not quite the same
    training: batch normalisation and the Dice loss pool over it. as_set and each option: precision,
    batch_size, accumulate, weights_mib, optimizer_mib, activations_mib, peak_mib, verdict: "fits", "tight"
    (within the budget, but not with headroom) or "does not fit".
    """
    found, images_per_step = {}, 0
    for model, run in runs.items():
        net, images_per_step = build(**run.model).to("meta"), run.batch_size * run.accumulate
        found[model] = {
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
            "macs": count_macs(net.eval(), size=size),
            "as_set": training_memory(net, run, size=size),
            "options": [
                _largest_that_fits(net, replace(run, precision=precision), size=size)
                for precision in PRECISIONS
            ],
        }
    return {
        "estimate": True,
        "image_size": size,
        "images_per_step": images_per_step,
        "gpu_mib": GPU_MIB,
        "context_mib": CONTEXT_MIB,
        "headroom": HEADROOM,
        "budget_mib": GPU_MIB - CONTEXT_MIB,
        "models": found,
    }


def _largest_that_fits(net: nn.Module, run: Run, *, size: int) -> dict[str, Any]:
    images, accumulate = run.batch_size * run.accumulate, 1
    while True:
        tried = replace(run, batch_size=images // accumulate, accumulate=accumulate)
        memory = training_memory(net, tried, size=size)
        if memory["verdict"] == "fits" or images % (2 * accumulate) > 0:
            return memory
        accumulate *= 2


def training_memory(net: nn.Module, run: Run, *, size: int) -> dict[str, Any]:
    """Peak of one optimiser step of a net on the meta device, and its parts.

    bf16-mixed is counted as a net of bfloat16 whose weights exist in float32 as well, since autocast has no
    meaning on meta tensors. Counted with autocast, on fake tensors of the CPU, the four U-Nets of the paper
    profile come out 1 to 2 % lower.
    """
    half = run.precision != "32-true"  # the 8 GB GPU has units for bfloat16
    net = net.to(torch.bfloat16 if half else torch.float32).train()
    weights = sum(parameter.numel() for parameter in net.parameters())
    statistics = sum(buffer.numel() for buffer in net.buffers())
    activations, peak = _count_step(net, run, size=size)
    copies = 2 if run.ema_decay > 0 else 1
    held = _FLOAT * (weights + statistics) * copies + (_HALF * weights if half else 0)
    state = _FLOAT * weights * _moments(run.optimizer)
    # The count has gradients in the net's precision; they are kept in float32.
    wider = (_FLOAT - _HALF) * weights if half else 0
    peak_mib = (held + state + wider + peak) / _MIB
    budget = GPU_MIB - CONTEXT_MIB
    return {
        "precision": run.precision,
        "batch_size": run.batch_size,
        "accumulate": run.accumulate,
        "weights_mib": round(held / _MIB, 1),
        "optimizer_mib": round(state / _MIB, 1),
        "activations_mib": round(activations / _MIB, 1),
        "peak_mib": round(peak_mib, 1),
        "verdict": "does not fit"
        if peak_mib > budget
        else "fits"
        if peak_mib * (1 + HEADROOM) <= budget
        else "tight",
    }


def _moments(optimizer: Optimizer) -> int:
    """Numbers kept for each weight, as brisc.training.optim builds them: without amsgrad, centring or
    RMSprop's momentum."""
    match optimizer.name:
        case "adam" | "adamw":
            return 2
        case "rmsprop":
            return 1
        case "sgd":
            return int(optimizer.momentum > 0)


def _count_step(net: nn.Module, run: Run, *, size: int) -> tuple[int, int]:
    """Bytes kept for the backward pass, and the most bytes at once beside weights, statistics and the batch
    itself."""
    precision = next(net.parameters()).dtype
    square = (run.batch_size, 1, size, size)
    batch = {
        "image": torch.empty(square, dtype=precision, device="meta"),
        "mask": torch.empty(square, device="meta"),
        "label": torch.empty(run.batch_size, dtype=torch.int64, device="meta"),
    }
    criterion = TotalLoss(run.loss).to("meta")
    live = LiveBytes([*net.parameters(), *net.buffers(), *criterion.parameters(), *batch.values()])
    activations = 0
    with live:
        # From the second batch on, the gradients of those before it are there throughout.
        for _ in range(min(run.accumulate, 2)):
            before = live.now
            loss = criterion(net(batch["image"]), batch)
            activations = live.now - before
            loss.backward()
            del loss
    net.zero_grad()
    return activations, live.peak
