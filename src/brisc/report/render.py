"""report.md, claims.md and the charts, made of result files alone."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path

import jinja2

from brisc.analysis.claims import Finding, judge_all, tally
from brisc.analysis.results import Results, read_results
from brisc.analysis.standing import tiers
from brisc.atomic import atomic, write_text
from brisc.report import prose, tables
from brisc.report.cells import Table
from brisc.report.claims import claims_text
from brisc.report.figures import PHANTOM, Chart, charts, save
from brisc.report.heads import HEADS

CHARTS = "figures"


def render(reports: Path, *, profile: str, published: Path, estimate: Path) -> None:
    """Write reports/report.md, reports/claims.md and reports/figures/*.png from the result files in
    `reports`.

    What is read is said in `read_results`; published: the figures and settings of the reproduced study;
    estimate: memory at the size of the full study, where it was counted. The same input gives the same bytes.
    Raises InputError for a file, column or key that is missing or unusable; then nothing is written.
    """
    results = read_results(reports, profile=profile, published=published, estimate=estimate)
    drawn, findings = charts(results), judge_all(results)
    report = report_text(results, drawn, findings)
    claims = _tidy(claims_text(_environment(), results, findings))
    with atomic(reports / CHARTS) as folder:
        folder.mkdir()
        for chart in drawn:
            save(chart, folder)
    write_text(reports / "report.md", report)
    write_text(reports / "claims.md", claims)


def report_text(results: Results, drawn: Sequence[Chart], findings: Sequence[Finding]) -> str:
    """The report in Markdown. Tables and figures are numbered as they come; those of phantoms say so in each
    caption."""
    table_number, figure_number = count(1), count(1)
    label = f" ({PHANTOM})" if results.phantom else ""
    by_name = {chart.name: chart for chart in drawn}

    def table(made: Table) -> str:
        return f"**Table {next(table_number)}{label}.** {made.caption}\n\n{made.markdown()}"

    def figure(name: str) -> str:
        number, chart = next(figure_number), by_name[name]
        return f"![Figure {number}]({CHARTS}/{chart.name}.png)\n\n**Figure {number}{label}.** {chart.caption}"

    text = (
        _environment()
        .get_template("report.md.jinja")
        .render(
            results=results,
            total=len(findings),
            tally=tally(findings),
            prose=prose,
            tables=tables,
            table=table,
            figure=figure,
            figures=set(by_name),
            heads=tuple(HEADS.values()),
            phantom=PHANTOM,
            comparisons=[head for head in HEADS.values() if tiers(results, head, "official") is not None],
        )
    )
    return _tidy(text)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("brisc.report"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
