"""The report, the ledger of claims and the details as one HTML file for paper: charts embedded, nothing
loaded, laid out for A4."""

import base64
import html
import re
from pathlib import Path

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token

from brisc.atomic import write_text
from brisc.errors import InputError

# The chapters, and the anchor of each: links from one file to another stay links within the page.
CHAPTERS = {"report.md": "report", "claims.md": "claims", "details.md": "details"}


def write_print(reports: Path, out: Path) -> None:
    """Write `out`, an HTML page, from the chapters in `reports` and the charts that they show.

    The same input gives the same bytes. Raises InputError for a file that is missing.
    """
    chapters = {anchor: _chapter(reports / name) for name, anchor in CHAPTERS.items()}
    title = re.search(r"<h1>(.*?)</h1>", next(iter(chapters.values())))
    plain = html.unescape(re.sub(r"<.*?>", "", title.group(1))) if title is not None else reports.name
    page = _environment().get_template("print.html.jinja").render(title=plain, chapters=chapters)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, page)


def _chapter(path: Path) -> str:
    """The HTML of a Markdown file; its pictures are data, its links to other chapters anchors."""
    if not path.is_file():
        raise InputError(
            "no such report",
            where=path,
            got="no file",
            expected="what the render stage writes",
            mend="Run dvc repro.",
        )
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    for token in (child for block in tokens for child in block.children or ()):
        _resolve(token, path.parent)
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def _resolve(token: Token, folder: Path) -> None:
    if token.type == "image":
        picture = folder / str(token.attrs["src"])
        if not picture.is_file():
            raise InputError(
                "a chart is missing",
                where=picture,
                got="no file",
                expected="a chart of the report",
                mend="Run dvc repro.",
            )
        token.attrs["src"] = f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
    elif token.type == "link_open":
        chapter, _, _ = str(token.attrs["href"]).partition("#")
        if chapter in CHAPTERS:
            token.attrs["href"] = f"#{CHAPTERS[chapter]}"


def _environment() -> jinja2.Environment:
    # The chapters are HTML that was made here; the title is escaped.
    return jinja2.Environment(
        loader=jinja2.PackageLoader("brisc.report"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
