"""Charts of the report: result files in, PNG out. One style for all; the same input gives the same bytes."""

import os

# A notebook hands on a backend that need not be installed here, and then matplotlib cannot be imported.
os.environ["MPLBACKEND"] = "agg"

from brisc.analysis.findings import trained_pair
from brisc.analysis.results import Results
from brisc.report.figures import classification, data, grid, pairs, scores, segmentation, training
from brisc.report.figures.style import PHANTOM, Chart, save, style
from brisc.vocabulary import HEADS

__all__ = ["PHANTOM", "Chart", "charts", "save", "style"]


def charts(results: Results) -> list[Chart]:
    """Every chart for which there is data."""
    with style():
        drawn = [training.learning_curves(results)]
        drawn += [scores.comparison(results, head) for head in HEADS.values() if results.with_head(head)]
        if results.masks():
            drawn += [
                data.class_mix(results),
                segmentation.size_strata(results),
                segmentation.dice_distribution(results),
                segmentation.dice_heatmap(results),
                segmentation.dice_by_size(results),
            ]
        if results.labels():
            drawn += [classification.confusion(results), classification.reliability(results)]
        drawn.append(scores.efficiency(results))
        drawn += _of_comparisons(results)
        if results.grid is not None:
            drawn += grid.grid_charts(results, results.grid)
        drawn += data.audit_charts(results, results.audit)
    return drawn


def _of_comparisons(results: Results) -> list[Chart]:
    pair, joint = trained_pair(results), results.comparisons["joint_against_separate"]
    drawn = [
        None if pair is None else pairs.attention(results, pair),
        None if joint is None else pairs.joint(results, results.comparisons.record("joint_against_separate")),
    ]
    return [chart for chart in drawn if chart is not None]
