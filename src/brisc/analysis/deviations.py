"""Which settings of a run differ from those of the reproduced study, found by comparing them one by one."""

from typing import Any, NamedTuple

from brisc.analysis.results import Record, Results


class Deviation(NamedTuple):
    """A setting with the study's value and ours, which is None where the run has no such setting."""

    name: str
    study: Any
    ours: Any


def deviations(results: Results) -> list[tuple[Deviation, list[str]]]:
    """Each deviation with the models that have it, in the order in which they come."""
    found: list[tuple[Deviation, list[str]]] = []
    for model in results.models:
        for deviation in differing(results, model):
            models = next((models for known, models in found if known == deviation), None)
            if models is None:
                found.append((deviation, [model]))
            else:
                models.append(model)
    return found


def differing(results: Results, model: str) -> list[Deviation]:
    """The settings in which `model` differs from the study."""
    known = results.published_model(model)
    own = known.listed("settings") if "settings" in known else []
    common = results.published.record("study").listed("settings")  # of all models that have none of their own
    compared = {entry["setting"]: entry for entry in [*common, *own]}
    return [
        Deviation(entry["name"], entry["value"], ours)
        for entry in compared.values()
        if not _idle(results, model, entry["setting"])
        and (ours := _value(results, model, entry["setting"], entry.content.get("absent"))) != entry["value"]
    ]


def _idle(results: Results, model: str, setting: str) -> bool:
    """Whether the run has the setting but does not use it."""
    return setting.startswith("plateau_") and _value(results, model, "schedule") != "plateau"


def _value(results: Results, model: str, setting: str, absent: Any = None) -> Any:
    """A dotted setting of the run or, for what is done to the data, of the profile. absent: what a net has
    that lacks the setting."""
    path = setting.split(".")
    run: Record = results.runs.record(model).record("settings")
    block: Any = run.content if path[0] in run else results.provenance.content
    for key in path:
        if not isinstance(block, dict) or key not in block:
            return absent
        block = block[key]
    if (setting, block) == ("precision", "auto"):
        return results.cost(model)["precision"] or block  # what it was in fact, where that was measured
    return block
