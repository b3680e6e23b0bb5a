"""estimate: the memory that training each model of the profile would take on an 8 GB GPU, counted without
one."""

from pathlib import Path

import command
from brisc.atomic import write_json
from brisc.config import load, read_yaml
from brisc.evaluation.memory import estimate


def main(profile: str) -> None:
    models = read_yaml(Path(f"profiles/{profile}.yaml"))["models"]
    runs = {model: load(profile, f"models.{model}") for model in models}
    found = estimate(runs, load(profile, "train"), size=load(profile, "prepare").size)
    write_json(Path(f"reports/{profile}/estimate.json"), {"profile": profile, **found})


if __name__ == "__main__":
    command.run(main)
