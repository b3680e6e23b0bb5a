"""The profile that params.yaml names, for the Makefile; or make it name another one and all of its runs.

python -m pipeline.profile
python -m pipeline.profile laptop
"""

import re

from brisc.atomic import write_text
from brisc.config import PARAMS, load_params, profile_path, read_yaml, resolve
from pipeline import command


def main(profile: str = "") -> int:
    if profile:
        use(profile)
    print(load_params().profile)
    return 0


def use(profile: str) -> None:
    """DVC's matrix reads one list, `runs` of params.yaml, and cannot choose one by profile."""
    runs = list(read_yaml(profile_path(profile))["runs"])
    for name in runs:
        resolve(profile, name)
    load_params()
    text = PARAMS.read_text(encoding="utf-8")
    text = re.sub(r"^profile: *\S+", f"profile: {profile}", text, flags=re.MULTILINE)
    names = "".join(f"  - {name}\n" for name in runs)
    # What follows the key: a list in the same line, or lines that are indented or begin with a dash.
    block = r"^runs:(?: *\[[^\]]*\])?( *#.*)?\n(?:[ -].*\n)*"
    write_text(PARAMS, re.sub(block, rf"runs:\g<1>\n{names}", text, flags=re.MULTILINE))


if __name__ == "__main__":
    command.run(main)
