"""site/<profile>/index.html: one page to leaf through predictions and results, that opens from disk without a
server.

What the page shows first is in page/data/core.js; masks, Grad-CAM and pictures lie beside it and are loaded
when looked at.
"""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from brisc.atomic import atomic, write_text
from brisc.errors import InputError
from brisc.page import cases
from brisc.page.encode import write_script
from brisc.page.results import core

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


def write_page(*, reports: Path, runs: Path, data: Path, out: Path) -> None:
    """Write out/index.html and out/page/.

    reports: metrics.json, runs.json, provenance.json, history.csv and, where they exist, comparisons.json,
    grid.json with grid_history.csv, and audit.json. runs: eval/<model>/ of each model in metrics.json. data:
    cache/ and copies.csv. The same input gives the same bytes. Raises InputError for a test image that a
    model has no prediction of.
    """
    slices = cases.Slices(data / "cache")
    metrics = json.loads((reports / "metrics.json").read_text(encoding="utf-8"))
    models = {model: cases.model_cases(runs / "eval" / _safe(model), slices) for model in metrics}
    pairs = cases.copied_pairs(pd.read_csv(data / "copies.csv"), slices)
    content = core(
        reports, metrics=metrics, models=models, test=cases.case_table(slices), size=slices.images.shape[1]
    )
    with atomic(out / "page") as folder:
        scripts, pictures = folder / "data", folder / "images"
        scripts.mkdir(parents=True)
        write_script(scripts / "core.js", content)
        cases.write_truth(slices, scripts / "truth.js")
        cases.write_copies(pairs, slices, scripts / "copies.js")
        for model, columns in models.items():
            if "dice" in columns:
                cases.write_masks(runs / "eval" / model, slices, scripts / f"masks-{model}.js")
            if "predicted" in columns:
                cases.write_cam(runs / "eval" / model, slices, scripts / f"cam-{model}.js")
        cases.write_pictures(slices, sorted({*slices.test["id"], *pairs["train_id"]}), pictures)
        for name in (*SCRIPTS, "style.css", "icon.svg"):
            (folder / name).write_bytes((STATIC / name).read_bytes())
    write_text(out / "index.html", _index(content))


def _index(content: dict[str, Any]) -> str:
    template = (STATIC / "index.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        profile=content["profile"], phantom=content["phantom"], scripts=SCRIPTS
    )


def _safe(model: str) -> str:
    if not SAFE_NAME.fullmatch(model):
        raise InputError(
            "a model's name that cannot be a file's",
            where="params.yaml, models",
            got=repr(model),
            expected="letters, digits, '_', '.' and '-'",
            mend="Rename the model.",
        )
    return model
