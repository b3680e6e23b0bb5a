"""This tree's modules, started in another folder."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment_of(place: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(place / ".dvc" / "site"),
        **more,
    }


def start(place: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m WORDS` in the repository `place`."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command,
        cwd=place,
        env=environment_of(place, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
