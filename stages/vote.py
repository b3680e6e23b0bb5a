"""vote: several nets as one, from the masks that each of them was evaluated by. A member that the profile
does not have is left out; one that it has and that is not listed under runs leaves no vote."""

from dataclasses import replace
from pathlib import Path

import command
from brisc.config import Vote, VotePlan, load_param, read_plan
from brisc.data.dataset import load_samples
from brisc.evaluation.vote import vote


def main(profile: str) -> None:
    plan = read_plan(VotePlan, Path(f"data/{profile}/plan/vote.json"))
    rule, runs = load_param(Vote, "vote"), load_param(list[str], "runs")
    rule = replace(rule, members=[name for name in rule.members if name in plan.runs])
    vote(
        {name: Path(f"runs/{profile}/eval/{name}") for name in rule.members if name in runs},
        load_samples(Path(f"data/{profile}/cache")),
        Path(f"runs/{profile}/vote"),
        rule=rule,
        settings=plan.evaluate,
    )


if __name__ == "__main__":
    command.run(main)
