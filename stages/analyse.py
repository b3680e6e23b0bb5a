"""analyse: what all runs of the profile say together, in a few files small enough for git."""

import json
from dataclasses import asdict
from pathlib import Path

import command
from brisc.analysis.beyond import beyond
from brisc.analysis.collect import collect
from brisc.analysis.compare import compare, published_gaps
from brisc.analysis.costs import gather_costs
from brisc.analysis.folds import out_of_fold
from brisc.analysis.grid import read_cells
from brisc.analysis.published import architectures
from brisc.analysis.recipes import summarise_recipes
from brisc.analysis.runs import of_kind, read_runs
from brisc.analysis.seeds import by_seed
from brisc.atomic import atomic, write_json
from brisc.config import AnalysePlan, Compare, Grid, load_param, read_plan
from brisc.data.lists import LISTS, read_list


def main(profile: str) -> None:
    joint, reports = load_param(Compare, "compare"), Path(f"reports/{profile}")
    vote = Path(f"runs/{profile}/vote")
    plan = read_plan(AnalysePlan, Path(f"data/{profile}/plan/analyse.json"))
    published = json.loads(Path("published.json").read_text(encoding="utf-8"))
    runs = read_runs(Path(f"runs/{profile}/eval"), load_param(list[str], "runs"))
    costs = gather_costs(runs, read_cells(Path(f"runs/{profile}/grid"), load_param(Grid, "grid")))
    comparisons = compare(
        {run.name: run.images() for run in of_kind(runs, "model")},
        seeds=by_seed(runs),
        joint=joint,
        gaps=published_gaps(published, joint.joint),
        settings=plan.evaluate,
    )
    conflicts = set(read_list("mask_conflicts")["test_id"]) if plan.source == LISTS.name else set()
    study = architectures(published["models"])
    provenance = {
        "profile": profile,
        "runs_of_profile": plan.runs,
        "source": plan.source,
        "prepare": asdict(plan.prepare),
    }
    collect(runs, reports, vote=vote, provenance=provenance, study=study, settings=plan.evaluate)
    found = beyond(runs, vote, plan.evaluate, conflicts=conflicts)
    write_json(reports / "beyond.json", found)
    write_json(reports / "comparisons.json", comparisons)
    write_json(reports / "out_of_fold.json", out_of_fold(runs, plan.evaluate))
    write_json(reports / "recipes.json", summarise_recipes(runs, plan.evaluate))
    with atomic(reports / "costs.csv") as temporary:
        costs.to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    command.run(main)
