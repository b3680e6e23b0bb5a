"""make bench: how fast, in one run and as ratios, and whether the fast ways give the plain ways' results.

    python -m bench.speed [--quick] [--full] [--out FILE]

Images are generated phantoms of 512 px, or one in ten of BRISC_ARCHIVE where that is set; settings are those
of the laptop profile. Writes bench/results.json and prints it as tables. --quick: small nets and few rounds,
to see that everything works; its times mean nothing, and nothing is written without --out. --full: the whole
demo instead of one model for one epoch, and torch.compile, which takes a minute to compile. Exit code 1 if a
result differs by more than its tolerance; no time decides anything.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bench import gpu, same, steps
from bench.material import Material, collect
from bench.race import exponent, in_child, race, rate, ratio
from bench.stages import ROOT, Workspace, measure
from bench.table import markdown
from bench.training import Job, contestants
from brisc.atomic import write_json
from brisc.config import Splits, load, resolve
from brisc.training.result import processor

Json = dict[str, Any]


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    pixels: int
    base_channels: int
    side: int  # of the phantoms' files, in pixels
    slices: Splits  # how many of them
    rounds: int
    batches: int  # in a contestant's turn
    start_ups: int
    epochs: int  # of the loss curves that are compared
    curve_images: int
    sides: list[int]
    widths: list[int]
    growth_images: int  # in a batch: it must fit in memory at the largest side
    searched: list[int]  # images
    quick: bool  # tiny nets to compare the ways to train with, and for a GPU


def usual() -> Extent:
    """The laptop profile's U-Net; about ten minutes on two old cores."""
    return Extent(
        pixels=load("laptop", "prepare").size,
        base_channels=resolve("laptop", "unet").run.model["base_channels"],
        side=512,  # of most images of BRISC 2025
        slices=Splits(train=56, test=18),
        rounds=3,
        batches=4,
        start_ups=1,
        epochs=2,
        curve_images=64,
        sides=[64, 128, 256],
        widths=[8, 16, 32],
        growth_images=4,
        searched=[50, 100, 200],
        quick=False,
    )


def quick() -> Extent:
    return Extent(
        pixels=64,
        base_channels=4,
        side=128,
        slices=Splits(train=40, test=14),
        rounds=2,
        batches=2,
        start_ups=1,
        epochs=2,
        curve_images=32,
        sides=[32, 64],
        widths=[4, 8],
        growth_images=4,
        searched=[30, 60],
        quick=True,
    )


