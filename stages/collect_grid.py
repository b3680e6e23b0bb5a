"""collect_grid: all cells of the grid in a few files small enough for git."""

import json
from pathlib import Path

import pandas as pd

import command
from brisc.analysis.grid import CELL, grid_history, read_cells, shown_scores, summarise_grid
from brisc.atomic import atomic, write_json
from brisc.config import AnalysePlan, Grid, TrainingPlan, load_param, read_plan


def main(profile: str) -> None:
    axes, reports, folder = load_param(Grid, "grid"), Path(f"reports/{profile}"), Path(f"runs/{profile}/grid")
    published = json.loads(Path("published.json").read_text(encoding="utf-8"))["grid"]
    plan = read_plan(AnalysePlan, Path(f"data/{profile}/plan/analyse.json"))
    epochs = read_plan(TrainingPlan, folder / "plan.json").run.epochs
    cells = read_cells(folder, axes)
    grid = summarise_grid(cells, axes=axes, epochs=epochs, published=published, settings=plan.evaluate)
    write_json(reports / "grid.json", grid)
    write_json(reports / "grid_scores.json", shown_scores(grid))
    tables = {"grid.csv": pd.DataFrame(grid["cells"], columns=CELL), "grid_history.csv": grid_history(cells)}
    for name, table in tables.items():
        with atomic(reports / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")


if __name__ == "__main__":
    command.run(main)
