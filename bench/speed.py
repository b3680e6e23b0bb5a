"""make bench: how fast, in one run and as ratios, and whether the fast ways give the plain ways' results.

    python -m bench.speed [--quick] [--full] [--out FILE]

Images are generated phantoms of 512 px, or one in ten of BRISC_ARCHIVE where that is set; knobs are those of
the laptop profile. Writes bench/results.json and prints it as tables. --quick: small nets and few rounds, to
see that everything works; its times mean nothing, and nothing is written without --out. --full: the whole
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

from bench import same, steps
from bench.material import Material, collect
from bench.race import exponent, in_child, race, rate, ratio
from bench.stages import ROOT, Workspace, measure
from bench.table import markdown
from bench.training import Job, contestants
from brisc.atomic import write_json
from brisc.config import Run, Splits, load, load_params
from brisc.training.result import processor

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
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


def usual() -> Plan:
    """The laptop profile's U-Net; about ten minutes on two old cores."""
    return Plan(
        pixels=load("laptop", "prepare").size,
        base_channels=load("laptop", "models.unet").model["base_channels"],
        side=512,
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
    )


def quick() -> Plan:
    return Plan(
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
    )


def main(plan: Plan, *, full: bool, archive: Path | None, out: Path | None) -> bool:
    """Measure, write `out` if there is one, print tables; whether all results are the same."""
    began, load_at_start = time.perf_counter(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tell("collecting images")
        (Path(folder) / "demo").mkdir()
        material = collect(
            Path(folder), archive=archive, size=plan.pixels, slices=plan.slices, side=plan.side
        )
        job = make_job(plan, material)
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
                "pixels": plan.pixels,
                "base_channels": plan.base_channels,
                "batch_size": job.train.batch_size,
                "precision": job.train.precision,
                "channels_last": job.train.channels_last,
                "rounds": plan.rounds,
                "batches_in_a_round": plan.batches,
            },
            "training": training(job, plan),
            "choices": choices(job, plan, compiler=full),
            "models": models(job, plan),
            "evaluation": evaluation(job, plan),
            "prepare_images_per_second": in_child(steps.preparing, job, plan.rounds),
            "same_results": same_results(job, plan),
        }
        workspace = Workspace(Path(folder) / "demo", full=full)
        results["pipeline"] = pipeline(workspace, plan)
        results["growth"] = growth(job, plan, workspace)
    results["seconds"] = time.perf_counter() - began
    if out is not None:
        write_json(out, rounded(results))
    print(markdown(results))
    return all(check["holds"] for check in results["same_results"])


def make_job(plan: Plan, material: Material) -> Job:
    run, train = load("laptop", "models.unet"), load("laptop", "train")
    run = replace(run, model=run.model | {"base_channels": plan.base_channels})
    # Enough for the contestant that skips most batches of a turn, torch's loader with its two workers.
    turns = 1 + plan.rounds
    images = train.batch_size * turns * (plan.batches + 5)
    return Job(material, run, train, images=images, workers=0, keep_memory=True)


def training(job: Job, plan: Plan) -> Json:
    laps = race(contestants(job), rounds=plan.rounds, batches=plan.batches, tell=tell)
    study = max((name for name in laps if name.startswith("study")), key=lambda name: rate(laps[name]))
    return {
        "images_per_second": {name: rate(done) for name, done in laps.items()},
        "peak_mb": {name: done[-1].peak_mb for name, done in laps.items()},
        "study": study,  # the better one
        "ours_over_study": ratio(laps["ours"], laps[study]),
        "ours_over_step": ratio(laps["ours"], laps["step alone"]),
        "memory_kept_over_given_back": ratio(laps["step alone"], laps["step alone, memory given back"]),
    }


def choices(job: Job, plan: Plan, *, compiler: bool) -> Json:
    tell("choices of the step")
    return in_child(steps.choices, job, plan.rounds, compiler)


def models(job: Job, plan: Plan) -> Json:
    """One model of each architecture of the laptop profile, with its own widths; the U-Net has been raced."""
    tell("models")
    runs: dict[str, Run] = {}
    for name in load_params().models:
        run = load("laptop", f"models.{name}")
        if run.model["arch"] not in [
            job.run.model["arch"],
            *(other.model["arch"] for other in runs.values()),
        ]:
            runs[name] = run
    return in_child(steps.models, job, runs, 1)


def evaluation(job: Job, plan: Plan) -> Json:
    tell("prediction and preparation")
    return in_child(steps.evaluating, job, load("laptop", "evaluate"), plan.rounds)


def same_results(job: Job, plan: Plan) -> list[Json]:
    tell("same results")
    job = replace(job, images=plan.curve_images)
    return same.check_all(job, epochs=plan.epochs, evaluate=load("laptop", "evaluate"))


def pipeline(workspace: Workspace, plan: Plan) -> Json:
    tell("the demo")
    return measure(workspace, times=plan.start_ups)


def growth(job: Job, plan: Plan, workspace: Workspace) -> Json:
    """By size that grows: what grows with it, its steps (size, seconds, MB of memory), and the exponent of
    the seconds."""
    tell("growth")
    data = workspace.folder / "data" / "demo"
    width, sides, images = [job.run.model["base_channels"]], [job.material.prepare.size], plan.growth_images
    steps_of = {
        "pixels": (
            "U-Net step, an image, by its side",
            in_child(steps.growth, job, plan.sides, width, images),
        ),
        "width": (
            "U-Net step, an image, by base width",
            in_child(steps.growth, job, sides, plan.widths, images),
        ),
        "images": (
            "search for copies, by images",
            in_child(
                steps.searching,
                data / "raw.zip",
                pd.read_csv(data / "index.csv"),
                load("demo", "audit"),
                plan.searched,
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
