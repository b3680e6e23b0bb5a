from pathlib import Path

import pytest

from brisc.errors import InputError
from brisc.report.printed import write_print

PIXEL = bytes.fromhex("89504e470d0a1a0a")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "a.png").write_bytes(PIXEL)
    (folder / "report.md").write_text(
        "# Results of `demo` <&>\n\n- see [claims.md](claims.md)\n- [details](details.md#more)\n\n"
        "![Figure 1](figures/a.png)\n\n**Figure 1.** A caption.\n\n"
        "| name | n |\n| :-- | --: |\n| a | 1<sup>b</sup> |\n"
    )
    (folder / "claims.md").write_text("# Claims\n\n- [BRISC](https://example.org)\n")
    (folder / "details.md").write_text("# Details\n\nMore.\n")
    return folder


def test_one_file_holds_all_chapters_and_the_charts(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "site" / "report.html"
    write_print(reports, out)
    page = out.read_text()
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="Figure 1"' in page
    assert '<a href="#claims">claims.md</a>' in page
    assert '<a href="#details">details</a>' in page
    assert '<article id="claims">\n<h1>Claims</h1>' in page
    assert '<td style="text-align:right">1<sup>b</sup></td>' in page
    assert "<title>Results of demo &amp;lt;&amp;amp;&amp;gt;</title>" not in page
    assert "<title>Results of demo &lt;&amp;&gt;</title>" in page


def test_nothing_is_loaded(reports: Path, tmp_path: Path) -> None:
    write_print(reports, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "<script" not in page
    assert 'src="figures' not in page


def test_the_same_input_gives_the_same_bytes(reports: Path, tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_print(reports, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("report.md", "no such report"),
        ("claims.md", "no such report"),
        ("details.md", "no such report"),
        ("figures/a.png", "a chart is missing"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    reports: Path, tmp_path: Path, name: str, told: str
) -> None:
    (reports / name).unlink()
    with pytest.raises(InputError, match=f"{Path(name).name}: {told}"):
        write_print(reports, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
