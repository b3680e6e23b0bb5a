"""site: the page on which predictions and results can be leafed through, and contact sheets of the copies."""

from pathlib import Path

import command
from brisc.page.build import write_site


def main(profile: str) -> None:
    reports, runs, data, out = (Path(room, profile) for room in ("reports", "runs", "data", "site"))
    write_site(reports=reports, runs=runs, data=data, out=out)


if __name__ == "__main__":
    command.run(main)
