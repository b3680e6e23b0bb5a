"""An exported model: its files, checked, and what it says of images."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from brisc.data.picture import Fit, from_square, to_square
from brisc.errors import InputError
from brisc.inference import doubt

BATCH = 16
CONFIG = ("heads", "classes", "size", "fit", "threshold", "temperature", "source", "files")
SMALLEST = 1e-300  # a probability of 0 has no logarithm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """What is found in one image: the mask (H, W) at its own size and the probability of each class, where
    the model has such a head; how unlike the training images it is."""

    mask: NDArray[np.bool_] | None
    probabilities: dict[str, float] | None
    doubt: float


@dataclass(frozen=True)
class Model:
    """name: "<profile>/<run>". config: the content of config.json."""

    name: str
    config: dict[str, Any]
    session: onnxruntime.InferenceSession
    doubt: doubt.Doubt

    @property
    def classes(self) -> list[str]:
        return list(self.config["classes"]) if "label" in self.config["heads"] else []

    def logits(self, squares: NDArray[np.uint8]) -> dict[str, Array]:
        """By head: (N, S, S) of "mask", (N, K) of "label", of images (N, S, S) as `to_square` makes them."""
        heads = self.config["heads"]
        image = squares[:, None].astype(np.float32) / np.float32(255)
        found = dict(zip(heads, self.session.run(heads, {"image": image}), strict=True))
        return {head: (x[:, 0] if head == "mask" else x).astype(np.float64) for head, x in found.items()}

    def square(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture (H, W) as the model sees it."""
        seen: NDArray[np.uint8] = to_square(grey, size=self.config["size"], fit=self.fit)
        return seen

    @property
    def fit(self) -> Fit:
        fit: Fit = self.config["fit"]
        return fit

    def find(self, pictures: list[NDArray[np.uint8]]) -> list[Finding]:
        """Of pictures (H, W) uint8 of any sizes, at most BATCH of them in memory as squares."""
        findings: list[Finding] = []
        for start in range(0, len(pictures), BATCH):
            part = pictures[start : start + BATCH]
            squares = np.stack([self.square(picture) for picture in part])
            logits, scores = self.logits(squares), self.doubt.scores(squares)
            for k, picture in enumerate(part):
                mask = self._mask(logits["mask"][k], picture.shape) if "mask" in logits else None
                given = self._probabilities(logits["label"][k]) if "label" in logits else None
                findings.append(Finding(mask, given, float(scores[k])))
        return findings

    def _mask(self, logits: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Cut at the threshold only once it has the picture's size, as `dice_native` is measured."""
        threshold = self.config["threshold"]
        found: NDArray[np.bool_] = from_square(logits, shape=shape, fit=self.fit) > math.log(
            threshold / (1 - threshold)
        )
        return found

    def _probabilities(self, logits: Array) -> dict[str, float]:
        """At the temperature that was fitted on validation."""
        given = softmax(logits / self.config["temperature"])
        return dict(zip(self.classes, given.tolist(), strict=True))


def softmax(logits: Array) -> Array:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    given: Array = powers / powers.sum(axis=-1, keepdims=True)
    return given


def load(folder: Path) -> Model:
    """The exported model of that folder; InputError where a file is missing or is not the exported one."""
    config = read_config(folder)
    for name, digest in config["files"].items():
        path = folder / name
        found = sha256(path) if path.is_file() else "no such file"
        if found != digest:
            raise InputError(
                "a file of the model is not the one that was exported",
                where=path,
                got=found,
                expected=f"SHA-256 {digest}",
                mend="Pull or export the model again: dvc repro export@<profile>-<run>.",
            )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return Model("/".join(folder.resolve().parts[-2:]), config, session, doubt.load(folder / "doubt.npz"))


def read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name in CONFIG if name not in config]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
    except (OSError, ValueError) as error:
        raise InputError(
            "no exported model",
            where=path,
            got=" ".join(str(error).split()),
            expected="the config.json that the stage export writes",
            mend="Run dvc repro export@<profile>-<run>, or dvc pull --remote kept.",
        ) from None
    return config


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def available(roots: list[Path]) -> dict[str, Path]:
    """{"<profile>/<run>": folder} of every exported model below these roots; an earlier root counts first."""
    found: dict[str, Path] = {}
    for root in roots:
        for config in sorted(root.glob("*/*/config.json")):
            found.setdefault("/".join(config.parent.parts[-2:]), config.parent)
    return dict(sorted(found.items()))


def choose(name: str, models: dict[str, Path]) -> Path:
    """The folder of that name: a path, "<profile>/<run>", or "<run>" alone where one profile has it.

    Where several have it, those that were trained on patients' images come before those of phantoms.
    """
    if (Path(name) / "config.json").is_file():
        return Path(name)
    fitting = [key for key in models if name in (key, key.split("/")[1])]
    real = [key for key in fitting if read_config(models[key])["source"] != "phantom"]
    choice = real or fitting
    if len(choice) != 1:
        raise InputError(
            "no such model" if not choice else "several models of that name",
            where="--model",
            got=name if not choice else ", ".join(choice),
            expected=f"one of {', '.join(models) or 'none: no model is exported yet'}",
            mend="Name one that brisc models lists, or export one: dvc repro export@<profile>-<run>.",
        )
    return models[choice[0]]
