"""The tables of the report."""

from brisc.report.tables import (
    beyond,
    classification,
    comparisons,
    cost,
    data,
    grid,
    provenance,
    recipes,
    scores,
    segmentation,
)

__all__ = [
    "beyond",
    "classification",
    "comparisons",
    "cost",
    "data",
    "grid",
    "provenance",
    "recipes",
    "scores",
    "segmentation",
]
