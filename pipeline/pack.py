"""make pack: trainings and their evaluations as one folder for a machine without network, git and DVC.

    python -m pipeline.pack

Settings, by environment:
RUNS      what to pack: names of runs, cells (grid/adam-0.001), `grid` for all cells; without it all that must
          still be trained or evaluated
PROFILE   without it the one of params.yaml
OUT       the folder; without it pack/
PART      the size of its parts at most, 40M for instance; without it one part
WHEELS    1: brings wheels of all packages but torch; names: of these alone
PYTHON_VERSION, PLATFORM   what the wheels are for; without them this Python, and Linux on x86-64

What must be there is printed. `bash OUT/run.sh` runs it, see node.py; `make unpack` takes in what that gives.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from dvc.stage import PipelineStage

from brisc.config import load_params
from brisc.errors import InputError
from pipeline import bundle, command
from pipeline.books import opened, pending, run_of, trainings
from pipeline.node import PACK
from pipeline.objects import files_of
from pipeline.packages import packages
from pipeline.parcel import Parcel, copy, lay, parcel_of

ROOT = Path(__file__).parents[1]
SCRATCH = Path(".scratch")
# What runs there before anything is unpacked.
CARRIED = (
    "pipeline/__init__.py",
    "pipeline/bundle.py",
    "pipeline/node.py",
    "pipeline/objects.py",
    "pipeline/remote.py",
    "pipeline/words.py",
    *(f"src/brisc/{name}.py" for name in ("__init__", "atomic", "devices", "errors")),
)
LINUX = "manylinux_2_28_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64"


def pack(profile: str, runs: list[str], out: Path, part: int | None) -> bundle.Bundle:
    """Write the folder, and say what is in it."""
    root = Path.cwd()
    with opened(profile) as repo:
        stages = pending(repo, named(trainings(repo), runs))
        if not stages:
            raise InputError(
                "nothing to pack",
                where=f"runs/{profile}",
                got=f"{' '.join(runs) or 'all runs'}: trained and evaluated",
                expected="a run that is not",
                mend="Name others.",
            )
        parcels = [(run_of(stage), parcel_of(stage)) for stage in stages]
    laid = root / SCRATCH / "pack"
    shutil.rmtree(laid, ignore_errors=True)
    made = {output: parcel.stage for _, parcel in parcels for output in parcel.outputs}
    for _, parcel in parcels:
        outside = tuple(name for name in parcel.inputs if name not in made)
        lay(replace(parcel, inputs=outside), root, laid, os.symlink)
    files = [(path.relative_to(laid).as_posix(), path) for path in files_of(laid)]
    about = {
        "profile": profile,
        "data": fingerprint(root / "data" / profile / "cache" / "fingerprint.json"),
        "packages": packages(path for _, path in files if path.suffix == ".py"),
        "stages": {parcel.stage: described(run, parcel, made) for run, parcel in parcels},
    }
    for name in CARRIED:
        copy(ROOT / name, out / name)
    copy(ROOT / "pipeline" / "run.sh", out / "run.sh")
    bundle.write(out, PACK, files, about, part)
    shutil.rmtree(laid)
    return bundle.read(out, PACK)


def named(stages: list[PipelineStage], runs: list[str]) -> list[PipelineStage]:
    """Those of the runs; all of them where none is named."""
    known = dict.fromkeys(run_of(stage) for stage in stages)
    cells = [run for run in known if run.startswith("grid/")]
    wanted = {run for name in runs for run in (cells if name == "grid" else [name])}
    if unknown := sorted(wanted - known.keys()):
        raise InputError(
            "no such run",
            where="RUNS",
            got=", ".join(unknown),
            expected=f"some of {', '.join(known)}, or grid",
            mend="Correct it, or add the run to params.yaml.",
        )
    return [stage for stage in stages if not runs or run_of(stage) in wanted]


def described(run: str, parcel: Parcel, made: dict[str, str]) -> dict[str, Any]:
    """What the node must know of a stage. made: outputs that come into being there, and of which stage."""
    return {
        "run": run,
        "command": parcel.command,
        "inputs": list(parcel.inputs),
        "outputs": list(parcel.outputs),
        "needs": [made[name] for name in parcel.inputs if name in made],
    }


def fingerprint(path: Path) -> str | None:
    """Of the data, as results tell it."""
    return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"]) if path.is_file() else None


def bring_wheels(found: dict[str, Any], wanted: str, out: Path) -> None:
    """Download wheels of these packages, "1" for all, into the folder `out`."""
    names = list(found) if wanted == "1" else wanted.split()
    if unknown := [name for name in names if name not in found]:
        raise InputError(
            "packages that no stage needs",
            where="WHEELS",
            got=", ".join(unknown),
            expected=f"1, or some of {', '.join(found)}",
            mend="Correct it.",
        )
    version = os.environ.get("PYTHON_VERSION") or ".".join(platform.python_version_tuple()[:2])
    words = ["--quiet", "--no-deps", "--only-binary=:all:", f"--python-version={version}", f"--dest={out}"]
    words += [f"--platform={name}" for name in (os.environ.get("PLATFORM") or LINUX).split()]
    shutil.rmtree(out, ignore_errors=True)
    pins = [f"{name}=={found[name]['version']}" for name in names]
    subprocess.run([sys.executable, "-m", "pip", "download", *words, *pins], check=True)


def main() -> int:
    asked = {name: os.environ.get(name, "") for name in ("RUNS", "PROFILE", "OUT", "PART", "WHEELS")}
    out = Path(asked["OUT"] or "pack")
    done = pack(
        asked["PROFILE"] or load_params().profile,
        asked["RUNS"].split(),
        out,
        bundle.size_of(asked["PART"], "PART"),
    )
    if asked["WHEELS"]:
        bring_wheels(done.about["packages"], asked["WHEELS"], out / "wheels")
    imported = [
        f"{name} {each['version']}" for name, each in done.about["packages"].items() if each["imported"]
    ]
    size = sum(each["bytes"] for each in done.parts)
    print(f"{out}: {', '.join(done.about['stages'])}")
    print(f"{len(done.files)} files in {len(done.parts)} parts, {size / 1e6:.1f} MB")
    print(f"It needs Python 3.11 or newer with torch, and there or as wheels {', '.join(imported)}.")
    print(f"There: bash {out.name}/run.sh   Then here: make unpack RESULTS={out.name}/results")
    return 0


if __name__ == "__main__":
    command.run(main)
