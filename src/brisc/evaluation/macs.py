"""The work that a net does for one image."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def count_macs(net: nn.Module, *, size: int) -> int:
    """Multiply-accumulates of one grey image of `size` squared in convolutions and matrix products, on real
    or meta tensors.

    torch counts two operations for each. Normalisation, activations and resizing are not counted, as is the
    custom of the papers.
    """
    image = torch.zeros(1, 1, size, size, device=next(net.parameters()).device)
    with FlopCounterMode(display=False) as counter:
        net(image)
    return int(counter.get_total_flops()) // 2
