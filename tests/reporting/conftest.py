"""Result files as the earlier stages write them, made up but consistent, so that the report can be tested without training."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brisc.evaluation.segmentation import summarise

LABELS = ("glioma", "meningioma", "no_tumor", "pituitary")
PLANES = ("axial", "coronal", "sagittal")
SUBSETS = ("official", "clean", "strict")
SIDE = 64

Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """build(source="phantom", models=("unet",), images=60, ...) -> a new folder of result files, of the profile demo."""
    numbers = count()

    def write(**kwargs: Any) -> Path:
        return write_results(tmp_path / f"reports-{next(numbers)}" / "demo", **kwargs)

    return write


@pytest.fixture
def published() -> Path:
    """The project's own file of published figures."""
    return Path(__file__).parents[2] / "published.json"


def write_results(
    folder: Path, *, source: str = "phantom", models: tuple[str, ...] = ("unet",), images: int = 60, epochs: int = 3,
    measured: bool = False, audit: bool = False,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True)
    rng = np.random.default_rng([images, epochs])
    tables, metrics, runs, histories = [], {}, {}, []
    for skill, model in enumerate(models):
        table = per_image(model, images, easiness=6 - skill, rng=rng)
        tables.append(table)
        metrics[model] = scores(table) | {"cost": cost(epochs, measured)}
        histories.append(history(model, epochs, rng))
        runs[model] = run(model, epochs, best_epoch=int(histories[-1]["validation_dice"].argmax()) + 1)
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "runs.json", runs)
    write_json(folder / "provenance.json", provenance(source))
    write_json(folder / "validation.json", validation(images))
    if audit:
        write_json(folder / "audit.json", audited(images))
    pd.concat(histories).to_csv(folder / "history.csv", index=False, lineterminator="\n", float_format="%.6g")
    pd.concat(tables).to_csv(folder / "per_image.csv", index=False, lineterminator="\n", float_format="%.6g")
    return folder


