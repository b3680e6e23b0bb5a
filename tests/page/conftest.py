"""The page of a made-up profile, and a browser that looks at it from disk. The browser is driven over a pipe:
no network."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up import write_profile
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from bench.page import FLAGS
from brisc.page.build import write_site


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, runs/ and reports/ as write_site reads them."""
    root = tmp_path_factory.mktemp("profile")
    write_profile(root)
    return root


@pytest.fixture(scope="session")
def site(profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `profile`: a folder with index.html."""
    out = tmp_path_factory.mktemp("site") / "demo"
    write_site(reports=profile / "reports", runs=profile / "runs", data=profile / "data", out=out)
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))


Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Open]:
    """visit("#cases", width=1400, site=..., **context) -> a page. At the end any console error, failed
    request, script error, or request that is not for a file fails the test.
    """
    opened, troubles = [], []

    def told(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            troubles.append(f"console {message.type}: {message.text}")

    def asked(request: Request) -> None:
        if not request.url.startswith("file:"):
            troubles.append(f"asked for {request.url}")

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # by leaving the page
            troubles.append(f"not read: {request.url}")

    def open_page(
        fragment: str = "", *, width: int = 1400, height: int = 1000, folder: Path = site, **context: Any
    ) -> Page:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)
        opened.append(made)
        page = made.new_page()
        page.set_default_timeout(10_000)
        page.on("console", told)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("requestfailed", failed)
        page.on("request", asked)
        page.goto(f"{(folder / 'index.html').as_uri()}{fragment}")
        return page

    yield open_page
    for made in opened:
        made.close()
    assert not troubles, "\n".join(troubles)
