"""compare: paired tests between the models of the profile, from their results on each image."""

import json
from pathlib import Path

import pandas as pd

import command
from brisc.analysis.compare import compare, published_gap
from brisc.atomic import write_json
from brisc.config import load, load_params


def main(profile: str) -> None:
    params, reports = load_params(), Path(f"reports/{profile}")
    published, seeds = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (Path("published.json"), reports / "seeds.json")
    )
    content = compare(
        {model: pd.read_csv(reports / "per_image" / f"{model}.csv") for model in params.models},
        seeds=seeds,
        joint=params.compare,
        gap=published_gap(published, params.compare.joint),
        settings=load(profile, "evaluate"),
    )
    write_json(reports / "comparisons.json", content)


if __name__ == "__main__":
    command.run(main)
