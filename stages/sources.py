"""sources: for each model the version of every source file that decides its weights."""

from pathlib import Path

import command
from brisc.atomic import atomic, write_json, write_text
from brisc.config import load, load_params
from brisc.sources import training_sources


def main(profile: str) -> None:
    versions = {
        model: training_sources(load(profile, f"models.{model}").model["arch"])
        for model in load_params().models
    }
    with atomic(Path(f"data/{profile}/sources")) as folder:
        for model, files in versions.items():
            write_json(folder / f"{model}.json", files)
    for kind, what in (
        ("ablation", "recipes of training"),
        ("grid", "cells of the grid"),
        ("seeds", "trainings with other seeds"),
    ):
        # Later stages read these folders, which a study without recipes, a grid or other seeds would not
        # have.
        write_text(
            Path(f"runs/{profile}/{kind}/eval/about.txt"),
            f"Results of the {what}; no more than this file if there are none.\n",
        )


if __name__ == "__main__":
    command.run(main)
