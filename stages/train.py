"""train: fit one model of the profile on the cache."""

from pathlib import Path

import command
from brisc.config import load


def main(profile: str, model: str) -> None:
    run, train = load(profile, f"models.{model}"), load(profile, "train")
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
        Path(f"runs/{profile}/train/{model}"),
        run=run,
        train=train,
        scratch=command.scratch(f"train-{profile}-{model}"),
        may_diverge=False,
        track=command.track,
        log=command.log,
    )


if __name__ == "__main__":
    command.run(main)
