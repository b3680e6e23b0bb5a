"""Tables of where the numbers come from and of what differs from the reproduced study."""

from typing import Any

from brisc.reporting.cells import DASH, NOT_MEASURED, Cell, Table, flat, in_words, setting
from brisc.reporting.results import Record, Results


def provenance(results: Results) -> Table:
    """Where every number comes from: code, data, settings of the data, versions."""
    record = results.provenance
    data = record.record("data")
    rows: list[list[str | Cell]] = [
        ["profile", f"`{results.profile}`"],
        ["source of the data", f"`{record['source']}`"],
        ["source tree", f"`{record['source_tree']}`"],
        ["archive, SHA-256", f"`{data['raw_sha256']}`"],
        ["decoded data, fingerprint", f"`{data['fingerprint']}`"],
        ["images", ", ".join(f"{half} {count:,}" for half, count in data.record("images").content.items())],
        ["image size", f"{data.count('size')} x {data.count('size')} px"],
        ["device", Cell(DASH, NOT_MEASURED) if record["device"] is None else str(record["device"])],
    ]
    rows += [[f"version of {name}", str(version)] for name, version in record.record("versions").content.items()]
    return Table("Provenance of all numbers in this report.", ["what", "value"], rows, left=2)


def run_provenance(results: Results) -> Table:
    fields = ("run_fingerprint", "data_fingerprint", "source_tree")
    rows = []
    for model in results.models:
        run = results.runs.record(model)
        arch = run.record("run").record("model")["arch"]
        rows.append([model, f"`{arch}`", *(f"`{run[field]}`" for field in fields)])
    header = ["model", "architecture", *map(in_words, fields)]
    return Table("Provenance of each training.", header, rows, left=len(header))


def settings(block: Record, caption: str) -> Table:
    """Every knob of a block, nested ones by their dotted name."""
    rows = [[f"`{name}`", setting(value)] for name, value in flat(block.content, "", ".")]
    return Table(caption, ["knob", "value"], rows, left=2)


def deviations(results: Results) -> Table:
    """Where the settings differ from the study's, found by comparing them."""
    shared = [Record(entry, results.published.where) for entry in results.published.record("study")["settings"]]
    found: dict[tuple[str, str, str], list[str]] = {}
    for model in results.models:
        known = results.published.record("models")
        own = known.record(model) if model in known else Record({}, known.where)
        for entry in [*shared, *_settings_of(own)]:
            ours = _look_up(results, model, entry["knob"])
            if ours != entry["value"]:
                found.setdefault((entry["name"], setting(entry["value"]), setting(ours)), []).append(model)
    rows = [
        [name, study, ours, "all" if len(models) == len(results.models) else ", ".join(models)]
        for (name, study, ours), models in found.items()
    ]
    caption = "Settings that differ from the study's, compared one by one."
    return Table(caption, ["setting", "study", "here", "models"], rows, left=4)


def _settings_of(model: Record) -> list[Record]:
    return [Record(entry, model.where) for entry in model["settings"]] if "settings" in model else []


def _look_up(results: Results, model: str, knob: str) -> Any:
    """A dotted knob in the training's own block or, for what all models share, in the provenance."""
    first, *rest = knob.split(".")
    record = results.runs.record(model).record("run")
    if first not in record:
        record = results.provenance
    for key in (first, *rest)[:-1]:
        record = record.record(key)
    return record[(first, *rest)[-1]]


def choices(results: Results) -> list[tuple[str, str]]:
    """What the study leaves open and how it is done here, for the models of this report."""
    known = results.published.record("models")
    own = [(model, known.record(model)) for model in results.models if model in known]
    return [(model, choice) for model, record in own if "choices" in record for choice in record["choices"]]


def sources(results: Results) -> list[str]:
    """Licence and origin of the data behind this report, of the data behind the published figures, and of the methods."""
    texts = results.published.record("sources")
    keys = dict.fromkeys([results.provenance["source"], results.published.record("study")["data"], "study"])
    return [text for key in keys for text in texts[key]]
