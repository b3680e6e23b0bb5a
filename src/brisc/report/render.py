"""report.md, details.md, claims.md and the charts, made of result files alone."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from pathlib import Path

import jinja2

from brisc.analysis import claims as ledgers
from brisc.analysis.findings import find
from brisc.analysis.results import Results, read_results
from brisc.analysis.standing import tiers
from brisc.atomic import atomic, write_text
from brisc.report import cells, tables, words
from brisc.report.cells import Table
from brisc.report.figures import PHANTOM, Chart, charts, save
from brisc.report.heads import DISPLAYS
from brisc.report.tables.provenance import deviations
from brisc.vocabulary import HEADS

CHARTS = "figures"

# What templates write numbers and lists with.
WRITTEN = {
    "coarse_percent": cells.coarse_percent,
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
    drawn, ledger = charts(results), ledgers.claims(results)
    texts = {**report_texts(results, drawn, ledger), "claims.md": claims_text(results, ledger)}
    with atomic(reports / CHARTS) as folder:
        folder.mkdir()
        for chart in drawn:
            save(chart, folder)
    for name, text in texts.items():
        write_text(reports / name, text)


def report_texts(
    results: Results, drawn: Sequence[Chart], ledger: Sequence[ledgers.Claim]
) -> dict[str, str]:
    """report.md, and details.md, whose tables and figures have a D before their number."""
    context = {
        "results": results,
        "found": find(results),
        "verdicts": ledgers.tally(ledger),
        "compared": [head for head in HEADS.values() if tiers(results, head, "official") is not None],
        "tables": tables,
        "figures": {chart.name for chart in drawn},
        "phantom": PHANTOM,
    }
    label = f" ({PHANTOM})" if results.phantom else ""
    return {
        name: _tidy(
            _environment()
            .get_template(f"{name}.jinja")
            .render(**context, table=_numbered_tables(prefix, label), figure=_figures(prefix, label, drawn))
        )
        for name, prefix in (("report.md", ""), ("details.md", "D"))
    }


def _numbered_tables(prefix: str, label: str) -> Callable[..., str]:
    """A function of a table and, in a call block, what is to be said below its caption."""
    numbers = count(1)

    def table(made: Table, caller: Callable[[], str] = str) -> str:
        caption = f"**Table {prefix}{next(numbers)}{label}.** {made.caption} {caller()}".rstrip()
        return f"{caption}\n\n{made.markdown()}\n"

    return table


def _figures(prefix: str, label: str, drawn: Sequence[Chart]) -> Callable[[str], str]:
    numbers, by_name = count(1), {chart.name: chart for chart in drawn}

    def figure(name: str) -> str:
        number, chart = f"{prefix}{next(numbers)}", by_name[name]
        return f"![Figure {number}]({CHARTS}/{chart.name}.png)\n\n**Figure {number}{label}.** {chart.caption}"

    return figure


def claims_text(results: Results, ledger: Sequence[ledgers.Claim]) -> str:
    """The ledger of claims in Markdown."""
    text = (
        _environment()
        .get_template("claims.md.jinja")
        .render(
            profile=results.profile,
            phantom=results.phantom,
            counts=ledgers.counted(ledger),
            rules=ledgers.RULES,
            deviations=deviations(results),
            topics=list(dict.fromkeys(claim.topic for claim in ledger)),
            table=lambda topic: ledgers.table(ledger, topic).markdown(),
        )
    )
    return _tidy(text)


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
    return environment


def _tidy(text: str) -> str:
    """Each paragraph on one line, however its template is wrapped, and one blank line between blocks."""
    blocks = (_flow(block) for block in re.split(r"\n\s*\n", text) if block.strip())
    return "\n\n".join(blocks) + "\n"


def _flow(block: str) -> str:
    lines: list[str] = []
    for line in (line.strip() for line in block.strip().splitlines()):
        if not lines or line.startswith(("|", "- ", "#", ">")) or lines[-1].startswith(("|", "#")):
            lines.append(line if line.startswith("|") else " ".join(line.split()))
        else:
            lines[-1] += " " + " ".join(line.split())
    return "\n".join(lines)
