"""sources: for each model the version of every source file that decides its weights."""

from pathlib import Path

import command
from brisc.atomic import atomic, write_json
from brisc.config import load, load_params
from brisc.sources import training_sources


def main(profile: str) -> None:
    for kind in ("grid", "seeds"):
        # Later stages read these folders, which a study without a grid or without other seeds has nothing to fill with.
        Path(f"runs/{profile}/{kind}").mkdir(parents=True, exist_ok=True)
    with atomic(Path(f"data/{profile}/sources")) as folder:
        for model in load_params().models:
            write_json(folder / f"{model}.json", training_sources(load(profile, f"models.{model}").model["arch"]))


if __name__ == "__main__":
    command.run(main)
