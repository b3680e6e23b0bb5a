"""train: fit one run of the profile, or one cell of its grid (`grid/adam-0.001`), on the cache."""

from dataclasses import asdict
from pathlib import Path

import command
from brisc.config import TrainingPlan, checked, read_plan


def main(profile: str, name: str) -> None:
    plan, out = read(profile, name)
    command.before_torch(plan.run, devices=plan.run.devices)
    # Only now: torch reads those settings when it is imported.
    import torch

    from brisc.data.dataset import load_samples
    from brisc.data.selection import select
    from brisc.models import build
    from brisc.training.fit import fit

    torch.manual_seed(plan.run.seed)
    fit(
        build(**plan.run.model),
        select(load_samples(Path(f"data/{profile}/cache")), plan.run),
        out,
        plan=plan,
        scratch=command.scratch(f"train-{profile}-{name.replace('/', '-')}"),
        keep_weights=not name.startswith("grid/"),
        track=command.track,
        log=command.log,
    )


def read(profile: str, name: str) -> tuple[TrainingPlan, Path]:
    """The plan of a run or of a cell, which is the grid's with the optimizer and rate of its name; the
    output."""
    if not name.startswith("grid/"):
        plan = read_plan(TrainingPlan, Path(f"data/{profile}/plan/train/{name}.json"))
        return plan, Path(f"runs/{profile}/train/{name}")
    path = Path(f"runs/{profile}/grid/plan.json")
    content = asdict(read_plan(TrainingPlan, path))
    optimizer, _, rate = name.removeprefix("grid/").partition("-")
    content["run"]["optimizer"] |= {"name": optimizer, "learning_rate": command.number(rate)}
    return checked(TrainingPlan, content, path, ""), Path(f"runs/{profile}/{name}")


if __name__ == "__main__":
    command.run(main)
