"""site: the page on which predictions and results can be leafed through, and contact sheets of the copies."""

import zipfile
from pathlib import Path

import pandas as pd

import command
from brisc.config import SitePlan, read_plan
from brisc.data.cache import read_grey
from brisc.page.build import write_page
from brisc.page.sheets import contact_sheets

PER_RELATION = 60


def main(profile: str) -> None:
    reports, runs, data, out = (Path(room, profile) for room in ("reports", "runs", "data", "site"))
    plan = read_plan(SitePlan, data / "plan" / "site.json")
    write_page(reports=reports, runs=runs, data=data, out=out)
    members = pd.read_csv(data / "index.csv", index_col="id")["image"]
    with zipfile.ZipFile(data / "raw.zip") as archive:
        contact_sheets(
            pd.read_csv(data / "copies.csv"),
            out / "copies",
            per_relation=PER_RELATION,
            read_image=lambda name: read_grey(archive.read(members[name])),
            seed=plan.seed,
            source=plan.source,
        )


if __name__ == "__main__":
    command.run(main)
