"""validate: the index of the archive's images, once every rule holds."""

from pathlib import Path

import command
from brisc.atomic import atomic, write_json
from brisc.config import ValidatePlan, read_plan
from brisc.data.index import index_archive


def main(profile: str) -> None:
    plan = read_plan(ValidatePlan, Path(f"data/{profile}/plan/validate.json"))
    folder = Path(f"data/{profile}")
    index, summary = index_archive(folder / "raw.zip", expected=plan.data.expected, track=command.track)
    with atomic(folder / "index.csv") as temporary:
        index.to_csv(temporary, index=False, lineterminator="\n")
    write_json(Path(f"reports/{profile}/validation.json"), summary)


if __name__ == "__main__":
    command.run(main)
