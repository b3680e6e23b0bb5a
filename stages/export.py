"""export: one trained run as ONNX and safetensors with a card, for `brisc predict`."""

import json
from pathlib import Path

import command
from brisc.config import AnalysePlan, Run, checked, read_plan


def main(profile: str, name: str) -> None:
    plan = read_plan(AnalysePlan, Path(f"data/{profile}/plan/analyse.json"))
    training = Path(f"runs/{profile}/train/{name}")
    summary = training / "summary.json"
    run = checked(Run, json.loads(summary.read_text(encoding="utf-8"))["settings"], summary, "settings")
    command.portable_cpu()
    # Only now: torch reads those settings when it is imported.
    from brisc.data.dataset import load_samples
    from brisc.export.export import export
    from brisc.models import build

    export(
        build(**run.model),
        load_samples(Path(f"data/{profile}/cache")),
        Path(f"models/{profile}/{name}"),
        training=training,
        evaluated=Path(f"runs/{profile}/eval/{name}"),
        audit=Path(f"reports/{profile}/audit.json"),
        plan=plan,
    )


if __name__ == "__main__":
    command.run(main)
