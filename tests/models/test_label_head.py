"""Hidden layers before the classes, by hand."""

import pytest
import torch

from brisc.errors import InputError
from brisc.label_head import label_head


def test_hidden_layers_with_relu_between_and_dropout_before() -> None:
    head = label_head(2, 1, head_units=[2], dropout=[0.0, 0.5], arch="timm")
    kinds = ["Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in head] == kinds
    with torch.no_grad():
        head[1].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
        head[1].bias.zero_()
        head[4].weight.copy_(torch.tensor([[2.0, 10.0]]))
        head[4].bias.fill_(0.5)
    features = torch.tensor([[1.0, 3.0]])  # hidden: 4, and -2, which ReLU cuts
    torch.testing.assert_close(head.eval()(features), torch.tensor([[8.5]]))
    torch.manual_seed(0)
    assert {head.train()(features).item() for _ in range(50)} == {0.5, 16.5}  # dropped, or twice as much


def test_without_hidden_layers_it_is_one_linear_layer() -> None:
    assert [
        type(layer).__name__ for layer in label_head(2, 3, head_units=[], dropout=[0.0], arch="timm")
    ] == [
        "Dropout",
        "Linear",
    ]


@pytest.mark.parametrize("dropout", [[], [0.5], [0.0, 0.5, 0.5], [0.0, 1.0], [-0.1, 0.0]])
def test_a_rate_for_each_linear_layer(dropout: list[float]) -> None:
    with pytest.raises(InputError, match="2 rates from 0 to below 1"):
        label_head(4, 3, head_units=[2], dropout=dropout, arch="timm")
