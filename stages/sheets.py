"""sheets: contact sheets of the copies that the audit found."""

import zipfile
from pathlib import Path

import pandas as pd

import command
from brisc.config import load
from brisc.data.cache import read_grey
from brisc.page.sheets import contact_sheets

PER_RELATION = 60


def main(profile: str) -> None:
    folder = Path(f"data/{profile}")
    members = pd.read_csv(folder / "index.csv", index_col="id")["image"]
    with zipfile.ZipFile(folder / "raw.zip") as archive:
        contact_sheets(
            pd.read_csv(folder / "copies.csv"),
            Path(f"site/{profile}/copies"),
            per_relation=PER_RELATION,
            read_image=lambda name: read_grey(archive.read(members[name])),
            seed=load(profile, "prepare").seed,
            source=load(profile, "data").source,
        )


if __name__ == "__main__":
    command.run(main)
