"""This tree's modules, started in another folder."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(place: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m WORDS` in the repository `place`."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(place / ".dvc" / "site"),
        **environment,
    }
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
