"""plan: the settings of every stage and run of the profile, and digests of the code that decides a run."""

from pathlib import Path

import command
from brisc.config import load_params
from brisc.plan import write_plans


def main(profile: str) -> None:
    write_plans(profile, load_params(), Path(f"data/{profile}/plan"), Path(f"runs/{profile}/grid/plan.json"))


if __name__ == "__main__":
    command.run(main)
