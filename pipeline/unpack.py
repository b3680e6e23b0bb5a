"""make unpack: what `bash run.sh` gave, stored as if it had run here.

    python -m pipeline.unpack

Settings, by environment:
RESULTS          the folder, all parts of it
WITHOUT_WEIGHTS  1: outputs with weights stay where they are; dvc.lock says what they were, as it does of
                 trainings whose results are in kept/

A result is stored where its stage would give it today: the same command and the same inputs, plan and data
among them. Everything is checked before anything is stored.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dvc.output import Output
from dvc.repo import Repo, lock_repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta

from brisc.config import Strict, checked
from brisc.errors import InputError
from pipeline import bundle, command
from pipeline.books import held, locked, opened, pending, reproduce, steps, trainings, write_lock
from pipeline.node import RESULTS, WEIGHTS, leaves_weights
from pipeline.objects import digest
from pipeline.parcel import is_plan, move
from pipeline.words import last_words, roughly

UNPACKED = Path(".scratch/unpacked")


@dataclass(frozen=True, kw_only=True)
class Stored(Strict):
    """An output: its digest as DVC has it, bytes and number of files."""

    md5: str
    size: int
    files: int


@dataclass(frozen=True, kw_only=True)
class Record(Strict):
    """What the node says of a stage. inputs: their digests. log: the end of it."""

    command: str
    inputs: dict[str, str]
    outputs: dict[str, Stored]
    device: str
    seconds: float
    log: list[str]


@dataclass(frozen=True, kw_only=True)
class Failure(Strict):
    code: int
    log: list[str]


@dataclass(frozen=True, kw_only=True)
class Results(Strict):
    """What the list of a node's results says beside files and parts. data: the fingerprint of its data."""

    profile: str
    data: str | None
    machine: str
    python: str
    packages: dict[str, str]
    stages: dict[str, Record]
    left_behind: list[str]
    failed: dict[str, Failure]


@dataclass(frozen=True)
class Arrival:
    """A stage that ran elsewhere. behind: its outputs stay there. here: it is stored already."""

    stage: PipelineStage
    record: Record
    behind: bool
    here: bool


def unpack(folder: Path, *, without_weights: bool) -> Iterator[str]:
    """Store the results, and say so in a line for each."""
    found = bundle.read(folder, RESULTS)
    results: Results = checked(Results, found.about, folder / RESULTS, "")
    with opened(results.profile) as repo, held(repo):
        shutil.rmtree(UNPACKED, ignore_errors=True)
        try:
            bundle.lay_out(found, UNPACKED)
            yield from store(repo, list(Check(repo, folder, results, without_weights).arrivals()))
        finally:
            shutil.rmtree(UNPACKED, ignore_errors=True)
    for name, failure in results.failed.items():
        why = last_words("\n".join(failure.log))
        yield f"{name} failed there: {why}"


