"""Tables of where the numbers come from and of what differs from the reproduced study."""

from collections.abc import Sequence
from typing import Any

from brisc.analysis.deviations import deviations as differing
from brisc.analysis.results import Record, Results
from brisc.report.cells import DASH, NOT_MEASURED, Cell, Table, flat, in_words, setting


def provenance(results: Results) -> Table:
    """Where every number comes from: code, data, settings of the data, versions."""
    record = results.provenance
    data = record.record("data")
    rows: list[list[str | Cell]] = [
        ["profile", f"`{results.profile}`"],
        ["source of the data", f"`{record['source']}`"],
        ["archive, SHA-256", f"`{data['raw_sha256']}`"],
        ["decoded data, fingerprint", f"`{data['fingerprint']}`"],
        ["images", ", ".join(f"{half} {count:,}" for half, count in data.record("images").content.items())],
        ["image size", f"{data.count('size')} x {data.count('size')} px"],
        ["masks without a pixel left at it", f"{data.count('vanished_masks'):,}"],
        ["device", Cell(DASH, NOT_MEASURED) if record["device"] is None else str(record["device"])],
    ]
    rows += [
        [f"version of {name}", str(version)] for name, version in record.record("versions").content.items()
    ]
    return Table("Provenance of all numbers.", ["what", "value"], rows, left=2)


def run_provenance(results: Results) -> Table:
    fields = ("run_fingerprint", "data_fingerprint")
    rows = []
    for model in results.models:
        run = results.runs.record(model)
        arch = run.record("settings").record("model")["arch"]
        rows.append([f"`{model}`", f"`{arch}`", *(f"`{run[field]}`" for field in fields)])
    header = ["model", "architecture", *map(in_words, fields)]
    return Table("Provenance of each training.", header, rows, left=len(header))


def settings(block: Record, caption: str) -> Table:
    """Every setting of a block, nested ones by their dotted name."""
    rows = [[f"`{name}`", setting(value)] for name, value in flat(block.content, "", ".")]
    return Table(caption, ["setting", "value"], rows, left=2)


def common_settings(results: Results) -> Table:
    """The settings that are the same for all models."""
    rows = [
        [f"`{name}`", setting(values[0])] for name, values in _by_setting(results).items() if _same(values)
    ]
    return Table("Settings that all models share.", ["setting", "value"], rows, left=2)


def own_settings(results: Results) -> Table:
    """The settings in which the models differ, a column for each."""
    rows: list[list[str | Cell]] = [
        [f"`{name}`", *(Cell(DASH, NO_SUCH) if value is MISSING else setting(value) for value in values)]
        for name, values in _by_setting(results).items()
        if not _same(values)
    ]
    header = ["setting", *(f"`{model}`" for model in results.models)]
    return Table("Settings in which the models differ.", header, rows, left=len(header))


MISSING, NO_SUCH = object(), "the model has no such setting"


def _by_setting(results: Results) -> dict[str, list[Any]]:
    """The value that each model has, MISSING for a setting that it does not have."""
    models = [
        dict(flat(results.runs.record(model).record("settings").content, "", ".")) for model in results.models
    ]
    names = dict.fromkeys(name for model in models for name in model)
    return {name: [model.get(name, MISSING) for model in models] for name in names}


def _same(values: list[Any]) -> bool:
    return all(value == values[0] for value in values)


def deviations(results: Results) -> Table:
    """Where the settings differ from the study's."""
    rows = [
        [difference.name, setting(difference.study), setting(difference.ours), _models(results, models)]
        for difference, models in differing(results)
    ]
    header = ["setting", "study", "here", "models"]
    return Table("Settings that differ from the study's.", header, rows, left=4)


def _models(results: Results, models: Sequence[str]) -> str:
    everyone = len(models) == len(results.models)
    return "all" if everyone else ", ".join(f"`{model}`" for model in models)


def choices(results: Results) -> list[tuple[str, str]]:
    """What the study leaves open and how it is done here, for the models of this report."""
    known = results.published.record("models")
    own = [(model, known.record(model)) for model in results.models if model in known]
    return [(model, choice) for model, record in own if "choices" in record for choice in record["choices"]]


def sources(results: Results) -> list[str]:
    """Licence and origin of the data behind this report, of the data behind the published figures, and of the
    methods."""
    texts = results.published.record("sources")
    keys = dict.fromkeys([results.provenance["source"], results.published.record("study")["data"], "study"])
    return [text for key in keys for text in texts[key]]
