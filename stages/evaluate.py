"""evaluate: one trained run on validation and, unless it is judged on that alone, on the subsets of test."""

import json
from pathlib import Path

import command
from brisc.config import EvaluationPlan, Run, checked, read_plan


def main(profile: str, name: str) -> None:
    plan = read_plan(EvaluationPlan, Path(f"data/{profile}/plan/evaluate/{name}.json"))
    training, cache = Path(f"runs/{profile}/train/{name}"), Path(f"data/{profile}/cache")
    summary = training / "summary.json"
    run = checked(Run, json.loads(summary.read_text(encoding="utf-8"))["settings"], summary, "settings")
    command.before_torch(run, devices=1)
    # Only now: torch reads those settings when it is imported.
    from brisc.data.dataset import load_samples
    from brisc.data.native import load_native
    from brisc.data.selection import select
    from brisc.evaluation.evaluate import evaluate
    from brisc.models import build

    evaluate(
        build(**run.model),
        select(load_samples(cache), run),
        Path(f"runs/{profile}/eval/{name}"),
        native=load_native(Path(f"data/{profile}/masks.npz")),
        training=training,
        data=cache / "fingerprint.json",
        plan=plan,
        run=run,
    )


if __name__ == "__main__":
    command.run(main)
