"""grid: one cell of the grid, its model with another optimiser and learning rate. That it diverges is a
result."""

from pathlib import Path

import command
from brisc.config import load, load_cell


def main(profile: str, optimizer: str, learning_rate: str, model: str) -> None:
    run = load_cell(profile, model, optimizer=optimizer, learning_rate=learning_rate)
    train = load(profile, "train")
    command.before_torch(train, devices=train.devices)
    # Only now: torch reads those settings when it is imported.
    import torch

    from brisc.data.dataset import load_samples
    from brisc.models import build
    from brisc.training.fit import fit
    from brisc.training.validation import write_cell

    torch.manual_seed(train.seed)
    net, samples = build(**run.model), load_samples(Path(f"data/{profile}/cache"))
    name = f"{optimizer}-{learning_rate}"
    training, out = (Path(f"runs/{profile}/grid/{kind}/{name}") for kind in ("train", "eval"))
    fit(
        net,
        samples,
        training,
        run=run,
        train=train,
        scratch=command.scratch(f"grid-{profile}-{model}-{name}"),
        may_diverge=True,
        track=command.track,
        log=command.log,
    )
    if command.first_of_devices():
        write_cell(net, samples, out, training=training, run=run, train=train)


if __name__ == "__main__":
    command.run(main)
