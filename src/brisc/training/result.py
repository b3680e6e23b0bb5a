"""What a finished training leaves: weights, history, summary, cost."""

import platform
import resource
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Run, Train
from brisc.data.dataset import Samples
from brisc.sources import PACKAGE, git_tree, training_sources
from brisc.training import resume
from brisc.training.device import precision_on

RECORDS = ("cost.json", "history.csv", "summary.json")

COST = ("device", "threads", "precision", "seconds", "images_per_second", "peak_memory_mb")


def write_result(
    net: nn.Module,
    samples: Samples,
    out: Path,
    progress: dict[str, Any],
    device: torch.device,
    *,
    run: Run,
    train: Train,
    fingerprint: str,
) -> None:
    """The four files of a finished run, in one folder that appears whole. `progress` holds the fields of
    fit.Progress.

    A run that diverged in its first epoch has no best one: its weights.pt is empty.
    """
    best, epochs = progress["best"], len(progress["history"])
    train_images = len(samples.rows("train", healthy=run.healthy_slices))
    rows = pd.DataFrame(progress["history"])
    rows["best"] = (rows["epoch"] == best["epoch"]).astype(int)
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning-fabric": version("lightning-fabric"),
    }
    summary = {
        "heads": [
            head
            for head, column in (("mask", "dice"), ("label", "accuracy"))
            if f"validation_{column}" in rows
        ],
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "epochs": epochs,
        "best_epoch": best["epoch"] or None,
        "best_validation_score": best["score"] if best["epoch"] else None,
        "diverged_at": progress["diverged_at"] or None,
        "stopped": "diverged"
        if progress["diverged_at"]
        else "at the last epoch"
        if epochs == run.epochs
        else "early",
        "train_images": train_images,
        "validation_images": len(samples.rows("validation", healthy=run.healthy_slices)),
        "images_seen": train_images * epochs,
        "run_fingerprint": fingerprint,
        "data_fingerprint": samples.fingerprint,
        "source_tree": git_tree(PACKAGE / "training"),
        "code": training_sources(run.model["arch"]),
        "versions": versions,
        "run": asdict(run),
        "train": asdict(train),
    }
    seconds = progress["seconds"]
    measured = (
        cost(device, train.precision, train_images * epochs, seconds)
        if train.measure_seconds
        else dict.fromkeys(COST)
    )
    with atomic(out) as folder:
        folder.mkdir()
        resume.save(
            folder / "weights.pt", {name: tensor.contiguous() for name, tensor in best["weights"].items()}
        )
        rows.to_csv(folder / "history.csv", index=False, lineterminator="\n", float_format="%.6g")
        write_json(folder / "summary.json", summary)
        write_json(folder / "cost.json", measured)


def copy_records(training: Path, out: Path) -> None:
    """Copy into the folder `out` all that `write_result` left in `training` but the weights: what a report
    reads of a training.

    With the records beside them, the results of a training are complete where its weights, which are large,
    are not at hand.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        shutil.copyfile(training / name, out / name)


def cost(
    device: torch.device,
    precision: Literal["32-true", "bf16-mixed", "auto"],
    images_seen: int,
    seconds: float,
) -> dict[str, Any]:
    """Wall time of all epochs, validation included, over interruptions; peak memory of the last session."""
    on_gpu = device.type == "cuda"
    peak = (
        torch.cuda.max_memory_allocated()
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    name = torch.cuda.get_device_name() if on_gpu else processor()
    values = (
        name,
        torch.get_num_threads(),
        precision_on(device, precision),
        round(seconds, 1),
        round(images_seen / seconds, 1),
        round(peak / 2**20),
    )
    return dict(zip(COST, values, strict=True))


def processor() -> str:
    """The processor's marketing name, which platform.processor() leaves empty on Linux."""
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    return names[0] if names else platform.machine()
