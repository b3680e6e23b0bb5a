"""What the step of a training gains from each choice, how it grows, and how fast images are prepared and
predicted.

Each function is meant for a fresh process (bench.race.in_child) and returns plain numbers.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from bench.material import strangers
from bench.race import alternate, peak_mb, rate
from bench.training import Job, Step, first_batch
from brisc.config import Audit, Evaluate, Run
from brisc.data.cache import prepare
from brisc.data.dataset import Batch
from brisc.data.similarity import read_views, register, screen
from brisc.evaluation.predict import Inference, predict
from brisc.models import build
from brisc.progress import silent
from stages.command import keep_freed_memory

PATIENCE = 10.0  # seconds; a step this long is not repeated


def choices(job: Job, rounds: int, compiler: bool) -> dict[str, Any]:
    """Images per second of the step as it is and with one thing different, and what compiling takes."""
    keep_freed_memory()
    batch, run = first_batch(job), job.run
    steps: dict[str, Callable[[], int]] = {
        "ours": Step(run, batch),
        "other memory layout": Step(replace(run, channels_last=not run.channels_last), batch),
        "bf16-mixed": Step(replace(run, precision="bf16-mixed"), batch),
        "Adam not fused": Step(run, batch, fused=False),
        "twice the batch": Step(run, {name: torch.cat([value, value]) for name, value in batch.items()}),
    }
    compile_seconds = None
    if compiler and shutil.which("g++") is not None:
        compiled = Step(run, batch, compiled=True)
        began = time.perf_counter()
        compiled()
        compile_seconds = time.perf_counter() - began
        steps["torch.compile"] = compiled
    laps = alternate(steps, rounds=rounds, patience=PATIENCE)
    return {
        "images_per_second": {name: rate(done) for name, done in laps.items()},
        "compile_seconds": compile_seconds,
    }


def models(job: Job, runs: dict[str, Run], rounds: int) -> dict[str, dict[str, float]]:
    """{model: images per second of its training step, in either memory layout}, for models of the profile."""
    keep_freed_memory()
    batch, found = first_batch(job), {}
    for name, run in runs.items():
        layouts: dict[str, Callable[[], int]] = {
            layout: Step(replace(run, channels_last=layout == "channels last"), batch)
            for layout in ("channels last", "NCHW")
        }
        found[name] = {
            layout: rate(laps)
            for layout, laps in alternate(layouts, rounds=rounds, patience=PATIENCE).items()
        }
    return found


def growth(job: Job, sides: list[int], widths: list[int], images: int) -> list[dict[str, float]]:
    """Seconds per image and peak memory of the step over sides in pixels, or over base widths; one of the
    lists has one element.

    Peak memory only grows in a process, so sizes go up, and sides and widths belong in different calls.
    """
    keep_freed_memory()
    batch = {name: value[:images] for name, value in first_batch(job).items()}
    found = []
    for side in sides:
        for width in widths:
            run = replace(job.run, model=job.run.model | {"base_channels": width})
            laps = alternate({"step": Step(run, resized(batch, side))}, rounds=2, patience=PATIENCE)["step"]
            size = side if len(sides) > 1 else width
            found.append({"size": size, "seconds": 1 / rate(laps), "peak_mb": peak_mb()})
    return found


def resized(batch: Batch, side: int) -> Batch:
    return {
        "image": functional.interpolate(batch["image"], (side, side), mode="bilinear"),
        "mask": functional.interpolate(batch["mask"], (side, side)),
        "label": batch["label"],
    }


def evaluating(job: Job, settings: Evaluate, rounds: int) -> dict[str, float]:
    """Images per second of prediction from the cache, and of the net alone on one batch of the same size."""
    keep_freed_memory()
    samples, _ = job.material.samples(3 * settings.batch_size)
    rows = samples.rows("train", healthy=False)
    net = Inference(build(**job.run.model), job.run)
    image = torch.from_numpy(samples.images[rows[: settings.batch_size]]).unsqueeze(1).float().div_(255)

    def all_rows() -> int:
        predict(net, samples, rows, settings=settings)
        return len(rows)

    @torch.no_grad()
    def net_alone() -> int:
        net(image)
        return len(image)

    laps = alternate({"predict": all_rows, "net alone": net_alone}, rounds=rounds, patience=PATIENCE)
    return {name: rate(done) for name, done in laps.items()}


def preparing(job: Job, rounds: int) -> float:
    """Images per second from the archive to the decoded cache, masks included."""
    index = job.material.index()

    def all_images() -> int:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "cache"
            prepare(
                job.material.folder / "raw.zip",
                index,
                strangers(index),
                out,
                native=Path(folder) / "masks.npz",
                prepare=job.material.prepare,
                track=silent,
            )
        return len(index)

    return rate(alternate({"prepare": all_images}, rounds=rounds, patience=PATIENCE)["prepare"])


def searching(raw: Path, index: pd.DataFrame, audit: Audit, sizes: list[int]) -> list[dict[str, float]]:
    """Seconds of the audit's search for copies over the number of images, which are spread evenly over the
    archive."""
    found = []
    for size in sizes:
        chosen = index.iloc[np.linspace(0, len(index) - 1, size).astype(int)].reset_index(drop=True)
        began = time.perf_counter()
        views = read_views(raw, chosen, track=silent)
        register(views, screen(views, chosen["split"].to_numpy(), audit=audit, track=silent), track=silent)
        found.append({"size": size, "seconds": time.perf_counter() - began})
    return found
