"""seed: one model trained again with another seed, for the spread that a single training does not show."""

from dataclasses import replace
from pathlib import Path

import command
from brisc.config import load


def main(profile: str, model: str, seed: str) -> None:
    run, train = load(profile, f"models.{model}"), replace(load(profile, "train"), seed=int(seed))
    command.before_torch(train, devices=train.devices)
    # Only now: torch reads those settings when it is imported.
    import torch

    from brisc.data.dataset import load_samples
    from brisc.models import build
    from brisc.training.fit import fit

    torch.manual_seed(train.seed)
    fit(
        build(**run.model),
        load_samples(Path(f"data/{profile}/cache")),
        Path(f"runs/{profile}/seeds/train/{model}-{seed}"),
        run=run,
        train=train,
        scratch=command.scratch(f"seed-{profile}-{model}-{seed}"),
        may_diverge=False,
        track=command.track,
        log=command.log,
    )


if __name__ == "__main__":
    command.run(main)
