"""make keep: put the small results of finished trainings where git carries them, so that a clone need not
train again.

    python -m pipeline.keep

kept/ is a DVC remote inside the repository. It gets the plan and the results of the profile in params.yaml,
which is all that reports and page read of a training, the exported model that `brisc predict` uses, and the
weights of a few runs, so that an edit of evaluation or export trains none of them again; other weights stay
in DVC's cache. Objects that dvc.lock no longer names are removed. Elsewhere
`dvc pull --remote kept --allow-missing` brings the results back, and
`dvc repro --allow-missing` goes on from there.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from brisc.config import load_params, read_yaml
from brisc.errors import InputError
from pipeline import command
from pipeline.dvc import DVC
from pipeline.objects import remove, unnamed

KEPT = Path("kept")
STAGES = ("plan", "evaluate", "grid", "vote")  # what reports and page are made of
WEIGHTS = ("bifpn_unet", "efficientnet_lite0", "joint", "unet", "unet_lite0")  # 55 MB in all
EXPORTED = ("joint",)  # one net with both heads


def results(stages: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The outputs of dvc.lock that are kept, of all profiles."""
    for name in sorted(stages):
        stage, _, member = name.partition("@")
        run = member.partition("-")[2]
        if stage in STAGES or run in {"train": WEIGHTS, "export": EXPORTED}.get(stage, ()):
            yield from stages[name]["outs"]


def keep() -> str:
    """Push, tidy up, and say what is kept now."""
    profile, stages = load_params().profile, read_yaml(Path("dvc.lock"))["stages"]
    paths = [Path(out["path"]) for out in results(stages)]
    finished = [path for path in paths if path.parts[1] == profile and path.exists()]
    count = sum(
        path.parts[0] == "runs" and path.stem != "plan" and path.parts[2] != "train" for path in finished
    )
    if count == 0:
        raise InputError(
            f"nothing to keep of {profile}",
            where=f"runs/{profile}",
            got="no evaluated run and no cell of the grid",
            expected="at least one",
            mend=f"Run make repro, or dvc repro evaluate@{profile}-<run>.",
        )
    with Repo() as repo:  # DVC pushes what params.yaml names, of which dvc.lock may have more
        known = {Path(out.fs_path).relative_to(Path.cwd()) for out in repo.index.outs}
    finished = [path for path in finished if path in known]
    subprocess.run([*DVC, "push", "--quiet", "--remote", "kept", *map(str, finished)], check=True)
    for path in unnamed(KEPT, {out["md5"] for out in results(stages)}):
        remove(path)
    size = sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file())
    return (
        f"{count} results of {profile} are in {KEPT}/, {size / 2**20:.1f} MiB in all; commit it with dvc.lock"
    )


def main() -> int:
    print(keep())
    return 0


if __name__ == "__main__":
    command.run(main)
