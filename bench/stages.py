"""What the pipeline costs beside its work: processes that start, and DVC.

A copy of the repository, without git and as empty as a fresh clone, runs the demo in a temporary folder.
`python` is a shim there that notes how long each stage took and how much memory it held; what is left of the
wall time is DVC's.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from brisc.config import read_yaml

ROOT = Path(__file__).parents[1]
NEEDED = (
    "dvc.yaml",
    "dvc.lock",
    "params.yaml",
    "published.json",
    "benchmark",
    "profiles",
    "src",
    "stages",
    "reports/paper",
)
SHIM = """#!{python} -IS
import json, os, sys, time
began = time.time()
child = os.spawnv(os.P_NOWAIT, {python!r}, [{python!r}, *sys.argv[1:]])
_, status, usage = os.wait4(child, 0)
with open({log!r}, "a") as log:
    row = {{"words": sys.argv[1:], "seconds": time.time() - began, "peak_mb": usage.ru_maxrss // {unit}}}
    log.write(json.dumps(row) + chr(10))
sys.exit(os.waitstatus_to_exitcode(status))
"""
# The function in which the work of each script begins; everything before it is start-up.
WORK = {
    "analyse": "brisc.analysis.runs:read_runs",
    "audit": "brisc.data.audit:run_audit",
    "collect_grid": "brisc.analysis.grid:read_cells",
    "estimate": "brisc.evaluation.memory:estimate",
    "evaluate": "brisc.evaluation.evaluate:evaluate",
    "export": "brisc.export.export:export",
    "fetch": "brisc.data.source:fetch",
    "plan": "brisc.plan:write_plans",
    "prepare": "brisc.data.cache:prepare",
    "render": "brisc.report.render:render",
    "site": "brisc.page.build:write_site",
    "train": "brisc.training.fit:fit",
    "validate": "brisc.data.index:index_archive",
    "vote": "brisc.evaluation.vote:vote",
}
REACHED = 77  # exit code
STOP_THERE = """
import importlib, os, runpy, sys
module, function = sys.argv[1].split(":")
sys.argv = sys.argv[2:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
setattr(importlib.import_module(module), function, lambda *_, **__: os._exit({code}))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Done:
    """One stage that ran: the words of its command, ("stages/train.py", "demo", "unet"), also for a cell of
    the grid."""

    words: tuple[str, ...]
    seconds: float
    peak_mb: int

    @property
    def stage(self) -> str:
        return Path(self.words[0]).stem


class Workspace:
    """A copy of what the demo needs, in `folder`; unless `full` with few trainings of one epoch."""

    def __init__(self, folder: Path, *, full: bool) -> None:
        self.folder, self.log, self.full = folder, folder / "stages.jsonl", full
        for name in NEEDED:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            elif source.is_file():
                shutil.copy(source, target)
        if not full:
            _shorten(folder)
        (folder / "bin").mkdir()
        shim = folder / "bin" / "python"
        unit = 1024 if sys.platform == "linux" else 1024**2  # of ru_maxrss
        shim.write_text(SHIM.format(python=sys.executable, log=str(self.log), unit=unit))
        shim.chmod(0o755)
        self._dvc("init", "--no-scm")
        for setting in ("analytics", "check_update"):
            self._dvc("config", f"core.{setting}", "false")

    def repro(self) -> float:
        """Seconds of `dvc repro`."""
        began = time.perf_counter()
        self._dvc("repro")
        return time.perf_counter() - began

    def done(self) -> list[Done]:
        rows = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [Done(tuple(row["words"]), row["seconds"], row["peak_mb"]) for row in rows]

    def start_up(self, words: Iterable[str], *, times: int) -> float:
        """Seconds from the start of a stage's process to where its work begins: the least of `times`, files
        being warm."""
        script, *arguments = words
        code = STOP_THERE.format(code=REACHED)
        command = [sys.executable, "-c", code, WORK[Path(script).stem], script, *arguments]
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            ended = subprocess.run(
                command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False
            )
            seconds.append(time.perf_counter() - began)
            if ended.returncode != REACHED:
                raise RuntimeError(f"{' '.join(command[3:])}: never got to its work:\n{ended.stderr}")
        return min(seconds)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("BRISC_ARCHIVE", "BRISC_SCRATCH", "DVC_ROOT")
        }
        return kept | {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def _dvc(self, *words: str) -> None:
        command = [sys.executable, "-m", "dvc", *words]
        ended = subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise RuntimeError(
                f"dvc {' '.join(words)} failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
            )


def _shorten(folder: Path) -> None:
    """A model, another seed of it, a recipe and a cell of the grid, each for an epoch: every stage runs."""
    params, profile = folder / "params.yaml", folder / "profiles" / "demo.yaml"
    lists, settings = read_yaml(params), read_yaml(profile)
    lists["runs"] = ["unet", "unet-43", "unet-short"]
    lists["export"] = ["unet"]
    lists["grid"] |= {"run": "unet", "optimizers": ["adam"], "learning_rates": [1e-3]}
    for block in (settings["train"], settings["runs"]["unet-short"], settings["grid"]):
        block["epochs"] = 1
    params.write_text(yaml.safe_dump(lists))
    profile.write_text(yaml.safe_dump(settings))


def measure(workspace: Workspace, *, times: int) -> dict[str, Any]:
    """The pipeline's wall time and where it goes; per kind of stage start-up, work and peak memory."""
    seconds = workspace.repro()
    done = workspace.done()
    nothing_to_do = workspace.repro()
    stages = sorted({one.stage for one in done})
    kinds = {stage: [one for one in done if one.stage == stage] for stage in stages}
    return {
        "whole_demo": workspace.full,
        "seconds": seconds,
        "stages_run": len(done),
        "trainings": len(kinds["train"]),
        "dvc_seconds_per_stage": (seconds - sum(one.seconds for one in done)) / len(done),
        "nothing_to_do_seconds": nothing_to_do,
        "stages": {
            stage: {
                "start_up_seconds": workspace.start_up(runs[0].words, times=times),
                "seconds": sum(run.seconds for run in runs) / len(runs),
                "peak_mb": max(run.peak_mb for run in runs),
            }
            for stage, runs in kinds.items()
        },
    }
