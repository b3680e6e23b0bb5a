"""What the results say, question by question: numbers and verdicts are found here, templates put them into
words."""

from dataclasses import dataclass

from brisc.analysis.findings.attention import Attention, attention, trained_pair
from brisc.analysis.findings.classification import Calibration, Confusion, calibration, confusion
from brisc.analysis.findings.copies import Copies, Files, Worth, conflicts, copies, files, worths
from brisc.analysis.findings.efficiency import Efficiency, efficiency
from brisc.analysis.findings.grid import Searched, searched
from brisc.analysis.findings.joint import JointAgainstSeparate, joint
from brisc.analysis.findings.recipes import Study, studies
from brisc.analysis.findings.scores import Scores, Span, scores
from brisc.analysis.findings.segmentation import BySize, Errors, by_size, errors
from brisc.analysis.results import Results
from brisc.vocabulary import HEADS

__all__ = ["Findings", "Span", "find", "trained_pair"]


@dataclass(frozen=True)
class Findings:
    """scores: by head, for the heads that a model has. None and empty stand for what was not run."""

    scores: dict[str, Scores]
    by_size: tuple[BySize, ...]
    errors: Errors | None
    confusion: Confusion | None
    calibration: Calibration | None
    attention: Attention
    efficiency: Efficiency
    joint: JointAgainstSeparate
    grid: Searched | None
    recipes: tuple[Study, ...]
    copies: Copies
    worths: tuple[Worth, ...]
    conflicts: tuple[tuple[str, int], ...]
    files: Files


def find(results: Results) -> Findings:
    masks, labels = bool(results.masks()), bool(results.labels())
    return Findings(
        scores={name: scores(results, head) for name, head in HEADS.items() if results.with_head(head)},
        by_size=by_size(results) if masks else (),
        errors=errors(results) if masks else None,
        confusion=confusion(results) if labels else None,
        calibration=calibration(results) if labels else None,
        attention=attention(results),
        efficiency=efficiency(results),
        joint=joint(results),
        grid=searched(results),
        recipes=studies(results),
        copies=copies(results),
        worths=worths(results.beyond),
        conflicts=conflicts(results),
        files=files(results),
    )
