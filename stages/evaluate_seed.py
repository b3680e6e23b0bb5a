"""evaluate_seed: a model trained with another seed, on validation and on the subsets of test."""

from pathlib import Path

import command
from evaluate import evaluate_training


def main(profile: str, model: str, seed: str) -> None:
    training, out = (Path(f"runs/{profile}/seeds/{kind}/{model}-{seed}") for kind in ("train", "eval"))
    evaluate_training(profile, model, training=training, out=out)


if __name__ == "__main__":
    command.run(main)
