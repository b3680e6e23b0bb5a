"""An exported net says what the net says, and the gate notices where it does not."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from brisc.errors import InputError
from brisc.evaluation.statistics import wilson
from brisc.export.card import card, interval
from brisc.export.onnx import compare, onnx_logits, torch_logits, write_onnx
from brisc.inference import doubt
from brisc.inference.model import CONFIG, load, sha256
from brisc.models import build
from brisc.vocabulary import LABELS, TUMOURS

SIZE = 32
IMAGES = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE), np.uint8)
NETS = {
    "joint": {"base_channels": 4, "levels": 3, "classes": 4, "heads": ["mask", "label"]},
    "mobilenetv2": {"classes": 4, "width_multiplier": 0.25, "depth_multiplier": 0.1, "pretrained": False},
}


@pytest.mark.parametrize("arch", NETS)
def test_the_file_gives_what_the_net_gives_for_any_batch(tmp_path: Path, arch: str) -> None:
    torch.manual_seed(0)
    net = build(arch, in_channels=1, **NETS[arch]).eval()
    heads = ["mask", "label"] if arch == "joint" else ["label"]
    write_onnx(net, tmp_path / "model.onnx", heads=heads, size=SIZE)
    doubt.fit(IMAGES, IMAGES).save(tmp_path / "doubt.npz")
    config = dict.fromkeys(CONFIG) | {
        "heads": heads,
        "files": {name: sha256(tmp_path / name) for name in ("doubt.npz", "model.onnx")},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    expected = torch_logits(net, IMAGES)
    found = onnx_logits(load(tmp_path), IMAGES)
    assert list(found) == heads
    assert found["label"].shape == (5, 4)
    assert compare(expected, found, tmp_path) < 1e-4
    # Nothing of the machine that exported it.
    proto = onnx.load(tmp_path / "model.onnx")
    assert not proto.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in proto.graph.node)
    assert str(Path(__file__).parents[2]).encode() not in (tmp_path / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("head", "net", "file", "right"),
    [
        # At a logit of 0 a probability changes by a quarter of the logit's change.
        ("mask", 0.0, 0.0003, True),
        ("mask", 0.0, 0.0005, False),
        ("mask", 0.0, float("nan"), False),
    ],
)
def test_the_gate_is_at_a_ten_thousandth(head: str, net: float, file: float, right: bool) -> None:
    one, other = ({head: np.full((1, 2, 2), value)} for value in (net, file))
    if right:
        assert compare(one, other, Path("x")) == pytest.approx(file / 4, rel=1e-3)
    else:
        with pytest.raises(InputError, match="does not say what the net says"):
            compare(one, other, Path("x"))


def test_the_gate_notices_another_label_at_almost_the_same_probabilities() -> None:
    one = {"label": np.array([[1.00001, 1.0, 0, 0]])}
    other = {"label": np.array([[1.0, 1.00001, 0, 0]])}
    with pytest.raises(InputError, match="1 labels changed"):
        compare(one, other, Path("x"))


def test_a_card_has_the_scores_the_limits_and_the_licence() -> None:
    low, high = wilson(1, 4)
    of_a_subset = {
        "dice_per_image": 0.5,
        "dice_per_image_low": 0.25,
        "dice_per_image_high": 0.75,
        "by_class": {label: {"dice_per_image": 0.5} for label in TUMOURS},
        "false_alarms": {"n": 4, "images": 1, "rate": 0.25, "low": low, "high": high},
    }
    assert interval(of_a_subset, "dice_per_image") == "50.00 [25.00, 75.00]"
    text = card(
        "laptop/unet",
        config={
            "heads": ["mask"],
            "architecture": {"arch": "unet"},
            "size": 128,
            "fit": "squeeze",
            "source": "brisc2025",
            "temperature": 1.0,
            "plan": "p" * 64,
            "data_fingerprint": "d" * 64,
        },
        checks={
            "validation_images": 7,
            "difference_at_most": 1e-5,
            "scores": {"clean": {"dice_per_image": {"evaluated": 0.123, "exported": 0.124}}},
            "doubt": {
                name: {"n": 10, "flagged": count}
                for name, count in (("clean", 3), ("inverted", 10), ("upside_down", 4), ("validation", 1))
            },
        },
        metrics={subset: of_a_subset for subset in ("official", "clean", "strict", "validation")},
        audit={"test_with_copy_in_train": {"total": 594}},
        images={"train": 100, "validation": 10, "test": 1000},
        parameters=1234,
    )
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert "license: mit" in head.splitlines()
    assert "briscdataset/brisc2025" in head
    for part in (
        "594",
        "50.00 [25.00, 75.00]",
        "1 of 4",
        "12.30 | 12.40",
        "CC BY 4.0",
        "Not a medical device",
    ):
        assert part in body
    assert "phantom" not in body
    assert all(label in body for label in LABELS)
