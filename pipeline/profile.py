"""The profile that params.yaml names, for the Makefile; or make it name another one and its runs.

python -m pipeline.profile
python -m pipeline.profile laptop             all runs of the profile
python -m pipeline.profile laptop recorded    the runs and the grid that the committed report is of
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from brisc.atomic import write_text
from brisc.config import PARAMS, load_params, read_yaml, resolve, run_names
from brisc.errors import InputError
from pipeline import command

LOCK = Path("dvc.lock")


def main(profile: str = "", runs: str = "") -> int:
    if runs not in ("", "recorded"):
        raise InputError(
            "no such choice of runs",
            where="make use",
            got=f"RUNS={runs}",
            expected="RUNS=recorded",
            mend="Leave RUNS out for all runs of the profile.",
        )
    if runs:
        use_recorded(profile)
    elif profile:
        use(profile)
    print(load_params().profile)
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
    axes = ("optimizers", "learning_rates")
    _write(profile, params["runs"], {axis: params["grid"][axis] for axis in axes})


def _write(profile: str, runs: Sequence[str], grid: Mapping[str, Sequence[Any]]) -> None:
    for name in runs:
        resolve(profile, name)
    load_params()
    text = PARAMS.read_text(encoding="utf-8")
    text = re.sub(r"^profile: *\S+", f"profile: {profile}", text, flags=re.MULTILINE)
    names = "".join(f"  - {name}\n" for name in runs)
    # What follows the key: a list in the same line, or lines that are indented or begin with a dash.
    block = r"^{}{}:(?: *\[[^\]]*\])?( *#.*)?\n(?:{}[ -].*\n)*"
    text = re.sub(block.format("", "runs", ""), rf"runs:\g<1>\n{names}", text, flags=re.MULTILINE)
    for axis, values in grid.items():
        listed = f"  {axis}: {yaml.safe_dump(list(values), default_flow_style=True, width=200)}"
        text = re.sub(block.format("  ", axis, "  "), listed, text, flags=re.MULTILINE)
    write_text(PARAMS, text)


if __name__ == "__main__":
    command.run(main)
