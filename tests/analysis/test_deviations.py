"""Which settings differ from the study's."""

from typing import Any

from brisc.analysis.deviations import Deviation, deviations, differing
from small_results import small_results


def test_what_differs_is_listed_with_the_models_that_have_it() -> None:
    def change(runs: dict[str, Any]) -> None:
        runs["unet"]["settings"]["epochs"] = 30
        runs["joint"]["settings"]["epochs"] = 30
        runs["densenet121"]["settings"] |= {"epochs": 20, "optimizer": {"learning_rate": 0.001}}

    size = Deviation("image size", 256, 128)
    assert deviations(small_results(runs=change)) == [
        (size, ["unet", "attention_unet", "densenet121", "joint"]),
        (Deviation("epochs", 100, 30), ["unet", "joint"]),
        (Deviation("epochs", 100, 20), ["densenet121"]),
        (Deviation("rate", 0.0001, 0.001), ["densenet121"]),
    ]
    same = small_results(provenance=lambda origin: origin["prepare"].update(size=256))
    assert deviations(same) == []


def test_a_setting_that_the_schedule_does_not_use_is_no_difference() -> None:
    def patience(schedule: str) -> list[str]:
        def change(runs: dict[str, Any]) -> None:
            runs["unet"]["settings"] |= {"schedule": schedule, "plateau_patience": 2}

        return [difference.name for difference in differing(small_results(runs=change), "unet")]

    assert patience("plateau") == ["image size", "plateau patience"]
    assert patience("cosine") == ["image size", "schedule"]


def test_an_automatic_precision_is_the_one_that_was_measured() -> None:
    def precision(measured: str | None) -> list[Deviation]:
        def change(metrics: dict[str, Any]) -> None:
            metrics["unet"]["cost"] = metrics["unet"]["cost"] | {"precision": measured}

        return [
            found for found in differing(small_results(metrics=change), "unet") if found.name == "precision"
        ]

    assert precision("bf16-mixed") == [Deviation("precision", "32-true", "bf16-mixed")]
    assert precision("32-true") == []
    assert precision(None) == [Deviation("precision", "32-true", "auto")]


def test_a_setting_that_a_net_lacks_differs() -> None:
    results = small_results(runs=lambda runs: runs["unet"]["settings"].update(model={"arch": "smp"}))
    found = [deviation for deviation in differing(results, "unet") if deviation.name == "levels"]
    assert found == [Deviation("levels", 5, None)]


def test_a_setting_that_a_net_lacks_may_have_a_value_all_the_same() -> None:
    """published.json tells it: a net of timm lacks the multipliers of its width and is 1 wide."""

    def found(width: float | None) -> list[Deviation]:
        model = {"arch": "timm"} if width is None else {"arch": "mobilenetv2", "width": width}
        setting = {"setting": "model.width", "name": "width", "value": 1.0, "absent": 1.0}
        results = small_results(
            runs=lambda runs: runs["unet"]["settings"].update(model=model),
            published=lambda known: known["models"]["unet"].update(settings=[setting]),
        )
        return [deviation for deviation in differing(results, "unet") if deviation.name == "width"]

    assert found(None) == found(1.0) == []
    assert found(0.25) == [Deviation("width", 1.0, 0.25)]
