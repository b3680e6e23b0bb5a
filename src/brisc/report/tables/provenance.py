"""Tables of where the numbers come from and of what differs from the reproduced study."""

from typing import Any

from brisc.analysis.deviations import deviations as found
from brisc.analysis.results import Record, Results
from brisc.report.cells import DASH, NOT_MEASURED, Cell, Table, flat, in_words, setting


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
    rows += [
        [f"version of {name}", str(version)] for name, version in record.record("versions").content.items()
    ]
    return Table("Provenance of all numbers in this report.", ["what", "value"], rows, left=2)


def run_provenance(results: Results) -> Table:
    fields = ("run_fingerprint", "data_fingerprint", "source_tree")
    rows = []
    for model in results.models:
        run = results.runs.record(model)
        arch = run.record("run").record("model")["arch"]
        rows.append([f"`{model}`", f"`{arch}`", *(f"`{run[field]}`" for field in fields)])
    header = ["model", "architecture", *map(in_words, fields)]
    return Table("Provenance of each training.", header, rows, left=len(header))


def settings(block: Record, caption: str) -> Table:
    """Every knob of a block, nested ones by their dotted name."""
    rows = [[f"`{name}`", setting(value)] for name, value in flat(block.content, "", ".")]
    return Table(caption, ["knob", "value"], rows, left=2)


def common_settings(results: Results) -> Table:
    """The knobs of their own that are the same for all trainings."""
    runs = _runs(results)
    rows = [[f"`{knob}`", setting(values[0])] for knob, values in _by_knob(runs).items() if _same(values)]
    return Table("Settings of the models that are the same for all of them.", ["knob", "value"], rows, left=2)


def own_settings(results: Results) -> Table:
    """The knobs in which the trainings differ, a column for each model."""
    runs = _runs(results)
    rows: list[list[str | Cell]] = [
        [
            f"`{knob}`",
            *(
                Cell(DASH, "the net has no such knob") if value is MISSING else setting(value)
                for value in values
            ),
        ]
        for knob, values in _by_knob(runs).items()
        if not _same(values)
    ]
    caption = "Settings in which the models differ."
    return Table(
        caption, ["knob", *(f"`{model}`" for model in results.models)], rows, left=1 + len(results.models)
    )


MISSING = object()


def _runs(results: Results) -> list[dict[str, Any]]:
    return [dict(flat(results.runs.record(model).record("run").content, "", ".")) for model in results.models]


def _by_knob(runs: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {
        knob: [run.get(knob, MISSING) for run in runs]
        for knob in dict.fromkeys(knob for run in runs for knob in run)
    }


def _same(values: list[Any]) -> bool:
    return all(value == values[0] for value in values)


def deviations(results: Results) -> Table:
    """Where the settings differ from the study's."""
    rows = [
        [
            deviation.name,
            setting(deviation.study),
            setting(deviation.ours),
            "all" if len(models) == len(results.models) else ", ".join(f"`{model}`" for model in models),
        ]
        for deviation, models in found(results)
    ]
    caption = "Settings that differ from the study's, compared one by one."
    return Table(caption, ["setting", "study", "here", "models"], rows, left=4)


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
