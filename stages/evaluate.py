"""evaluate: one trained model on validation and on the subsets of test."""

from pathlib import Path

import command
from brisc.config import load


def main(profile: str, model: str) -> None:
    evaluate_training(
        profile,
        model,
        training=Path(f"runs/{profile}/train/{model}"),
        out=Path(f"runs/{profile}/eval/{model}"),
    )


def evaluate_training(profile: str, model: str, *, training: Path, out: Path) -> None:
    """Evaluate `model` with the weights in the folder `training`."""
    run, train, settings = load(profile, f"models.{model}"), load(profile, "train"), load(profile, "evaluate")
    command.before_torch(train, devices=1)
    # Only now: torch reads those settings when it is imported.
    from brisc.data.dataset import load_samples
    from brisc.data.native import load_native
    from brisc.evaluation.evaluate import evaluate
    from brisc.models import build
    from brisc.training.resume import load_weights

    net = build(**run.model)
    load_weights(net, training / "weights.pt")
    cache = Path(f"data/{profile}/cache")
    evaluate(
        net,
        load_samples(cache),
        out,
        native=load_native(Path(f"data/{profile}/masks.npz")),
        training=training,
        data=cache / "fingerprint.json",
        settings=settings,
        train=train,
    )


if __name__ == "__main__":
    command.run(main)
