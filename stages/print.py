"""print: the report and the claims of a profile as one HTML file for paper."""

from pathlib import Path

import command
from brisc.report.printed import write_print


def main(profile: str) -> None:
    out = Path("site") / profile / "report.html"
    write_print(Path("reports") / profile, out)
    command.log(f"Print: {out}")


if __name__ == "__main__":
    command.run(main)
