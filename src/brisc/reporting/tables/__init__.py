"""The tables of the report."""

from brisc.reporting.tables import classification, comparisons, cost, data, grid, provenance, results, segmentation

__all__ = ["classification", "comparisons", "cost", "data", "grid", "provenance", "results", "segmentation"]
