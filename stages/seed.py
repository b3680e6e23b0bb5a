"""seed: one model trained and evaluated again with another seed, for the spread that a single training does not show."""

from dataclasses import replace
from pathlib import Path

import command
from brisc.config import load


def main(profile: str, model: str, seed: str) -> None:
    run, settings = load(profile, f"models.{model}"), load(profile, "evaluate")
    train = replace(load(profile, "train"), seed=int(seed))
    command.before_torch(train, devices=train.devices)
    # Only now: torch reads those settings when it is imported.
    import torch

    from brisc.data.dataset import load_samples
    from brisc.evaluation.evaluate import evaluate
    from brisc.models import build
    from brisc.training.fit import fit
    from brisc.training.resume import load_weights

    torch.manual_seed(train.seed)
    cache = Path(f"data/{profile}/cache")
    net, samples = build(**run.model), load_samples(cache)
    training, out = (Path(f"runs/{profile}/seeds/{kind}/{model}-{seed}") for kind in ("train", "eval"))
    fit(
        net, samples, training, run=run, train=train, scratch=command.scratch(f"seed-{profile}-{model}-{seed}"),
        may_diverge=False, track=command.track, log=command.log,
    )  # fmt: skip
    if command.first_of_devices():
        load_weights(net, training / "weights.pt")
        evaluate(net, samples, out, training=training, data=cache / "fingerprint.json", settings=settings, train=train)


if __name__ == "__main__":
    command.run(main)
