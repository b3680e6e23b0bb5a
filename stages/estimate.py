"""estimate: the memory that training each model of the profile would take on an 8 GB GPU, counted without
one."""

from pathlib import Path

import command
from brisc.atomic import write_json
from brisc.config import load, profile_path, read_yaml, resolve
from brisc.evaluation.memory import estimate


def main(profile: str) -> None:
    found = {name: resolve(profile, name) for name in read_yaml(profile_path(profile))["runs"]}
    models = {name: each.run for name, each in found.items() if each.kind == "model"}
    content = estimate(models, size=load(profile, "prepare").size)
    write_json(Path(f"reports/{profile}/estimate.json"), {"profile": profile, **content})


if __name__ == "__main__":
    command.run(main)
