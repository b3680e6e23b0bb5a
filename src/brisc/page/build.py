"""site/<profile>/: one page to leaf through predictions and results, that opens from disk without a server,
and contact sheets of the copies. Both hold images of patients, so DVC keeps them and git does not.

What the page shows first is in page/data/core.js; masks, Grad-CAM and pictures lie beside it and are loaded
when looked at.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from brisc.atomic import atomic, write_text
from brisc.errors import InputError
from brisc.page import cases
from brisc.page.core import core, model_names, notice, read
from brisc.page.encode import write_script
from brisc.page.sheets import write_sheets
from brisc.vocabulary import HEADS

STATIC = files("brisc.page") / "static"
# Classic scripts in the order in which they build on each other: modules may not be imported from disk.
SCRIPTS = (
    "data.js",
    "dom.js",
    "state.js",
    "picture.js",
    "panels.js",
    "chart.js",
    "cases.js",
    "compare.js",
    "classes.js",
    "training.js",
    "cost.js",
    "copies.js",
    "app.js",
)
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def write_site(*, reports: Path, runs: Path, data: Path, out: Path) -> None:
    """Write out/index.html with out/page/, and out/copies/ with a contact sheet of each relation.

    reports: metrics.json, runs.json, provenance.json, history.csv and, where they exist, comparisons.json,
    grid.json with grid_history.csv, and audit.json. runs: eval/<run>/ of each model in runs.json. data:
    cache/ and copies.csv. The same input gives the same bytes. Raises InputError for a test image that a
    model has no prediction of, and for copies of unknown images.
    """
    slices = cases.Slices(data / "cache")
    copies = cases.read_copies(data / "copies.csv", slices)
    write_page(reports, runs / "eval", slices, cases.copied_pairs(copies), out)
    with atomic(out / "copies") as folder:
        folder.mkdir()
        relations = write_sheets(copies, slices, folder)
        provenance = read(reports / "provenance.json")
        phantom = provenance["source"] == "phantom"
        shown = {"notice": notice(provenance), "phantom": phantom, "relations": relations}
        write_text(folder / "index.html", _rendered("copies.html.jinja", shown))


def write_page(reports: Path, evaluated: Path, slices: cases.Slices, pairs: pd.DataFrame, out: Path) -> None:
    models = {model: cases.model_cases(evaluated / _safe(model), slices) for model in model_names(reports)}
    size = slices.images.shape[1]
    content = core(reports, models=models, test=cases.case_table(slices), size=size)
    with atomic(out / "page") as folder:
        scripts, pictures = folder / "data", folder / "images"
        scripts.mkdir(parents=True)
        write_script(scripts / "core.js", content)
        cases.write_truth(slices, scripts / "truth.js")
        cases.write_copies(pairs, slices, scripts / "copies.js")
        for model, columns in models.items():
            if HEADS["mask"].column in columns:
                cases.write_masks(evaluated / model, slices, scripts / f"masks-{model}.js")
            if HEADS["label"].column in columns:
                cases.write_cam(evaluated / model, slices, scripts / f"cam-{model}.js")
        cases.write_pictures(slices, sorted({*slices.test["id"], *pairs["train_id"]}), pictures)
        for name in (*SCRIPTS, "style.css", "icon.svg"):
            (folder / name).write_bytes((STATIC / name).read_bytes())
    shown = {"profile": content["profile"], "phantom": content["phantom"], "scripts": SCRIPTS}
    write_text(out / "index.html", _rendered("index.html.jinja", shown))


def _rendered(template: str, content: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = (STATIC / template).read_text(encoding="utf-8")
    return environment.from_string(text).render(content)


def _safe(model: str) -> str:
    if not SAFE_NAME.fullmatch(model):
        raise InputError(
            "a run's name that cannot be a file's",
            where="runs.json",
            got=repr(model),
            expected="letters, digits, '_', '.' and '-'",
            mend="Rename the run in the profile and in params.yaml.",
        )
    return model
