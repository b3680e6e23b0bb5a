"""collect_grid: all cells of the grid in a few files small enough for git."""

import json
from pathlib import Path

import pandas as pd

import command
from brisc.analysis.grid import CELL, best_of, read_cells, summarise_grid
from brisc.atomic import atomic, write_json
from brisc.config import load, load_params


def main(profile: str) -> None:
    axes, reports = load_params().grid, Path(f"reports/{profile}")
    published = json.loads(Path("published.json").read_text(encoding="utf-8"))["grid"]
    cells, history = read_cells(Path(f"runs/{profile}/grid/eval"), axes)
    grid = summarise_grid(
        cells,
        axes=axes,
        epochs=load(profile, "grid").epochs,
        published=published,
        settings=load(profile, "evaluate"),
    )
    write_json(reports / "grid.json", grid)
    write_json(reports / "grid_scores.json", best_of(grid))
    for name, table in (
        ("grid.csv", pd.DataFrame(grid["cells"], columns=CELL)),
        ("grid_history.csv", history),
    ):
        with atomic(reports / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")


if __name__ == "__main__":
    command.run(main)
