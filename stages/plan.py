"""plan: the settings of every stage and run of the profile, and digests of the code that decides a run."""

from pathlib import Path

import command
from brisc.config import Grid, load_param
from brisc.plan import write_plans


def main(profile: str) -> None:
    write_plans(
        profile,
        load_param(list[str], "runs"),
        Path(f"data/{profile}/plan"),
        grid_run=load_param(Grid, "grid").run,
        grid=Path(f"runs/{profile}/grid/plan.json"),
    )


if __name__ == "__main__":
    command.run(main)