class Check:
    """Whether results are what this repository's stages would give today. Raises InputError where not."""

    def __init__(self, repo: Repo, folder: Path, results: Results, without_weights: bool) -> None:
        self.repo, self.folder, self.results, self.without_weights = repo, folder, results, without_weights
        self.stages = {stage.addressing: stage for stage in trainings(repo)}
        self.made = outputs_of(repo)

    def arrivals(self) -> Iterator[Arrival]:
        for name in self.results.stages:
            if name not in self.stages:
                raise self._refused(
                    "a stage that is not in this repository", name, "no such stage", "one of it"
                )
        stages = [stage for name, stage in self.stages.items() if name in self.results.stages]
        todo = pending(self.repo, stages)
        for stage in stages:
            record = self.results.stages[stage.addressing]
            self._check_names(stage, record)
            self._check_inputs(stage, record)
            behind = self._behind(stage, record)
            if not behind:
                self._check_outputs(stage, record)
            yield Arrival(stage, record, behind, stage not in todo and self._here(stage, record, behind))

    def _check_names(self, stage: PipelineStage, record: Record) -> None:
        """The same command, and inputs and outputs of the same names."""
        ours = [stage.cmd, *(sorted(each.def_path for each in group) for group in (stage.deps, stage.outs))]
        theirs = [record.command, sorted(record.inputs), sorted(record.outputs)]
        for what, got, expected in zip(("commands", "inputs", "outputs"), theirs, ours, strict=True):
            if got != expected:
                raise self._refused(f"a stage of other {what}", stage.addressing, got, expected)

    def _check_inputs(self, stage: PipelineStage, record: Record) -> None:
        """Inputs that are today's, or others of these results."""
        for dep in stage.deps:
            path, today = dep.def_path, self._today(dep)
            if record.inputs[path] != today:
                what = "made with another plan" if is_plan(path) else "made of other data"
                raise self._refused(
                    f"{what}, {path}",
                    stage.addressing,
                    record.inputs[path],
                    today or "none: it is not at hand",
                )

    def _today(self, dep: Output) -> str | None:
        """What a stage's input is: among these results, else in the work tree, else by dvc.lock."""
        for record in self.results.stages.values():
            if dep.def_path in record.outputs:
                return record.outputs[dep.def_path].md5
        if dep.exists:
            return str(dep.get_hash().value)
        return self.made[dep.fs_path].hash_info.value if dep.fs_path in self.made else None

    def _behind(self, stage: PipelineStage, record: Record) -> bool:
        brought = [path for path in record.outputs if (UNPACKED / path / WEIGHTS).exists()]
        behind = [path for path in record.outputs if path in self.results.left_behind]
        if behind and not self.without_weights:
            raise self._refused(
                f"weights stayed behind, {behind[0]}",
                stage.addressing,
                "no weights",
                "all outputs",
                "Use WITHOUT_WEIGHTS=1 to go on without them.",
            )
        return bool(behind or (brought and self.without_weights))

    def _check_outputs(self, stage: PipelineStage, record: Record) -> None:
        for path, stored in record.outputs.items():
            if (found := digest(UNPACKED / path)) != stored.md5:
                raise self._refused(f"a damaged output, {path}", stage.addressing, found, stored.md5)

    def _here(self, stage: PipelineStage, record: Record, behind: bool) -> bool:
        """Whether this very result is stored; outputs that dvc.lock has and nobody else are not."""
        for out in stage.outs:
            if (found := out.hash_info.value) != record.outputs[out.def_path].md5:
                raise self._refused(
                    f"another result is here already, {out.def_path}",
                    stage.addressing,
                    record.outputs[out.def_path].md5,
                    found,
                    "Leave it there with RUNS=... bash run.sh, or give this stage up here first.",
                )
        return behind or all(out.exists or not out.changed_cache() for out in stage.outs)

    def _refused(
        self, what: str, name: str, got: object, expected: object, mend: str = "Pack today's, run it again."
    ) -> InputError:
        return InputError(what, where=f"{self.folder}, {name}", got=got, expected=expected, mend=mend)


def store(repo: Repo, arrivals: list[Arrival]) -> Iterator[str]:
    """One after the other, each with all that it has; dvc.lock in the end."""
    # Read now: DVC reads its stages anew once it has stored something.
    made, before, order = outputs_of(repo), locked(repo), [step.addressing for step in steps(repo)]
    stored: list[PipelineStage] = []
    try:
        for arrival in arrivals:
            stage, record = arrival.stage, arrival.record
            told = f"{stage.addressing}: {record.device}, {roughly(record.seconds)}"
            if arrival.here:
                yield f"{told}; here already"
                continue
            absent = [dep for dep in stage.deps if not dep.exists]
            for dep in absent:
                dep.hash_info, dep.meta = made[dep.fs_path].hash_info, made[dep.fs_path].meta
            if arrival.behind or absent:
                with lock_repo(repo):
                    keep(arrival)
            else:
                reproduce(repo, stage, partial(bring, stage), force=True)
            stored.append(stage)
            yield f"{told}{'; weights stayed there' if arrival.behind else ''}"
    finally:
        if stored:
            write_lock(repo, stored, [name for name in order if name not in before])


def bring(stage: PipelineStage) -> None:
    for out in stage.outs:
        move(UNPACKED / out.def_path, Path(out.fs_path))


def keep(arrival: Arrival) -> None:
    """Store a stage of which not all inputs are at hand, or tell dvc.lock of outputs that are elsewhere.

    The run-cache, in which DVC looks by inputs that are at hand, gets no entry.
    """
    stage = arrival.stage
    stage.save_deps(allow_missing=True)
    stage.remove_outs(ignore_remove=False, force=False)  # older ones would pass for these
    if not arrival.behind:
        bring(stage)
        stage.save_outs()
        stage.commit()
        return
    for out in stage.outs:
        stored = arrival.record.outputs[out.def_path]
        folder = stored.md5.endswith(".dir")
        out.hash_info = HashInfo("md5", stored.md5)
        out.meta = Meta(size=stored.size, nfiles=stored.files if folder else None, isdir=folder)


def outputs_of(repo: Repo) -> dict[str, Output]:
    return {out.fs_path: out for stage in repo.index.stages for out in stage.outs}


def main() -> int:
    if not (folder := os.environ.get("RESULTS", "")):
        raise InputError(
            "no results named",
            where="make unpack",
            got="nothing",
            expected="the folder that run.sh wrote",
            mend="Use make unpack RESULTS=pack/results.",
        )
    for line in unpack(Path(folder), without_weights=leaves_weights(os.environ)):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    command.run(main)