def main(extent: Extent, *, full: bool, archive: Path | None, out: Path | None) -> bool:
    """Measure, write `out` if there is one, print tables; whether all results are the same."""
    began, load_at_start = time.perf_counter(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tell("collecting images")
        (Path(folder) / "demo").mkdir()
        material = collect(
            Path(folder), archive=archive, size=extent.pixels, slices=extent.slices, side=extent.side
        )
        job = make_job(extent, material)
        results: Json = {
            "machine": {
                "processor": processor(),
                "cores": os.cpu_count(),
                "threads": torch.get_num_threads(),
                "load_at_start": load_at_start,
                "python": sys.version.split()[0],
                "torch": torch.__version__,
            },
            "settings": {
                "source": "generated" if archive is None else "BRISC 2025",
                "pixels": extent.pixels,
                "base_channels": extent.base_channels,
                "batch_size": job.run.batch_size,
                "precision": job.run.precision,
                "channels_last": job.run.channels_last,
                "rounds": extent.rounds,
                "batches_in_a_round": extent.batches,
            },
            "training": training(job, extent),
            "choices": choices(job, extent, compiler=full),
            "models": models(job),
            "evaluation": evaluation(job, extent),
            "prepare_images_per_second": in_child(steps.preparing, job, extent.rounds),
            "same_results": same_results(job, extent),
            **training_ways(extent),
        }
        # The first way is what the others are held against.
        results["same_results"] += results["ways"][1:] + results.get("gpu", {}).get("devices", [])
        workspace = Workspace(Path(folder) / "demo", full=full)
        results["pipeline"] = pipeline(workspace, extent)
        results["growth"] = growth(job, extent, workspace)
    results["seconds"] = time.perf_counter() - began
    if out is not None:
        write_json(out, rounded(results))
    print(markdown(results))
    return all(check["holds"] for check in results["same_results"])


def make_job(extent: Extent, material: Material) -> Job:
    run = resolve("laptop", "unet").run
    run = replace(run, model=run.model | {"base_channels": extent.base_channels})
    # Enough for the contestant that skips most batches of a turn, torch's loader with its two workers.
    turns = 1 + extent.rounds
    images = run.batch_size * turns * (extent.batches + 5)
    return Job(material, run, images=images, workers=0, keep_memory=True)


def training(job: Job, extent: Extent) -> Json:
    laps = race(contestants(job), rounds=extent.rounds, batches=extent.batches, tell=tell)
    study = max((name for name in laps if name.startswith("study")), key=lambda name: rate(laps[name]))
    return {
        "images_per_second": {name: rate(done) for name, done in laps.items()},
        "peak_mb": {name: done[-1].peak_mb for name, done in laps.items()},
        "study": study,  # the better one
        "ours_over_study": ratio(laps["ours"], laps[study]),
        "ours_over_step": ratio(laps["ours"], laps["step alone"]),
        "memory_kept_over_given_back": ratio(laps["step alone"], laps["step alone, memory given back"]),
    }


def choices(job: Job, extent: Extent, *, compiler: bool) -> Json:
    tell("choices of the step")
    return in_child(steps.choices, job, extent.rounds, compiler)


def models(job: Job) -> Json:
    """One model of each architecture of the laptop profile, with its own widths; the U-Net has been raced."""
    tell("models")
    runs = gpu.chosen("laptop", [], quick=False)
    others = {name: run for name, run in runs.items() if run.model["arch"] != job.run.model["arch"]}
    return in_child(steps.models, job, others, 1)


def evaluation(job: Job, extent: Extent) -> Json:
    tell("prediction and preparation")
    return in_child(steps.evaluating, job, load("laptop", "evaluate"), extent.rounds)


def same_results(job: Job, extent: Extent) -> list[Json]:
    tell("same results")
    job = replace(job, images=extent.curve_images)
    return same.check_all(job, epochs=extent.epochs, evaluate=load("laptop", "evaluate"))


def training_ways(extent: Extent) -> Json:
    """The ways to train on the device that there is; of a GPU also what it makes of the models at paper
    size."""
    tell("ways to train")
    if not torch.cuda.is_available():
        return {"ways": in_child(gpu.ways_here, extent.quick)}
    found = in_child(gpu.models_here, extent.quick)
    return {"ways": found["ways"], "gpu": found}


def pipeline(workspace: Workspace, extent: Extent) -> Json:
    tell("the demo")
    return measure(workspace, times=extent.start_ups)


def growth(job: Job, extent: Extent, workspace: Workspace) -> Json:
    """By size that grows: what grows with it, its steps (size, seconds, MB of memory), and the exponent of
    the seconds."""
    tell("growth")
    data = workspace.folder / "data" / "demo"
    width, sides, images = [job.run.model["base_channels"]], [job.material.prepare.size], extent.growth_images
    steps_of = {
        "pixels": (
            "U-Net step, an image, by its side",
            in_child(steps.growth, job, extent.sides, width, images),
        ),
        "width": (
            "U-Net step, an image, by base width",
            in_child(steps.growth, job, sides, extent.widths, images),
        ),
        "images": (
            "search for copies, by images",
            in_child(
                steps.searching,
                data / "raw.zip",
                pd.read_csv(data / "index.csv"),
                load("demo", "audit"),
                extent.searched,
            ),
        ),
    }
    return {
        what: {
            "what": title,
            "steps": found,
            "exponent": exponent([step["size"] for step in found], [step["seconds"] for step in found]),
        }
        for what, (title, found) in steps_of.items()
    }


def rounded(value: Any) -> Any:
    """Floats with four significant digits: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.speed")
    parser.add_argument(
        "--quick", action="store_true", help="small nets and few rounds: does everything work?"
    )
    parser.add_argument("--full", action="store_true", help="all trainings of the demo; torch.compile")
    parser.add_argument("--out", type=Path, help="default: bench/results.json; with --quick: none")
    given = parser.parse_args()
    written = given.out.resolve() if given.out else None if given.quick else ROOT / "bench" / "results.json"
    archive = Path(os.environ["BRISC_ARCHIVE"]).resolve() if os.environ.get("BRISC_ARCHIVE") else None
    os.chdir(ROOT)  # profiles/ is read from here
    is_same = main(quick() if given.quick else usual(), full=given.full, archive=archive, out=written)
    sys.exit(
        None
        if is_same
        else "error: a fast way gives other results than the plain one; see `same results` above"
    )
