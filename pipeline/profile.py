"""The profile that params.yaml names, for the Makefile.

python -m pipeline.profile
"""

from brisc.config import load_params
from pipeline import command


def main() -> int:
    print(load_params().profile)
    return 0


if __name__ == "__main__":
    command.run(main)
