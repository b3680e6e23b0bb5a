"""What a GPU makes of the training path: `make bench` runs it where there is one, and it runs by itself where
there is neither DVC nor git.

    PYTHONPATH=src python -m bench.gpu [--models unet,...] [--seconds 500] [--quick] [--out FILE]

First each model of the profile at its size: the step alone on one batch and the whole training, against what
this machine's memory and arithmetic allow; then whether a GPU gives the CPU's losses, and each fast way the
plain one's; then the models compiled. Writes FILE after each part and starts none once `seconds` are over.
--quick: tiny nets. Exit code 1 if a result differs by more than its tolerance; no time decides anything.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.limits import Limits, measure_limits, wait_for, work_of
from bench.table import gpu
from bench.ways import NEVER, apart, first_losses, learner_of, made_up, our_curve, try_all, ways
from brisc.config import Run, load, load_params, resolve
from brisc.data.dataset import Batch, Samples
from brisc.models import build
from brisc.training.device import build_fabric, precision_on, to_device
from brisc.training.fit import step, training_batches
from brisc.training.result import processor

Json = dict[str, Any]

# Relative, of any of the first 50 losses in float32: kernels of another device add up in another order.
DEVICES_TOLERANCE = 1e-3
STEPS = 50


@dataclass(frozen=True)
class Extent:
    size: int  # of the images of the models, in pixels
    images: int  # that a model trains on in an epoch
    steps: int  # that are timed of the step alone
    small: int  # side of the images on which ways are compared
    base_channels: int  # of the U-Net by which they are
    copied_megabytes: int
    matrix_side: int


def extent(profile: str, *, quick: bool) -> Extent:
    if quick:
        return Extent(32, 24, 2, 32, 2, copied_megabytes=4, matrix_side=256)
    size = load(profile, "prepare").size
    return Extent(size, 960, 30, 64, 16, copied_megabytes=1024, matrix_side=8192)


def measure(
    runs: dict[str, Run],
    size: Extent,
    *,
    limit: float,
    out: Path | None,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.perf_counter,
) -> Json:
    """{"machine", "devices": [a check], "ways": [checks], "models": {run: {compile: what `tried` gives}}}."""
    began, device = clock(), device_of(any_of(runs))
    torch.backends.cudnn.benchmark = True
    limits = measure_limits(device, megabytes=size.copied_megabytes, side=size.matrix_side)
    results: Json = {"machine": machine(device, limits), "devices": [], "ways": [], "models": {}}
    tell(json.dumps(results["machine"]))
    small = small_run(any_of(runs), size)

    def model(name: str, compile: Any) -> None:
        found = tried(replace(runs[name], compile=compile), size, device, limits)
        results["models"].setdefault(name, {})[compile] = found
        tell(f"{name}, compile {compile}: {json.dumps(found)}")

    def on_devices() -> None:
        results["devices"] = [same_on_devices(small, size, device)]
        tell(json.dumps(results["devices"]))

    def in_ways() -> None:
        results["ways"] = same_ways(small, size, device, tell)

    plain, *compiled = ([partial(model, name, way) for name in runs] for way in compilers(device))
    for part in [*plain, on_devices, in_ways, *itertools.chain(*compiled)]:
        if clock() - began > limit:
            tell("no time left for the rest")
            break
        part()
        keep(results, out)
    return results


def device_of(run: Run) -> torch.device:
    return build_fabric(run, torch.nn.Identity(), devices=1).device


def any_of(runs: dict[str, Run]) -> Run:
    return next(iter(runs.values()))


def compilers(device: torch.device) -> list[Any]:
    return ["none", "default", "graphs"] if device.type == "cuda" else ["none"]


def keep(results: Json, out: Path | None) -> None:
    if out is not None:
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def machine(device: torch.device, limits: Limits) -> Json:
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_gpu else processor(),
        "torch": torch.__version__,
        "gigabytes_per_second": limits.bytes_per_second / 1e9,
        "tera_operations_per_second": {
            name: value / 1e12 for name, value in limits.operations_per_second.items()
        },
    }


def small_run(run: Run, size: Extent) -> Run:
    """A small U-Net at a constant rate, by which ways and devices are compared."""
    model = {"arch": "unet", "in_channels": 1, "base_channels": size.base_channels, "levels": 3}
    return replace(
        run,
        model=model,
        loss=replace(run.loss, dice=1.0, bce=1.0, cross_entropy=0.0, balance="fixed"),
        healthy_slices=False,
        epochs=3,
        batch_size=8,
        accumulate=1,
        schedule="plateau",
        plateau_patience=3,
        warmup=0.0,
        ema_decay=0.0,
        optimizer=replace(run.optimizer, learning_rate=1e-3),
    )


def same_on_devices(run: Run, size: Extent, device: torch.device) -> Json:
    """The first losses on this device and on a CPU, in float32 without TF32, which has ten bits."""
    torch.backends.cudnn.allow_tf32 = False
    samples = made_up(train=64, validation=8, side=size.small)
    plain = replace(run, precision="32-true", compile="none", workers=0)
    on_cpu = first_losses(samples, replace(plain, accelerator="cpu"), steps=STEPS)
    # Where there is no GPU the other memory layout stands for it: other kernels, the same numbers.
    other = plain if device.type == "cuda" else replace(plain, channels_last=not plain.channels_last)
    difference = apart(first_losses(samples, other, steps=STEPS), on_cpu)
    torch.backends.cudnn.allow_tf32 = True
    what = f"losses of {STEPS} steps on {device.type} against those on a CPU"
    return {
        "what": what,
        "difference": difference,
        "tolerance": DEVICES_TOLERANCE,
        "holds": difference <= DEVICES_TOLERANCE,
    }


def same_ways(run: Run, size: Extent, device: torch.device, tell: Callable[[str], None]) -> list[Json]:
    samples = made_up(train=76, validation=16, side=size.small)  # the last batch of an epoch is smaller
    return try_all(ways(samples, run, device), tell)


def tried(run: Run, size: Extent, device: torch.device, limits: Limits) -> Json:
    """A model: images per second of the step alone and of the training, and what the machine allows; or why
    not."""
    precision = precision_on(device, run.precision, build(**run.model))
    work = work_of(run, precision, size=size.size)
    arithmetic, memory = work.images_per_second(limits, precision)
    found: Json = {"precision": precision, "by_arithmetic": arithmetic, "by_memory": memory}
    samples = made_up(train=size.images, validation=16, side=size.size)
    try:
        found["step"] = step_rate(samples, run, size, device)
        # Two epochs: the first chooses kernels, compiles and starts the workers.
        training = replace(run, epochs=2, checkpoint_seconds=NEVER, healthy_slices=True)
        found["training"] = our_curve(samples, training).images_per_second
    except Exception as error:  # whatever a compiler lacks must not end the slot
        found["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if device.type == "cuda":
        found["peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.empty_cache()
    torch.compiler.reset()  # what was compiled for one model is no use to the next
    return found


def step_rate(samples: Samples, run: Run, size: Extent, device: torch.device) -> float:
    """Images per second of forward, loss, backward and optimizer on one batch that never changes."""
    fabric, learner = learner_of(run)
    learner.wrapped.train()
    batch: Batch = next(iter(training_batches(samples, fabric, replace(run, workers=0)).epoch(1)))
    batch = to_device(batch, fabric.device, run.channels_last)

    def steps() -> Iterator[None]:
        while True:
            fabric.backward(learner.criterion(learner.wrapped(batch["image"]), batch))
            step(learner, fabric)
            yield

    for going, count in ((steps(), size.steps // 3 + 1), (steps(), size.steps)):  # the first to warm up
        wait_for(device)
        began = time.perf_counter()
        for _ in range(count):
            next(going)
        wait_for(device)
    return size.steps * len(batch["image"]) / (time.perf_counter() - began)


def ways_here(quick: bool) -> list[Json]:
    """The ways on this machine's device, for `make bench`."""
    size, run = extent("paper", quick=quick), any_of(chosen("paper", ["unet"], quick=quick))
    return same_ways(small_run(run, size), size, device_of(run), print_to_log)


