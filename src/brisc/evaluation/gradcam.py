"""Grad-CAM, Selvaraju et al. 2017 (arXiv:1610.02391): where in the image the evidence for a class lies.

It works on any net with a label head and needs nothing of it: the feature map it looks at is found in a trial
run. The map shows what the net reacted to, coarsely; it is no segmentation and no proof that the reaction was
sound.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from brisc.data.dataset import Samples, evaluation_batches
from brisc.errors import InputError
from brisc.evaluation.predict import Inference


@dataclass(frozen=True)
class LabelPath:
    """Where the label comes from in a net.

    target: the last innermost module (a layer without layers in it) that gives a map of more than one pixel
    on which the label logits depend: the last one before global pooling. beside: the innermost modules that
    the label does not depend on, such as the decoder of a joint net.
    """

    target: nn.Module
    beside: tuple[nn.Module, ...]


def activation_maps(
    net: Inference, samples: Samples, rows: np.ndarray, classes: np.ndarray, *, batch_size: int
) -> np.ndarray:
    """Maps (N, h, w) uint8 of the evidence for class `classes[i]` (N,) in row `rows[i]`, at the size of the
    feature map.

    Each is scaled so that its largest value is 255; it is all 0 where nothing speaks for the class. Mirrored
    views play no part. Raises InputError for a net without a feature map.
    """
    maps, path = [], find_label_path(net, _first_image(samples, rows))
    for start, batch in enumerate(evaluation_batches(samples, rows, batch_size=batch_size)):
        chosen = torch.from_numpy(classes[start * batch_size : (start + 1) * batch_size]).to(net.device)
        with _watch(path) as seen:
            logits = net(batch["image"])["label"]
        features = seen[-1]
        (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), features)
        maps.append(weigh(features.detach().cpu(), gradient.cpu()))
    return np.concatenate(maps)


def weigh(features: torch.Tensor, gradient: torch.Tensor) -> np.ndarray:
    """ReLU of the channels' sum, each weighted by its mean gradient (equations 1 and 2): both (B, C, h, w) ->
    (B, h, w) uint8."""
    importance = gradient.double().mean((2, 3), keepdim=True)
    evidence: np.ndarray = (importance * features.double()).sum(1).clamp_min(0).numpy()
    largest = evidence.max(axis=(1, 2), keepdims=True)
    share = np.divide(evidence, largest, out=np.zeros_like(evidence), where=largest > 0)
    scaled: np.ndarray = np.rint(255 * share).astype(np.uint8)
    return scaled


def find_label_path(net: Inference, image: torch.Tensor) -> LabelPath:
    """Run one image (1, 1, H, W) and follow the gradient of the label logits back through the net."""
    outputs: list[tuple[nn.Module, torch.Tensor]] = []

    def record(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.requires_grad:
            outputs.append((module, output))

    with _hooks(
        module.register_forward_hook(record) for module in net.net.modules() if not any(module.children())
    ):
        logits = net(image.clone().requires_grad_())["label"]
    gradients = torch.autograd.grad(logits.sum(), [output for _, output in outputs], allow_unused=True)
    on_path = {
        module for (module, _), gradient in zip(outputs, gradients, strict=True) if gradient is not None
    }
    maps = [
        module
        for module, output in outputs
        if module in on_path and output.ndim == 4 and output[0, 0].numel() > 1
    ]
    if not maps:
        raise InputError(
            "no feature map to explain the label by",
            where="Grad-CAM",
            got="no layer on its path with an output (B, C, h, w)",
            expected="at least one convolution as a module",
            mend="Give the net's convolutions as modules.",
        )
    return LabelPath(maps[-1], tuple(dict.fromkeys(module for module, _ in outputs if module not in on_path)))


@contextmanager
def _watch(path: LabelPath) -> Iterator[list[torch.Tensor]]:
    """Let the graph begin at the target's output, which is put in the list, and leave out of it what lies
    beside.

    So nothing before the target and nothing of a decoder is kept in memory for the backward pass.
    """
    seen: list[torch.Tensor] = []

    def begin(module: nn.Module, given: Any, output: torch.Tensor) -> torch.Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # the next layer may work in place, which a leaf of the graph does not allow

    def cut(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value.detach() if isinstance(value, torch.Tensor) else value for value in given)

    with _hooks(
        [
            path.target.register_forward_hook(begin),
            *(module.register_forward_pre_hook(cut) for module in path.beside),
        ]
    ):
        yield seen


@contextmanager
def _hooks(handles: Any) -> Iterator[None]:
    held = list(handles)
    try:
        yield
    finally:
        for handle in held:
            handle.remove()


def _first_image(samples: Samples, rows: np.ndarray) -> torch.Tensor:
    return next(evaluation_batches(samples, rows[:1], batch_size=1))["image"]
