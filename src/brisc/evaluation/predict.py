"""What a trained net says of each image, without gradients."""

import math

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from brisc.config import Train
from brisc.data.dataset import Samples, evaluation_batches


@torch.no_grad()
def predict_masks(
    net: nn.Module, samples: Samples, rows: np.ndarray, *, batch_size: int, threshold: float, train: Train
) -> np.ndarray:
    """Masks (N, H, W) bool of the rows: probability above `threshold`, computed in the precision of training."""
    fabric = Fabric(accelerator=train.accelerator, devices=1, precision=train.precision)
    layout = torch.channels_last if train.channels_last else torch.contiguous_format
    net = fabric.setup_module(net.to(memory_format=layout).eval())
    level = math.log(threshold / (1 - threshold))  # sigmoid(logit) > threshold, without rounding the probability
    masks = []
    for batch in evaluation_batches(samples, rows, batch_size=batch_size):
        image = batch["image"].to(fabric.device).contiguous(memory_format=layout)
        masks.append((net(image)["mask"][:, 0] > level).cpu().numpy())
    return np.concatenate(masks)
