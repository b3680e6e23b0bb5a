"""report.md, details.md, claims.md and the charts, made of result files alone."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from pathlib import Path

import jinja2

from brisc.analysis.claims import Finding, judge_all, judged_scores, of_study, tally
from brisc.analysis.findings import find
from brisc.analysis.results import Results, read_results
from brisc.atomic import atomic, write_text
from brisc.report import cells, tables, words
from brisc.report.cells import Table
from brisc.report.claims import claims_text
from brisc.report.figures import PHANTOM, Chart, charts, save
from brisc.report.heads import DISPLAYS
from brisc.vocabulary import HEADS

CHARTS = "figures"

# Of report.md, in the order in which a reader asks.
CHAPTERS = (
    "answer",
    "segmentation",
    "attention",
    "classification",
    "efficiency",
    "joint",
    "grid",
    "recipes",
    "data",
    "beyond",
)

# What templates write numbers and lists with.
WRITTEN = {
    "coarse_percent": cells.coarse_percent,
    "decimals3": cells.decimals3,
    "in_words": cells.in_words,
    "macs": cells.macs,
    "millions": cells.millions,
    "p_value": cells.p_value,
    "percent": cells.percent,
    "points": cells.signed_points,
    "setting": cells.setting,
    "tenth": cells.tenth,
    "thousands": cells.thousands,
    "whole_percent": cells.whole_percent,
    "duration": words.duration,
    "equals": words.equals,
    "hours": words.hours,
    "joined": words.joined,
    "named": words.named,
    "number_of": words.number_of,
    "span": words.span,
    "with_flips": words.with_flips,
    "measures": words.MEASURES,
    "displays": DISPLAYS,
}


def render(reports: Path, *, profile: str, published: Path, estimate: Path) -> None:
    """Write reports/{report,details,claims}.md and reports/figures/*.png from the result files in `reports`.

    What is read is said in `read_results`; published: the figures and settings of the reproduced study;
    estimate: memory at the size of the full study, where it was counted. The same input gives the same bytes.
    Raises InputError for a file, column or key that is missing or unusable; then nothing is written.
    """
    results = read_results(reports, profile=profile, published=published, estimate=estimate)
    drawn, claims = charts(results), judge_all(results)
    texts = report_texts(results, drawn, claims)
    texts["claims.md"] = _tidy(claims_text(_environment(), results, claims))
    with atomic(reports / CHARTS) as folder:
        folder.mkdir()
        for chart in drawn:
            save(chart, folder)
    for name, text in texts.items():
        write_text(reports / name, text)


def report_texts(results: Results, drawn: Sequence[Chart], claims: Sequence[Finding]) -> dict[str, str]:
    """report.md, and details.md, whose tables and figures have a D before their number."""
    judged = of_study(claims)
    context = {
        "results": results,
        "found": find(results),
        "provenance": results.provenance,
        "size": results.provenance["data"]["size"],
        "total": len(judged),
        "tally": tally(judged),
        "judged_scores": judged_scores(judged),
        "compared": [head for head in HEADS.values() if results.with_head(head)],
        "chapters": CHAPTERS,
        "figures": {chart.name for chart in drawn},
        "tables": tables,
        "phantom": PHANTOM,
    }
    label = f" ({PHANTOM})" if results.phantom else ""
    texts = {}
    for name, prefix in (("report.md", ""), ("details.md", "D")):
        template = _environment().get_template(f"{name}.jinja")
        table, figure = _tables(prefix, label), _figures(prefix, label, drawn)
        text = _tidy(template.render(**context, table=table, figure=figure))
        for run in results.not_of_study():
            text = text.replace(f"`{run}`", f"`{run}`\\*")
        texts[name] = text
    return texts


def _tables(prefix: str, label: str) -> Callable[..., str]:
    """A function of a table and, in a call block, of what is to be said behind its caption."""
    numbers = count(1)

    def table(made: Table, caller: Callable[[], str] = str) -> str:
        caption = f"**Table {prefix}{next(numbers)}{label}.** {made.caption} {_paragraph(caller())}"
        return f"{caption.rstrip()}\n\n{made.markdown()}\n"

    return table


def _figures(prefix: str, label: str, drawn: Sequence[Chart]) -> Callable[[str], str]:
    """A function of the name of a chart."""
    numbers, by_name = count(1), {chart.name: chart for chart in drawn}
    captions = _environment().get_template("captions.jinja").module

    def figure(name: str) -> str:
        number, caption = f"{prefix}{next(numbers)}", getattr(captions, name)(by_name[name].facts)
        return (
            f"![Figure {number}]({CHARTS}/{name}.png)\n\n**Figure {number}{label}.** {_paragraph(caption)}\n"
        )

    return figure


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brisc.report"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(WRITTEN)
    environment.filters["paragraph"] = _paragraph
    return environment


def _paragraph(text: str) -> str:
    """One line, however its template is wrapped and whichever of its sentences are there."""
    return re.sub(r" +([.,;:)])", r"\1", " ".join(text.split()))


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
