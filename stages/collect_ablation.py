"""collect_ablation: the recipes of training side by side, in one file small enough for git."""

from pathlib import Path

import command
from brisc.analysis.ablation import read_recipes, summarise_ablation
from brisc.atomic import write_json
from brisc.config import load, load_params


def main(profile: str) -> None:
    ablated, ablation, settings = load_params().ablation, load(profile, "ablation"), load(profile, "evaluate")
    recipes = read_recipes(Path(f"runs/{profile}/ablation/eval"), ablated.recipes)
    summary = summarise_ablation(recipes, ablated=ablated, ablation=ablation, settings=settings)
    write_json(Path(f"reports/{profile}/ablation.json"), summary)


if __name__ == "__main__":
    command.run(main)
