"""The ledger of claims in Markdown: numbers by report.cells, words by templates/claims_words.md.jinja."""

from collections.abc import Callable, Sequence
from typing import Any

import jinja2

from brisc.analysis.claims import SAME_SPEED, Finding, by_topic, judged_scores, of_study, tally
from brisc.analysis.published import head_of
from brisc.analysis.results import Results
from brisc.report import cells
from brisc.report.cells import DASH, Cell, Table
from brisc.report.heads import DISPLAYS
from brisc.report.tables.provenance import deviations
from brisc.report.words import equals

Show = Callable[[Any], str]

HEADER = ["figure", "published", "ours", "95 % interval", "verdict", "why"]


def claims_text(environment: jinja2.Environment, results: Results, findings: Sequence[Finding]) -> str:
    """claims.md: the rules, the settings that differ, and a table for each topic."""
    words = environment.get_template("claims_words.md.jinja").make_module(WORDS)
    judged = of_study(findings)
    topics = dict.fromkeys(found.claim.topic for found in findings)
    return environment.get_template("claims.md.jinja").render(
        profile=results.profile,
        phantom=results.phantom,
        words=words,
        total=len(judged),
        tally=tally(judged),
        scores=judged_scores(judged),
        topics=by_topic(judged),
        same_speed=cells.whole_percent(SAME_SPEED),
        deviations=deviations(results),
        tables={topic: table(words, [f for f in findings if f.claim.topic == topic]) for topic in topics},
    )


def table(words: Any, findings: Sequence[Finding]) -> Table:
    """A row for each finding. words: the macros of claims_words.md.jinja."""
    return Table("", HEADER, [_row(words, finding) for finding in findings], words=(4, 5))


def _row(words: Any, finding: Finding) -> list[str | Cell]:
    claim, ours = finding.claim, finding.ours
    show_theirs, show_ours = _shows(words)[claim.figure]
    value: str | Cell
    interval: str | Cell
    if ours.missing is not None:
        value = interval = Cell(DASH, _line(words.no_value(ours.missing)))
    else:
        value = show_ours(ours.value)
        interval = Cell(DASH, _line(words.no_interval(claim.figure)))
    if ours.low is not None and ours.high is not None:
        interval = f"{show_ours(ours.low)} to {show_ours(ours.high)}"
    figure, why = _line(words.figure(claim)), _line(words.why(finding))
    return [figure, show_theirs(claim.published), value, interval, f"**{finding.verdict}**", why]


def _line(text: str) -> str:
    """The words of a macro, which may have been written on several lines."""
    return " ".join(text.split())


def _shows(words: Any) -> dict[str, tuple[Show, Show]]:
    """How the published value and ours are written, by kind of figure."""
    return {
        "count": (cells.thousands, cells.thousands),
        "score": (cells.percent, cells.percent),
        "class_score": (cells.coarse_percent, cells.percent),
        "other_score": (cells.percent, cells.percent),
        "validation_score": (cells.percent, cells.percent),
        "order": (cells.signed_points, cells.signed_points),
        "gap": (cells.signed_points, cells.signed_points),
        "best_cell": (words.cell, words.best),
        "cell_score": (cells.percent, cells.percent),
        "higher_rates": (words.answer, words.answer),
        "size": (cells.thousands, cells.tenth),
        "speed": (cells.thousands, cells.tenth),
        "cell_minutes": (cells.thousands, cells.tenth),
        "hours": (cells.thousands, cells.tenth),
    }


def _metric(key: str) -> str:
    return DISPLAYS[head_of(key)].metric(key).name.removesuffix(", %")


def _measure(key: str) -> str:
    return DISPLAYS[head_of(key)].measure


# What the macros write numbers with.
WORDS = {
    "metric": _metric,
    "measure": _measure,
    "equals": equals,
    "p_value": cells.p_value,
    "percent": cells.percent,
    "points": cells.signed_points,
    "setting": cells.setting,
    "tenth": cells.tenth,
    "thousands": cells.thousands,
}
