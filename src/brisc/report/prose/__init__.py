"""The sentences of the report, all of them made of results."""

from brisc.report.prose import (
    ablation,
    answer,
    attention,
    classification,
    data,
    efficiency,
    grid,
    joint,
    segmentation,
)

__all__ = [
    "ablation",
    "answer",
    "attention",
    "classification",
    "data",
    "efficiency",
    "grid",
    "joint",
    "segmentation",
]
