"""The tables of the report."""

from brisc.report.tables import (
    ablation,
    classification,
    comparisons,
    cost,
    data,
    grid,
    provenance,
    results,
    segmentation,
)

__all__ = [
    "ablation",
    "classification",
    "comparisons",
    "cost",
    "data",
    "grid",
    "provenance",
    "results",
    "segmentation",
]