def per_image(model: str, images: int, *, easiness: float, rng: np.random.Generator) -> pd.DataFrame:
    """Test and validation rows: a third of the test images is not in clean, every sixth not in strict either."""
    rows = []
    for split, n in (("test", images), ("validation", images // 2)):
        for i in range(n):
            label, plane = LABELS[i % 4], PLANES[i // 4 % 3]
            tumour = label != "no_tumor"
            true = int(rng.lognormal(4, 0.7)) + 5 if tumour else 0
            overlap = int(true * rng.beta(easiness, 1)) if rng.random() > 0.05 else 0
            if tumour:
                predicted = overlap + int(true * rng.uniform(0, 0.2)) * (rng.random() > 0.04)
            else:
                predicted = int(rng.integers(1, 40)) if rng.random() < 0.2 else 0
            clean = split == "test" and i % 3 != 0
            rows.append(
                {
                    "model": model, "id": f"brisc2025_{split}_{i:05d}", "split": split, "label": label, "plane": plane,
                    "group": f"g{i // 2:04d}", "official": int(split == "test"), "clean": int(clean),
                    "strict": int(clean and i % 6 != 1), "true_pixels": true, "predicted_pixels": predicted,
                    "intersection": overlap, "pixels": SIDE**2,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    total = table["true_pixels"] + table["predicted_pixels"]
    empty = total == 0
    table["dice"] = (2 * table["intersection"] / total.where(~empty)).where(~empty, 1.0)
    table["iou"] = (table["intersection"] / (total - table["intersection"]).where(~empty)).where(~empty, 1.0)
    table["hd95_px"] = (12 * (1 - table["dice"])).where((table["true_pixels"] > 0) & (table["predicted_pixels"] > 0))
    table["boundary_dice"] = table["dice"] ** 2
    return table


def scores(table: pd.DataFrame) -> dict[str, Any]:
    official = table[table["official"] == 1]
    weights = official["label"].value_counts().drop("no_tumor").to_dict()
    parts = {name: table[table[name] == 1] for name in SUBSETS} | {"validation": table[table["split"] == "validation"]}
    return {
        name: summarise(part, study_batch_size=16, resamples=50, seed=0, class_weights=weights) for name, part in parts.items()
    }


def cost(epochs: int, measured: bool) -> dict[str, Any]:
    wall = {"seconds": 5160.4, "images_per_second": 15.5, "peak_memory_mb": 1510, "device": "Some Processor", "threads": 2}
    return {
        "parameters": 1_943_921, "epochs": epochs, "images_seen": 255 * epochs, "weights_mb": 7.8,
        **(wall if measured else dict.fromkeys(wall)),
    }  # fmt: skip


def run(model: str, epochs: int, best_epoch: int) -> dict[str, Any]:
    return {
        "parameters": 1_943_921, "epochs": epochs, "best_epoch": best_epoch, "best_validation_dice": 0.8,
        "stopped": "at the last epoch", "train_images": 255, "validation_images": 45, "images_seen": 255 * epochs,
        "run_fingerprint": "r" * 64, "data_fingerprint": "d" * 64, "source_tree": "a" * 40,
        "code": {"training/fit.py": "c" * 40}, "versions": {"python": "3.11.2", "torch": "2.14.1"},
        "run": {
            "model": {"arch": model, "in_channels": 1, "base_channels": 16, "levels": 5},
            "healthy_slices": False,
            "epochs": epochs,
            "optimizer": {"name": "adam", "learning_rate": 1e-4, "weight_decay": 1e-5, "momentum": 0.0},
            "loss": {"dice": 1.0, "bce": 1.0},
        },
        "train": train(),
    }  # fmt: skip


def train() -> dict[str, Any]:
    return {
        "seed": 42, "batch_size": 16, "precision": "bf16-mixed", "accelerator": "cpu", "devices": 1, "channels_last": True,
        "portable_cpu": True, "measure_seconds": False, "early_stopping_patience": 15, "plateau_patience": 7,
        "plateau_factor": 0.5, "plateau_floor": 1e-7,
        "augment": {
            "horizontal_flip": 0.5, "vertical_flip": 0.5, "rotate_degrees": 15.0, "rotate_probability": 0.5,
            "shift_fraction": 0.1, "zoom_fraction": 0.1, "affine_probability": 0.5, "brightness": 0.2, "contrast": 0.2,
            "brightness_contrast_probability": 0.5, "noise_std": [0.01, 0.05], "noise_probability": 0.3,
        },
    }  # fmt: skip


def provenance(source: str) -> dict[str, Any]:
    return {
        "profile": "demo", "source": source, "source_tree": "a" * 40,
        "data": {
            "raw_sha256": "b" * 64, "fingerprint": "d" * 64, "size": SIDE, "vanished_masks": 0,
            "images": {"test": 60, "train": 255, "validation": 45},
        },
        "prepare": {
            "size": SIDE, "fit": "squeeze", "split": "grouped", "prune": "none", "validation_fraction": 0.15, "seed": 42,
        },
        "train": train(),
        "versions": {"python": "3.11.2", "torch": "2.14.1"},
        "device": None,
    }  # fmt: skip


def history(model: str, epochs: int, rng: np.random.Generator) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    fall = np.exp(-epoch / max(4, epochs / 4))
    dice = 0.83 - 0.7 * fall + rng.normal(0, 0.01, epochs)
    return pd.DataFrame(
        {
            "model": model, "epoch": epoch, "learning_rate": np.where(epoch > 0.8 * epochs, 5e-5, 1e-4),
            "train_loss": 0.2 + 0.9 * fall, "validation_loss": 0.3 + 0.8 * fall + rng.normal(0, 0.02, epochs),
            "validation_dice": dice, "best": (dice == dice.max()).astype(int),
        }
    )  # fmt: skip


def validation(images: int) -> dict[str, Any]:
    counts = {f"{label} {plane}": images // 12 for label in LABELS for plane in PLANES}
    return {
        "images": {"train": 5 * images, "test": images},
        "pairs": {"train": 4 * images, "test": 3 * images // 4},
        "by_class_plane": {"train": {key: 5 * n for key, n in counts.items()}, "test": counts},
        "sizes": {"distinct": 2, "most_common": {"512x512": 6 * images - 2, "256x256": 2}},
        "modes": {"L": 5 * images, "RGB": images},
        "orientations": {"glioma": {"1": 2 * images}, "no_tumor": {"1": 4 * images - 3, "6": 3}},
        "mask_values": {"low": {"min": 0, "max": 10}, "high": {"min": 245, "max": 255}},
        "problems": [],
    }


def audited(images: int) -> dict[str, Any]:
    """A third of the test images of each class has a copy in train, as in `per_image`."""
    by_class = {label: images // 12 for label in LABELS}
    total = sum(by_class.values())
    probe = {"accuracy": 0.61, "tumour_auc": 0.9}
    return {
        "exact": {
            "sha256": {"groups": 3, "files": 7, "cross_split_groups": 2},
            "pixels": {"groups": 5, "files": 12, "cross_split_groups": 4},
        },
        "test_with_copy_in_train": {"total": total, **by_class},
        "test_with_copy_in_train_by_relation": {
            "same_bytes": 2, "same_pixels": 2, "reencoded": 6, "mirrored": total - 10,
        },
        "subsets": {
            "official": {"total": images, **{label: images // 4 for label in LABELS}},
            "clean": {"total": images - total, **{label: images // 4 - images // 12 for label in LABELS}},
            "strict": {"total": images // 2, **{label: images // 8 for label in LABELS}},
        },
        "split_leak": {
            "random": {"validation": 45, "copies": 12, "neighbours": 30},
            "grouped": {"validation": 45, "copies": 0, "neighbours": 0},
        },
        "mask_agreement": {"glioma": {"pairs": 12, "dice": 0.93}, "pituitary": {"pairs": 0, "dice": None}},
        "baselines": {"nearest_mask": {"official": {"dice": 0.41}, "clean": {"dice": 0.21}}},
        "shortcut_probe": {"metadata": {"official": probe, "clean": probe}, "margins": {"official": probe, "clean": probe}},
        "similarity": {
            "edges": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], "same_class": [4, 20, 9, 1, total], "other_class": [9, 30, 4, 0, 0],
            "threshold": 0.87,
        },
    }  # fmt: skip


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
