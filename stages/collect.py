"""collect: the results of all models of the profile, in a few files small enough for git."""

from dataclasses import asdict
from pathlib import Path

import command
from brisc.analysis.collect import collect
from brisc.config import load, load_params


def main(profile: str) -> None:
    params = load_params()
    collect(
        Path(f"runs/{profile}"),
        Path(f"reports/{profile}"),
        profile=profile,
        source=load(profile, "data").source,
        prepare=asdict(load(profile, "prepare")),
        models=params.models,
        first_seed=load(profile, "train").seed,
        seeds=dict.fromkeys(params.seeds.models, params.seeds.values),
    )


if __name__ == "__main__":
    command.run(main)
