"""ablate: one model trained by one recipe of the profile and scored on validation. That it diverges is a
result."""

from pathlib import Path

import command
from brisc.config import load, load_recipe


def main(profile: str, recipe: str, model: str) -> None:
    run, train = load_recipe(profile, model, recipe)
    settings = load(profile, "evaluate")
    command.before_torch(train, devices=train.devices)
    # Only now: torch reads those settings when it is imported.
    import torch

    from brisc.data.dataset import load_samples
    from brisc.evaluation.recipe import write_recipe
    from brisc.models import build
    from brisc.training.fit import fit

    torch.manual_seed(train.seed)
    net, samples = build(**run.model), load_samples(Path(f"data/{profile}/cache"))
    training, out = (Path(f"runs/{profile}/ablation/{kind}/{recipe}") for kind in ("train", "eval"))
    fit(
        net,
        samples,
        training,
        run=run,
        train=train,
        scratch=command.scratch(f"ablate-{profile}-{model}-{recipe}"),
        may_diverge=True,
        track=command.track,
        log=command.log,
    )
    if command.first_of_devices():
        write_recipe(
            net, samples, out, training=training, healthy=run.healthy_slices, train=train, settings=settings
        )


if __name__ == "__main__":
    command.run(main)
