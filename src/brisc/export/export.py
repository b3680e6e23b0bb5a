"""A trained run as files that need no torch: ONNX, safetensors, config.json, and a card for people."""

import json
from dataclasses import replace
from hashlib import sha256 as hashed
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from brisc.atomic import atomic, write_json, write_text
from brisc.config import AnalysePlan
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.evaluation.classification import measure_labels
from brisc.evaluation.segmentation import measure
from brisc.export.card import card
from brisc.export.onnx import compare, onnx_logits, sigmoid, torch_logits, write_onnx
from brisc.inference import doubt
from brisc.inference.model import Model, load, read_config, sha256, softmax
from brisc.training.resume import load_weights
from brisc.vocabulary import HEALTHY, LABELS, VALIDATION

SCORED = ("official", "clean")


def export(
    net: nn.Module,
    samples: Samples,
    out: Path,
    *,
    training: Path,
    evaluated: Path,
    audit: Path,
    plan: AnalysePlan,
) -> None:
    """Write into the folder `out` model.onnx, model.safetensors, doubt.npz, config.json, checks.json and the
    card, README.md. training, evaluated: what those stages left of the run. audit: audit.json.

    Raises InputError for a run without a best epoch, and where the ONNX file differs from the net.
    """
    summary, metrics = (_read(path) for path in (training / "summary.json", evaluated / "metrics.json"))
    if summary["best_epoch"] is None or "official" not in metrics:
        raise InputError(
            "a run that has no net to export",
            where=evaluated,
            got="no results on test",
            expected="a training that did not diverge, judged on test",
            mend="Name another run under export in params.yaml.",
        )
    load_weights(net, training / "weights.pt")
    net.eval().requires_grad_(False)
    with atomic(out) as folder:
        folder.mkdir()
        write_onnx(net, folder / "model.onnx", heads=summary["heads"], size=samples.images.shape[1])
        state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
        (folder / "model.safetensors").write_bytes(save(state, metadata={"format": "pt"}))
        rows = samples.rows("train", healthy=True), samples.rows(VALIDATION, healthy=True)
        doubt.fit(*(np.asarray(samples.images[each]) for each in rows)).save(folder / "doubt.npz")
        write_json(folder / "config.json", _config(folder, out, summary, metrics, samples, plan))
        # One thread, so that a repetition gives the same bits.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        model = load(folder)
        session = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        checks = check(replace(model, session=session), net, samples, metrics, out)
        write_json(folder / "checks.json", checks)
        write_text(
            folder / "README.md",
            card(
                "/".join(out.parts[-2:]),
                config=read_config(folder),
                checks=checks,
                metrics=metrics,
                audit=_read(audit),
                images=_read(evaluated / "data.json")["images"],
                parameters=summary["parameters"],
            ),
        )


def check(
    model: Model, net: nn.Module, samples: Samples, metrics: dict[str, Any], out: Path
) -> dict[str, Any]:
    """The content of checks.json: the gate on validation, scores of the ONNX file beside the evaluated ones,
    how often the doubt score speaks."""
    seen = _images(samples, samples.rows(VALIDATION, healthy=True))
    difference = compare(torch_logits(net, seen), onnx_logits(model, seen), out / "model.onnx")
    scores = {subset: _scores(model, samples, subset, metrics) for subset in SCORED}
    clean = _images(samples, np.flatnonzero(samples.table["clean"] == 1))
    return {
        # An upper bound in whole powers of ten, since the digits below depend on the processor.
        "difference_at_most": float(f"1e{int(np.ceil(np.log10(max(difference, 1e-9))))}"),
        "validation_images": len(seen),
        "scores": scores,
        "doubt": {
            "clean": _rate(model, clean),
            "inverted": _rate(model, 255 - clean),
            "upside_down": _rate(model, clean[:, ::-1]),
            "validation": _rate(model, seen),
        },
    }


def _config(
    folder: Path,
    out: Path,
    summary: dict[str, Any],
    metrics: dict[str, Any],
    samples: Samples,
    plan: AnalysePlan,
) -> dict[str, Any]:
    settings = {"settings": summary["settings"], "code": summary["code"]}
    return {
        "name": "/".join(out.parts[-2:]),
        "architecture": summary["settings"]["model"],
        "heads": summary["heads"],
        "classes": list(LABELS),
        "size": samples.images.shape[1],
        "fit": plan.prepare.fit,
        "threshold": plan.evaluate.threshold,
        "temperature": metrics.get("temperature", 1.0),
        "source": plan.source,
        "data_fingerprint": summary["data_fingerprint"],
        "run_fingerprint": summary["run_fingerprint"],
        "plan": hashed(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "files": {name: sha256(folder / name) for name in ("doubt.npz", "model.onnx", "model.safetensors")},
    }


def _scores(model: Model, samples: Samples, subset: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """By primary metric: as evaluated, in the precision of training, and of the exported file."""
    rows = np.flatnonzero(samples.table[subset] == 1)
    logits = onnx_logits(model, _images(samples, rows))
    labels = samples.table["label"].to_numpy()[rows]
    found: dict[str, float] = {}
    if "mask" in logits:
        mask = sigmoid(logits["mask"]) > model.config["threshold"]
        dice = measure(mask, np.asarray(samples.masks[rows]) > 0)["dice"]
        found["dice_per_image"] = float(dice[labels != HEALTHY].mean())
    if "label" in logits:
        predicted = measure_labels(softmax(logits["label"]))["predicted"]
        found["accuracy"] = float((predicted.to_numpy() == labels).mean())
    return {name: {"evaluated": metrics[subset][name], "exported": value} for name, value in found.items()}


def _rate(model: Model, squares: NDArray[np.uint8]) -> dict[str, Any]:
    flagged = model.doubt.scores(squares) > model.doubt.threshold
    return {"n": len(squares), "flagged": int(flagged.sum())}


def _images(samples: Samples, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    return np.asarray(samples.images[rows])


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
