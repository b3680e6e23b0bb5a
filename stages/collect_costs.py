"""collect_costs: what every training of the profile cost, in one table small enough for git."""

from pathlib import Path

import command
from brisc.analysis.costs import gather_costs
from brisc.atomic import atomic
from brisc.config import load_params


def main(profile: str) -> None:
    costs = gather_costs(Path(f"runs/{profile}"), load_params())
    with atomic(Path(f"reports/{profile}/costs.csv")) as temporary:
        costs.to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    command.run(main)
