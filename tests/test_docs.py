"""README and docs/: every block is what the committed results give; what they link to and name exists."""

import re
from pathlib import Path

import pytest
import yaml

from brisc.config import read_yaml
from brisc.errors import InputError
from brisc.vocabulary import HEADS
from pipeline import docs

ROOT = Path(__file__).parents[1]
PAGES = docs.pages(ROOT)
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(params=PAGES, ids=[page.stem for page in PAGES])
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_block_is_what_the_committed_results_give(page: Path) -> None:
    """Mended by `make docs`."""
    assert docs.filled(TEXTS[page], ROOT, page) == TEXTS[page]


def test_every_block_that_is_made_is_shown_once() -> None:
    shown = [name for text in TEXTS.values() for _, name, *_ in docs.BLOCK.findall(text)]
    assert sorted(shown) == sorted(docs.BLOCKS)


def test_the_readme_is_short() -> None:
    assert len(TEXTS[ROOT / "README.md"].splitlines()) <= 150


def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(prose(TEXTS[page])) if "://" not in link]
    assert [link for link in links if not leads(page, link)] == []


def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"\bmake ([a-z]\w*)", commands(TEXTS[page]))) <= targets


def test_every_stage_exists(page: Path) -> None:
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    profiles = {path.stem for path in (ROOT / "profiles").glob("*.yaml")}
    params = read_yaml(ROOT / "params.yaml")
    cells = {
        f"{name}-{rate:g}"
        for name in params["grid"]["optimizers"]
        for rate in params["grid"]["learning_rates"]
    }
    for stage, profile, member in re.findall(r"\b([a-z_]+)@(\w+)(?:-([\w.-]*\w))?", TEXTS[page]):
        assert stage in stages
        assert profile in profiles
        if "run" in stages[stage]["matrix"]:
            assert member in params["runs"]
        elif "optimizer" in stages[stage]["matrix"]:
            assert member in cells
        else:
            assert member == ""


def test_every_setting_that_an_experiment_changes_exists(page: Path) -> None:
    """-S 'profiles/demo.yaml:train.seed=1', or 'grid.optimizers=[adam]' of params.yaml; + adds one."""
    for file, added, key in re.findall(r"-S '(?:([\w/.]+):)?(\+?)([\w.-]+)=", commands(TEXTS[page])):
        content = read_yaml(ROOT / (file or "params.yaml"))
        *parents, last = key.split(".")
        for name in parents:
            content = content[name]
        assert bool(added) is (last not in content)


def test_every_run_that_is_an_example_is_made_of_settings(page: Path) -> None:
    """A block of YAML stands for a part of profiles/demo.yaml."""
    demo = read_yaml(ROOT / "profiles/demo.yaml")
    for example in re.findall(r"^```yaml\n(.*?)^```", TEXTS[page], re.M | re.S):
        for run in yaml.safe_load(example)["runs"].values():
            assert set(run) - {"model", "like", "judge"} <= set(demo["train"])
            assert run.get("like", "unet") in demo["runs"]


def test_a_block_is_filled_and_the_words_around_it_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "BLOCKS", {"a": lambda root: "one\n\ntwo\n", "b": lambda root: "three"})
    text = "x\n<!-- begin a -->\nold\n<!-- end a -->\ny\n<!-- begin b -->\n<!-- end b -->\n"
    made = "x\n<!-- begin a -->\none\n\ntwo\n<!-- end a -->\ny\n<!-- begin b -->\nthree\n<!-- end b -->\n"
    assert docs.filled(text, ROOT, Path("page.md")) == made
    assert docs.filled(made, ROOT, Path("page.md")) == made


def test_a_block_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(InputError, match=r"page\.md: .*nosuch"):
        docs.filled("<!-- begin nosuch -->\n<!-- end nosuch -->", ROOT, Path("page.md"))


def test_every_question_is_of_runs_that_can_be_trained() -> None:
    known = read_yaml(ROOT / "profiles/laptop.yaml")["runs"]
    for _, model, baseline, head in docs.QUESTIONS:
        assert {model, baseline} <= known.keys()
        assert head in HEADS


def test_outputs_are_gathered_by_folder() -> None:
    stage = {
        "outs": ["data/${item.profile}/x", {"data/${item.profile}/y.csv": {"cache": False}}],
        "metrics": [{"runs/${item.profile}/${item.run}": {"cache": False}}],
    }
    assert docs._outputs(stage) == "`data/P/{x,y.csv}`, `runs/P/<run>`"


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def commands(text: str) -> str:
    """What stands as code: fenced blocks, and what is between backticks."""
    fenced = re.findall(r"^```\n(.*?)^```", text, re.M | re.S)
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", prose(text))])


def leads(page: Path, link: str) -> bool:
    """A file or folder that exists, and a heading in it where the link names one."""
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not anchor or anchor in anchors(target.read_text(encoding="utf-8")))


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
