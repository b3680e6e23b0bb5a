"""grid: one cell of the grid, its model with another optimiser and learning rate. That it diverges is a result."""

import json
from pathlib import Path

import command
from brisc.atomic import atomic
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
    from brisc.training.resume import load_weights
    from brisc.training.validation import score_images

    torch.manual_seed(train.seed)
    net, samples = build(**run.model), load_samples(Path(f"data/{profile}/cache"))
    name = f"{optimizer}-{learning_rate}"
    out = Path(f"runs/{profile}/grid/{name}")
    fit(
        net, samples, out, run=run, train=train, scratch=command.scratch(f"grid-{profile}-{model}-{name}"), may_diverge=True,
        track=command.track, log=command.log,
    )  # fmt: skip
    if not command.first_of_devices() or json.loads((out / "summary.json").read_text())["best_epoch"] is None:
        return
    load_weights(net, out / "weights.pt")
    with atomic(out / "validation.csv") as temporary:
        scores = score_images(net, samples, run=run, train=train)
        scores.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")


if __name__ == "__main__":
    command.run(main)
