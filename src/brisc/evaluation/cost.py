"""What a net costs to keep and to use."""

import statistics
import time
from pathlib import Path
from typing import Any

import torch

from brisc.evaluation.macs import count_macs
from brisc.evaluation.predict import Inference

# The first runs choose kernels and fill caches. Then as many as fit, within limits that keep a large net from
# taking minutes.
WARM_UP, FEWEST, MOST, SECONDS = 2, 3, 30, 5.0


def measure_cost(
    net: Inference, *, size: int, batch_size: int, weights: Path, measure_seconds: bool
) -> dict[str, Any]:
    """Parameters, MACs of an image of `size` squared, latency in milliseconds, and MiB of the file the
    weights came from.

    `latency_ms` is that of one image, `batch_latency_ms` that of a batch of `batch_size`: medians of the time
    from images in memory to logits, on the device and in the precision of training. Both are None unless
    `measure_seconds`.
    """
    return {
        "parameters": sum(parameter.numel() for parameter in net.net.parameters()),
        "macs": count_macs(net.net, size=size),
        "latency_ms": _latency_ms(net, 1, size) if measure_seconds else None,
        "batch_latency_ms": _latency_ms(net, batch_size, size) if measure_seconds else None,
        "batch_size": batch_size,
        "weights_mb": round(weights.stat().st_size / 2**20, 2),
    }


@torch.no_grad()
def _latency_ms(net: Inference, batch_size: int, size: int) -> float:
    image = torch.rand(batch_size, 1, size, size)
    for _ in range(WARM_UP):
        _timed(net, image)
    times: list[float] = []
    while len(times) < FEWEST or (len(times) < MOST and sum(times) < SECONDS):
        times.append(_timed(net, image))
    return round(1000 * statistics.median(times), 2)


def _timed(net: Inference, image: torch.Tensor) -> float:
    """Seconds until the logits are back in the CPU's memory, which waits for a GPU to finish."""
    started = time.perf_counter()
    for logits in net(image).values():
        logits.cpu()
    return time.perf_counter() - started
