"""render: the report, the ledger of claims and the charts, from the result files alone."""

from pathlib import Path

import command
from brisc.reporting.report import render


def main(profile: str) -> None:
    render(
        Path(f"reports/{profile}"), profile=profile, published=Path("published.json"), estimate=Path("reports/paper/estimate.json")
    )


if __name__ == "__main__":
    command.run(main)
