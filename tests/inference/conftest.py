"""A model whose answers can be worked out by hand: tumour is what is brighter than grey 127.5, and the class
follows from the mean grey value."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from brisc.atomic import write_json
from brisc.inference import doubt
from brisc.inference.model import Model, load, sha256
from brisc.vocabulary import LABELS

SIZE = 32


def write_model(folder: Path, *, heads: tuple[str, ...] = ("mask", "label"), fit: str = "squeeze") -> Path:
    """mask: 100 (grey / 255 - 0.5). label: (10, 0, 0, 0) times the mean of grey / 255, at temperature 2."""
    weights = {
        "half": np.array(0.5, np.float32),
        "hundred": np.array(100, np.float32),
        "row": np.array([[10, 0, 0, 0]], np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["image", "half"], ["centred"]),
        helper.make_node("Mul", ["centred", "hundred"], ["mask"]),
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["mean"]),
        helper.make_node("MatMul", ["mean", "row"], ["label"]),
    ]
    shapes = {"mask": ["B", 1, SIZE, SIZE], "label": ["B", len(LABELS)]}
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["B", 1, SIZE, SIZE])],
        [helper.make_tensor_value_info(head, TensorProto.FLOAT, shapes[head]) for head in heads],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    doubt.Doubt(
        mean=np.zeros(256),
        components=np.zeros((1, 256)),
        spread=np.ones(1),
        rest=1.0,
        limits=np.full(2, np.inf),
    ).save(folder / "doubt.npz")
    config = {
        "heads": list(heads),
        "classes": list(LABELS),
        "size": SIZE,
        "fit": fit,
        "threshold": 0.5,
        "temperature": 2.0,
        "source": "brisc2025",
        "files": {name: sha256(folder / name) for name in ("doubt.npz", "model.onnx")},
    }
    write_json(folder / "config.json", config)
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "made" / "joint")


@pytest.fixture
def model(model_folder: Path) -> Model:
    return load(model_folder)
