"""What the page weighs and how soon it shows its first case: python bench/page.py PROFILE, after dvc repro.

Opens site/PROFILE/index.html from disk in a new Chromium for every run, as one does who has never seen it,
then walks through all views at the width of a desk and of a phone and stops at the first console message or
missing file. Screenshots are kept in .scratch/screenshots/PROFILE/.
"""

import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

RUNS = 5
VIEWS = ("cases", "compare", "classes", "training", "cost", "copies")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def main(profile: str) -> None:
    site = Path("site", profile)
    weigh(site)
    with sync_playwright() as playwright:

        @contextmanager
        def chromium() -> Iterator[Browser]:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
            yield browser
            browser.close()

        times = []
        for _ in range(RUNS):
            with chromium() as browser:
                page = browser.new_page()
                page.goto((site / "index.html").resolve().as_uri())
                times.append(
                    page.wait_for_function(
                        "performance.getEntriesByName('first-view')[0]?.startTime"
                    ).json_value()
                )
        print(
            f"first case shown after {statistics.median(times):.0f} ms, "
            f"median of {RUNS} ({min(times):.0f} to {max(times):.0f})"
        )
        with chromium() as browser:
            for width in (1400, 390):
                walk(browser, site, width, Path(".scratch", "screenshots", profile))


def weigh(site: Path) -> None:
    files = [path for path in (site / "index.html", *sorted((site / "page").rglob("*"))) if path.is_file()]
    sizes, counts = Counter[str](), Counter[str]()
    for path in files:
        first = path.name == "core.js" or path.parent.name in ("page", site.name)
        kind = (
            "page, styles, scripts, results (read first)"
            if first
            else f"{path.parent.name}, read when looked at"
        )
        sizes[kind] += path.stat().st_size
        counts[kind] += 1
    for kind, size in sizes.most_common():
        print(f"{size / 2**20:7.2f} MiB in {counts[kind]:4} files: {kind}")
    print(f"{sizes.total() / 2**20:7.2f} MiB in {counts.total():4} files")


def walk(browser: Browser, site: Path, width: int, screenshots: Path) -> None:
    screenshots.mkdir(parents=True, exist_ok=True)
    page: Page = browser.new_page(viewport={"width": width, "height": 900})
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"not read: {request.url}"))
    page.goto((site / "index.html").resolve().as_uri())
    for view in VIEWS:
        page.evaluate("(view) => { location.hash = `#${view}`; }", view)
        page.wait_for_timeout(1000)
        page.screenshot(path=screenshots / f"{view}-{width}.png", full_page=True)
        if troubles:
            sys.exit(f"error: {site}, view {view} at {width} px: " + "\n".join(troubles))
    page.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
