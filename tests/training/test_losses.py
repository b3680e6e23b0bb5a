"""Losses against values worked out by hand."""

import math

import pytest
import torch

from brisc.config import Loss
from brisc.training.losses import dice_loss, mask_loss, total_loss

FAR = 40.0  # a logit whose sigmoid is 1 in float32


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def test_dice_loss_by_hand() -> None:
    # X = 1 1 0 0, Y = 1 0 0 0: |X.Y| = 1, |X| + |Y| = 3
    assert dice_loss(tensor(FAR, FAR, -FAR, -FAR), tensor(1, 0, 0, 0)).item() == pytest.approx(1 - 2 / 3)


def test_dice_loss_uses_probabilities() -> None:
    # X = .5 .5, Y = 1 0: |X.Y| = .5, |X| + |Y| = 2
    assert dice_loss(tensor(0, 0), tensor(1, 0)).item() == pytest.approx(0.5)


def test_dice_loss_pools_the_batch() -> None:
    # Image 1: X = Y, one pixel. Image 2: X empty, Y three pixels. Pooled 1 - 2 / (1 + 4); the mean of both would be 1/2.
    logits = torch.cat([tensor(FAR, -FAR, -FAR), tensor(-FAR, -FAR, -FAR)])
    truth = torch.cat([tensor(1, 0, 0), tensor(1, 1, 1)])
    assert dice_loss(logits, truth).item() == pytest.approx(0.6)


def test_empty_truth_has_a_finite_loss_and_gradient() -> None:
    logits = tensor(-200.0, -200.0).requires_grad_()  # a probability of exactly 0
    loss = dice_loss(logits, tensor(0, 0))
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(("dice", "bce", "expected"), [(1, 0, 0.5), (0, 1, math.log(2)), (2, 3, 1 + 3 * math.log(2))])
def test_terms_are_weighted(dice: float, bce: float, expected: float) -> None:
    value = mask_loss(tensor(0, 0), tensor(1, 0), loss=Loss(dice=dice, bce=bce))
    assert value.item() == pytest.approx(expected)


def test_total_is_the_sum_over_the_heads() -> None:
    loss = Loss(dice=1, bce=0)
    assert total_loss({"mask": tensor(0, 0)}, {"mask": tensor(1, 0), "label": torch.tensor([0])}, loss=loss).item() == 0.5


def test_half_precision_logits_are_summed_in_full() -> None:
    # 65,536 pixels at probability 1/2: the sum overflows no float32, and would lose digits in bfloat16.
    logits = torch.zeros(1, 1, 256, 256, dtype=torch.bfloat16)
    assert dice_loss(logits, torch.ones(1, 1, 256, 256)).item() == pytest.approx(1 - 2 * 32768 / (32768 + 65536))
