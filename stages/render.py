"""render: the report, the ledger of claims and the charts, from the result files alone."""

from pathlib import Path

import command
from brisc.report.render import render


def main(profile: str) -> None:
    reports = Path("reports")
    estimate = reports / "paper" / "estimate.json"
    render(reports / profile, profile=profile, published=Path("published.json"), estimate=estimate)


if __name__ == "__main__":
    command.run(main)
