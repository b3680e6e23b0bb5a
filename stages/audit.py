"""audit: copies and neighbours across the split, groups of images that belong together, ceilings,
shortcuts."""

from pathlib import Path

import pandas as pd

import command
from brisc.atomic import atomic, write_json
from brisc.config import AuditPlan, read_plan
from brisc.data.audit import run_audit


def main(profile: str) -> None:
    plan = read_plan(AuditPlan, Path(f"data/{profile}/plan/audit.json"))
    folder = Path(f"data/{profile}")
    findings = run_audit(
        folder / "raw.zip",
        pd.read_csv(folder / "index.csv", keep_default_na=False),
        plan=plan,
        track=command.track,
    )
    for name, table in (("copies.csv", findings.copies), ("groups.csv", findings.groups)):
        with atomic(folder / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    write_json(Path(f"reports/{profile}/audit.json"), findings.report)


if __name__ == "__main__":
    command.run(main)
