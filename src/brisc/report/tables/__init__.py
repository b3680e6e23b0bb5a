"""The tables of the report."""

from brisc.report.tables import (
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