def models_here(quick: bool) -> Json:
    """Everything on this machine's device, for `make bench`."""
    runs = chosen("paper", [], quick=quick)
    return measure(runs, extent("paper", quick=quick), limit=500.0, out=None, tell=print_to_log)


def print_to_log(said: str) -> None:
    print(said, file=sys.stderr, flush=True)


def chosen(profile: str, models: list[str], *, quick: bool) -> dict[str, Run]:
    """One run of each net, or those named; --quick: the demo's small nets."""
    runs: dict[str, Run] = {}
    for name in models or load_params().runs:
        run = resolve("demo" if quick else profile, name).run
        if models or run.model not in [other.model for other in runs.values()]:
            runs[name] = replace(run, portable_cpu=False)
    return runs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.gpu")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--models", default="", help="runs, separated by commas; else one a net")
    parser.add_argument("--seconds", type=float, default=500.0, help="after which no further part starts")
    parser.add_argument("--quick", action="store_true", help="tiny nets on any device: does everything work?")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    out = given.out.resolve() if given.out else None
    os.chdir(Path(__file__).parents[1])  # profiles/ is read from here
    measured = measure(
        chosen(given.profile, [name for name in given.models.split(",") if name], quick=given.quick),
        extent(given.profile, quick=given.quick),
        limit=given.seconds,
        out=out,
        tell=print_to_log,
    )
    print(gpu({"gpu": measured}))
    if not all(check["holds"] for check in measured["devices"] + measured["ways"]):
        sys.exit("error: a way gives other results than the plain one; see above")
