"""lists: what others can cite, in benchmark/, from what audit and prepare found. No stage of dvc.yaml."""

from pathlib import Path

import pandas as pd

import command
from brisc.config import AuditPlan, FetchPlan, read_plan
from brisc.data.benchmark import make_lists
from brisc.data.lists import LISTS, write_lists
from brisc.data.native import load_native
from brisc.errors import InputError


def main(profile: str) -> None:
    folder = Path(f"data/{profile}")
    source = read_plan(FetchPlan, folder / "plan/fetch.json").data.source
    if source != LISTS.name:
        raise InputError(
            "not the data set that the lists are of",
            where=f"profiles/{profile}.yaml",
            got=source,
            expected=LISTS.name,
            mend="Set profile: laptop in params.yaml and run make repro.",
        )
    lists = make_lists(
        pd.read_csv(folder / "copies.csv"),
        pd.read_csv(folder / "cache/samples.csv"),
        load_native(folder / "masks.npz"),
        copy_similarity=read_plan(AuditPlan, folder / "plan/audit.json").audit.copy_similarity,
    )
    write_lists(LISTS, lists)
    command.log(f"Lists: {LISTS}: " + ", ".join(f"{name} {len(table)}" for name, table in lists.items()))


if __name__ == "__main__":
    command.run(main)
