"""site: the page on which predictions and results can be leafed through."""

from pathlib import Path

import command
from brisc.reporting.page.build import write_page


def main(profile: str) -> None:
    write_page(
        reports=Path(f"reports/{profile}"), runs=Path(f"runs/{profile}"), data=Path(f"data/{profile}"), out=Path(f"site/{profile}")
    )


if __name__ == "__main__":
    command.run(main)
