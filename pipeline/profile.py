"""The profile that params.yaml names, for the Makefile; or make it name another one and its runs.

python -m pipeline.profile
python -m pipeline.profile laptop             all runs of the profile
python -m pipeline.profile laptop recorded    the runs and the grid that the committed report is of
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from brisc.atomic import write_text
from brisc.config import PARAMS, load_params, params_of, read_yaml, resolve, run_names, yaml_of
from brisc.errors import InputError
from pipeline import command

LOCK = Path("dvc.lock")


def main(profile: str = "", runs: str = "") -> int:
    if runs not in ("", "recorded") or (runs and not profile):
        raise InputError(
            "no such choice of runs" if profile else "runs of no profile",
            where="make use",
            got=f"RUNS={runs}",
            expected="PROFILE=..., and RUNS=recorded or nothing",
            mend="Leave RUNS out for all runs of the profile.",
        )
    if runs:
        use_recorded(profile)
    elif profile:
        use(profile)
    params = load_params()
    print(params.profile)
    if profile and not (params.grid.optimizers and params.grid.learning_rates):
        print("Without a grid, which has no optimizers or rates: git checkout params.yaml brings them back")
    return 0


def use(profile: str) -> None:
    """DVC's matrix reads one list, `runs` of params.yaml, and cannot choose one by profile."""
    _write(profile, run_names(profile), {})


def use_recorded(profile: str) -> None:
    """What `analyse` was given when it made the report that is committed. Raises InputError without one."""
    stage = f"analyse@{profile}"
    recorded = read_yaml(LOCK)["stages"].get(stage)
    if recorded is None:
        raise InputError(
            "no results of this profile are committed",
            where=LOCK,
            got=f"no {stage}",
            expected="one",
            mend=f"Run make use PROFILE={profile}, and make repro.",
        )
    params = recorded["params"][PARAMS.name]
    _write(profile, params["runs"], params["grid"])


def _write(profile: str, runs: Sequence[str], grid: Mapping[str, Any]) -> None:
    for name in runs:
        resolve(profile, name)
    load_params()
    text = PARAMS.read_text(encoding="utf-8").rstrip("\n") + "\n"
    text = re.sub(r"^profile: *\S+", f"profile: {profile}", text, flags=re.MULTILINE)
    names = "".join(f"  - {name}\n" for name in runs)
    # What follows the key: a list in the same line, or lines that begin with a dash, with what is blank or a
    # comment between them.
    block = r"^{0}{1}:(?: *\[[^\]]*\])?( *#.*)?\n(?:(?: *(?:#.*)?\n)*{0}(?: *- ).*\n)*"
    text = re.sub(block.format("", "runs"), rf"runs:\g<1>\n{names}", text, flags=re.MULTILINE)
    for key, value in grid.items():
        shown = yaml.safe_dump(value, default_flow_style=True, width=200).removesuffix("...\n").rstrip()
        if isinstance(value, str):
            text = re.sub(rf"^  {key}: *\S+", f"  {key}: {shown}", text, flags=re.MULTILINE)
        else:
            text = re.sub(block.format("  ", key), f"  {key}: {shown}\n", text, flags=re.MULTILINE)
    made = params_of(yaml_of(text, PARAMS))
    expected = {**asdict(made.grid), **grid}
    if (made.profile, made.runs, asdict(made.grid)) != (profile, list(runs), expected):
        raise InputError(
            "a list that cannot be rewritten",
            where=PARAMS,
            got=f"runs: {', '.join(made.runs)}",
            expected=", ".join(runs),
            mend="Write `profile`, `runs` and `grid` in block style, one name a line, as git has it.",
        )
    write_text(PARAMS, text)


if __name__ == "__main__":
    command.run(main)
