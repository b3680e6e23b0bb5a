"""What a finished training leaves: weights, history, summary, cost."""

import platform
import resource
import shutil
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from brisc.atomic import atomic, write_json
from brisc.config import Run, TrainingPlan
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.training import resume
from brisc.training.device import precision_on
from brisc.training.validation import validation_table
from brisc.vocabulary import HEADS, VALIDATION

RECORDS = ("cost.json", "history.csv", "summary.json")

COST = ("device", "threads", "precision", "seconds", "images_per_second", "peak_memory_mb")


def write_result(
    net: nn.Module,
    samples: Samples,
    out: Path,
    progress: dict[str, Any],
    device: torch.device,
    *,
    plan: TrainingPlan,
    fingerprint: str,
    keep_weights: bool,
) -> None:
    """The files of a finished run, in one folder that appears whole. `progress`: the fields of fit.Progress.

    history.csv, summary.json, cost.json; of the best epoch, where there is one, validation.csv, the score of
    each validation image, and weights.pt where weights are kept, which is empty where there is no best epoch.
    """
    run, best = plan.run, progress["best"]
    rows = pd.DataFrame(progress["history"])
    rows["best"] = (rows["epoch"] == best["epoch"]).astype(int)
    content = summary(net, samples, rows, progress, plan, fingerprint)
    measured: dict[str, Any] = dict.fromkeys(COST)
    if run.measure_seconds:
        measured = cost(net, device, run, content["images_seen"], progress["seconds"])
    with atomic(out) as folder:
        folder.mkdir()
        if keep_weights:
            weights = {name: tensor.contiguous() for name, tensor in best.get("weights", {}).items()}
            resume.save(folder / "weights.pt", weights)
        if best["epoch"]:
            table = validation_table(samples, run, best["images"])
            table.to_csv(folder / "validation.csv", index=False, lineterminator="\n", float_format="%.6g")
        rows.to_csv(folder / "history.csv", index=False, lineterminator="\n", float_format="%.6g")
        write_json(folder / "summary.json", content)
        write_json(folder / "cost.json", measured)


def summary(
    net: nn.Module,
    samples: Samples,
    rows: pd.DataFrame,
    progress: dict[str, Any],
    plan: TrainingPlan,
    fingerprint: str,
) -> dict[str, Any]:
    """The content of summary.json. rows: the history."""
    run, best, epochs = plan.run, progress["best"], len(rows)
    train_images = len(samples.rows("train", healthy=run.healthy_slices))
    ended = "finished" if epochs == run.epochs else "early"
    return {
        "heads": [head.name for head in HEADS.values() if f"validation_{head.score}" in rows],
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "epochs": epochs,
        "best_epoch": best["epoch"] or None,
        "best_validation_score": best["score"] if best["epoch"] else None,
        "diverged_at": progress["diverged_at"] or None,
        "stopped": "diverged" if progress["diverged_at"] else ended,
        "train_images": train_images,
        "validation_images": len(samples.rows(VALIDATION, healthy=run.healthy_slices)),
        "images_seen": train_images * epochs,
        "run_fingerprint": fingerprint,
        "data_fingerprint": samples.fingerprint,
        "versions": versions(),
        "settings": asdict(run),
        "code": plan.code,
    }


def versions() -> dict[str, str]:
    """Of what a training is computed with. Raises InputError where a package was installed without saying its
    version."""
    try:
        fabric = version("lightning-fabric")
    except PackageNotFoundError:
        raise InputError(
            "a package without metadata",
            where="lightning-fabric",
            got="its code, and no lightning_fabric-*.dist-info beside it",
            expected="both",
            mend="Install it with pip, not by copying its folder.",
        ) from None
    return {"python": platform.python_version(), "torch": torch.__version__, "lightning-fabric": fabric}


def copy_records(training: Path, out: Path) -> None:
    """Copy into the folder `out` all that `write_result` left in `training` but the weights: what a report
    reads of a training.

    With the records beside them, the results of a training are complete where its weights, which are large,
    are not at hand.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        shutil.copyfile(training / name, out / name)


def cost(net: nn.Module, device: torch.device, run: Run, images_seen: int, seconds: float) -> dict[str, Any]:
    """Wall time of all epochs, validation included, over interruptions; peak memory of the last session."""
    on_gpu = device.type == "cuda"
    peak = (
        torch.cuda.max_memory_allocated()
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return {
        "device": torch.cuda.get_device_name() if on_gpu else processor(),
        "threads": torch.get_num_threads(),
        "precision": precision_on(device, run.precision, net),
        "seconds": round(seconds, 1),
        "images_per_second": round(images_seen / seconds, 1),
        "peak_memory_mb": round(peak / 2**20),
    }


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
