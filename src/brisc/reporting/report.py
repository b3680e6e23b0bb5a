"""report.md and its charts, made of result files alone."""

import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import jinja2

from brisc.atomic import atomic, write_text
from brisc.reporting import data_tables, prose, tables
from brisc.reporting import provenance as origin
from brisc.reporting.cells import Table
from brisc.reporting.figures import PHANTOM, Chart, charts, save
from brisc.reporting.results import Results, read_results

CHARTS = "figures"


def render(reports: Path, *, profile: str, published: Path) -> None:
    """Write reports/report.md and reports/figures/*.png from the result files in `reports`.

    reports: the folder with metrics.json, runs.json, provenance.json, validation.json, history.csv, per_image.csv and, where an
    audit was run, audit.json. published: the figures and settings of the reproduced study. The same input gives the same bytes.
    Raises InputError for a file, column or key that is missing or unusable; then nothing is written.
    """
    results = read_results(reports, profile=profile, published=published)
    drawn = charts(results)
    text = report_text(results, drawn)
    with atomic(reports / CHARTS) as folder:
        folder.mkdir()
        for chart in drawn:
            save(chart, folder)
    write_text(reports / "report.md", text)


def report_text(results: Results, drawn: Sequence[Chart]) -> str:
    """The report in Markdown. Tables and figures are numbered as they come; those of phantoms say so in each caption."""
    table_number, figure_number = count(1), count(1)
    label = f" ({PHANTOM})" if results.phantom else ""
    by_name = {chart.name: chart for chart in drawn}

    def table(made: Table) -> str:
        return f"**Table {next(table_number)}{label}.** {made.caption}\n\n{made.markdown()}"

    def figure(name: str) -> str:
        number, chart = next(figure_number), by_name[name]
        return f"![Figure {number}]({CHARTS}/{chart.name}.png)\n\n**Figure {number}{label}.** {chart.caption}"

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brisc.reporting"), undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    text = environment.get_template("report.md.jinja").render(
        results=results, tables=tables, data_tables=data_tables, origin=origin, prose=prose, table=table, figure=figure,
        figures=set(by_name), phantom=PHANTOM,
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text)
