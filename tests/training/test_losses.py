"""Losses against values worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

from brisc.config import Loss
from brisc.errors import InputError
from brisc.training.losses import TotalLoss, dice_loss, label_loss, mask_loss

MASK = Loss(dice=1.0, bce=0.0, cross_entropy=0.0, balance="fixed")
BOTH = Loss(dice=1.0, bce=0.0, cross_entropy=2.0, balance="fixed")

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
    # Image 1: X = Y, one pixel. Image 2: X empty, Y three pixels. Pooled 1 - 2 / (1 + 4); the mean of both
    # would be 1/2.
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


@pytest.mark.parametrize(
    ("dice", "bce", "expected"), [(1, 0, 0.5), (0, 1, math.log(2)), (2, 3, 1 + 3 * math.log(2))]
)
def test_terms_are_weighted(dice: float, bce: float, expected: float) -> None:
    value = mask_loss(tensor(0, 0), tensor(1, 0), loss=replace(MASK, dice=dice, bce=bce))
    assert value.item() == pytest.approx(expected)


def test_label_loss_by_hand() -> None:
    # Softmax of (0, log 3) is (1/4, 3/4): cross-entropy log 4 of the first class and log 4/3 of the second,
    # twice their mean.
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    value = label_loss(logits, torch.tensor([0, 1]), loss=BOTH)
    assert value.item() == pytest.approx(math.log(4) + math.log(4 / 3))


def joint() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Logits and truth with a Dice loss of 1/2 and a cross-entropy of log 2."""
    logits = {"mask": tensor(0, 0), "label": torch.zeros(1, 2)}
    return logits, {"mask": tensor(1, 0), "label": torch.tensor([0]), "image": torch.zeros(1)}


def test_total_is_the_sum_over_the_heads() -> None:
    assert TotalLoss(BOTH)(*joint()).item() == pytest.approx(0.5 + 2 * math.log(2))
    logits, truth = joint()
    assert TotalLoss(MASK)({"mask": logits["mask"]}, truth).item() == 0.5


def test_uncertainty_weighting_by_hand() -> None:
    # exp(-s) L + s / 2 with s = 0 for the mask and log 2 for the label: 1/2 + (2 log 2) / 2 + log(2) / 2.
    total = TotalLoss(replace(BOTH, balance="uncertainty"))
    with torch.no_grad():
        total.log_variance["label"].fill_(math.log(2))
    value = total(*joint())
    assert value.item() == pytest.approx(0.5 + 1.5 * math.log(2))
    value.backward()
    # d/ds = -exp(-s) L + 1/2
    assert total.log_variance["mask"].grad.item() == pytest.approx(-0.5 + 0.5)
    assert total.log_variance["label"].grad.item() == pytest.approx(-math.log(2) + 0.5)


def test_fixed_balance_learns_nothing() -> None:
    assert list(TotalLoss(BOTH).parameters()) == []


@pytest.mark.parametrize(
    ("loss", "heads", "got", "expected"),
    [
        (MASK, ("label",), "mask", "label"),
        (BOTH, ("mask",), "label, mask", "mask"),
        (MASK, ("label", "mask"), "mask", "label, mask"),
    ],
)
def test_loss_and_net_must_have_the_same_heads(
    loss: Loss, heads: tuple[str, ...], got: str, expected: str
) -> None:
    logits, truth = joint()
    with pytest.raises(
        InputError, match=f"different heads: got weights above 0 for {got}, expected for {expected}"
    ):
        TotalLoss(loss)({head: logits[head] for head in heads}, truth)


def test_half_precision_logits_are_summed_in_full() -> None:
    # 65,536 pixels at probability 1/2: the sum overflows no float32, and would lose digits in bfloat16.
    logits = torch.zeros(1, 1, 256, 256, dtype=torch.bfloat16)
    assert dice_loss(logits, torch.ones(1, 1, 256, 256)).item() == pytest.approx(
        1 - 2 * 32768 / (32768 + 65536)
    )
