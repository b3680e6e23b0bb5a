"""fetch: one archive in the publisher's layout, whatever the source."""

import os
from pathlib import Path

import command
from brisc.config import FetchPlan, read_plan
from brisc.data.source import fetch


def main(profile: str) -> None:
    plan = read_plan(FetchPlan, Path(f"data/{profile}/plan/fetch.json"))
    given = os.environ.get("BRISC_ARCHIVE")
    fetch(
        Path(f"data/{profile}/raw.zip"),
        data=plan.data,
        phantom=plan.phantom,
        archive=Path(given) if given else None,
        track=command.track,
    )


if __name__ == "__main__":
    command.run(main)
