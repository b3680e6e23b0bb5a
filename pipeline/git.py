"""The few questions to git that the drivers have."""

import subprocess
from pathlib import Path

from brisc.errors import InputError


def git(place: Path, *words: str) -> str:
    """What `git WORDS` prints in `place`, without the last line's end. Raises CalledProcessError when git
    fails."""
    return subprocess.run(
        ["git", *words], cwd=place, capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")


def clean_head(place: Path) -> str:
    """The commit checked out in `place`. Raises InputError for a shallow clone and for a tree that differs
    from the commit."""
    if git(place, "rev-parse", "--is-shallow-repository") == "true":
        raise InputError(
            "a shallow clone, in which DVC loses the results of experiments without a word",
            where=place.name,
            got="--depth",
            expected="all commits",
            mend="Run git fetch --unshallow.",
        )
    changed = git(place, "status", "--porcelain").splitlines()
    if changed:
        raise InputError(
            "experiments of a commit that does not say what is in the work tree",
            where=place.name,
            got=f"{len(changed)} changed or new files ({changed[0].split()[-1]})",
            expected="a clean tree",
            mend="Commit, or git stash --include-untracked.",
        )
    return git(place, "rev-parse", "HEAD")


def experiment_refs(place: Path, head: str) -> dict[str, str]:
    """{name: ref} of the experiments on commit `head`."""
    refs = git(place, "for-each-ref", "--format=%(refname)", f"refs/exps/{head[:2]}/{head[2:]}/").splitlines()
    return {ref.rsplit("/", 1)[1]: ref for ref in refs}
