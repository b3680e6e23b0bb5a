"""prepare: decode every image once, split, mark the subsets of test."""

from pathlib import Path

import pandas as pd

import command
from brisc.config import PreparePlan, read_plan
from brisc.data.cache import prepare


def main(profile: str) -> None:
    plan = read_plan(PreparePlan, Path(f"data/{profile}/plan/prepare.json"))
    folder = Path(f"data/{profile}")
    prepare(
        folder / "raw.zip",
        pd.read_csv(folder / "index.csv"),
        pd.read_csv(folder / "groups.csv"),
        folder / "cache",
        native=folder / "masks.npz",
        prepare=plan.prepare,
        track=command.track,
    )


if __name__ == "__main__":
    command.run(main)
