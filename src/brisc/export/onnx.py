"""A net as an ONNX file, and whether that file says what the net says."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from brisc.errors import InputError
from brisc.inference.model import Array, Model, softmax

OPSET = 20
TOLERANCE = 1e-4  # of a probability
BATCH = 32


class _Named(nn.Module):
    """The net with its heads as a tuple in a given order, which is how ONNX names outputs."""

    def __init__(self, net: nn.Module, heads: list[str]) -> None:
        super().__init__()
        self.net, self.heads = net, heads

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.net(image)
        return tuple(found[head] for head in self.heads)


def write_onnx(net: nn.Module, path: Path, *, heads: list[str], size: int) -> None:
    """image (B, 1, size, size) float32 from 0 to 1 -> logits by head, for any B."""
    # An example of two, since torch makes a constant of a batch of one.
    example = torch.zeros(2, 1, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _Named(net, heads).eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=heads,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    strip(proto)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def strip(proto: onnx.ModelProto) -> None:
    """Take out what the exporter says of its own machine: paths of source files, stack traces."""
    for item in (proto, proto.graph, *proto.functions):
        del item.metadata_props[:]
        item.doc_string = ""
    for graph in (proto.graph, *proto.functions):
        for part in (*graph.node, *graph.value_info):
            del part.metadata_props[:]
            part.doc_string = ""
    for part in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def torch_logits(net: nn.Module, squares: NDArray[np.uint8]) -> dict[str, Array]:
    """What `Model.logits` is compared with: the net in 32 bit on the CPU."""
    parts: dict[str, list[Array]] = {}
    with torch.no_grad():
        for start in range(0, len(squares), BATCH):
            image = torch.from_numpy(squares[start : start + BATCH]).unsqueeze(1).float().div_(255)
            for head, x in net(image).items():
                parts.setdefault(head, []).append((x[:, 0] if head == "mask" else x).double().numpy())
    return {head: np.concatenate(found) for head, found in parts.items()}


def onnx_logits(model: Model, squares: NDArray[np.uint8]) -> dict[str, Array]:
    starts = range(0, len(squares), BATCH)
    parts = [model.logits(squares[start : start + BATCH]) for start in starts]
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}


def compare(torch_gives: dict[str, Array], onnx_gives: dict[str, Array], where: Path) -> float:
    """The largest difference of a probability; InputError above TOLERANCE, or where a label is another."""
    difference, changed = 0.0, 0
    for head, ours in torch_gives.items():
        theirs = onnx_gives[head]
        one, other = (sigmoid(x) if head == "mask" else softmax(x) for x in (ours, theirs))
        # NaN is no small difference
        difference = max(difference, float(np.nan_to_num(np.abs(one - other), nan=1.0).max()))
        if head == "label":
            changed = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    if difference > TOLERANCE or changed:
        raise InputError(
            "the ONNX file does not say what the net says",
            where=where,
            got=f"probabilities {difference:.2g} apart, {changed} labels changed on validation",
            expected=f"at most {TOLERANCE:g} and none",
            mend="Report it: the exporter of this version of torch may be at fault.",
        )
    return difference


def sigmoid(logits: Array) -> Array:
    given: Array = 0.5 * (1 + np.tanh(logits / 2))
    return given
