"""How the results of each head are named and shown; what they are is said in brisc.vocabulary."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from brisc.report.cells import NO_BOUNDARY, NO_IMAGES, decimals3, percent, tenth


class Metric(NamedTuple):
    """undefined: why a value may be null; absent: why a result file may not have the key, None where it
    must."""

    key: str
    name: str
    show: Callable[[float], str]
    undefined: str = NO_IMAGES
    absent: str | None = None


@dataclass(frozen=True)
class Display:
    """images: what is counted; shown: the two metrics that stand first."""

    task: str
    measure: str
    images: str
    shown: tuple[str, str]
    metrics: tuple[Metric, ...]

    def metric(self, key: str) -> Metric:
        return next(metric for metric in self.metrics if metric.key == key)


NATIVE = "Dice, mean per image at native size, %"

DISPLAYS = {
    "mask": Display(
        task="segmentation",
        measure="Dice",
        images="tumour slices",
        shown=("dice_study", "dice_per_image"),
        metrics=(
            Metric("dice_study", "Dice, study average, %", percent),
            Metric("dice_per_image", "Dice, mean per image, %", percent),
            Metric("dice_native", NATIVE, percent, absent="not scored at native size"),
            Metric("dice_pooled", "Dice, all pixels pooled, %", percent),
            Metric("iou_study", "IoU, study average, %", percent),
            Metric("iou_per_image", "IoU, mean per image, %", percent),
            Metric("iou_pooled", "IoU, all pixels pooled, %", percent),
            Metric("pixel_accuracy", "pixel accuracy, %", percent),
            Metric("boundary_dice", "boundary Dice at 1 px, %", percent),
            Metric("hd95_px", "HD95, px", tenth, undefined=NO_BOUNDARY),
        ),
    ),
    "label": Display(
        task="classification",
        measure="accuracy",
        images="slices",
        shown=("accuracy", "f1_macro"),
        metrics=(
            Metric("accuracy", "accuracy, %", percent),
            Metric("f1_macro", "F1, mean over the classes, %", percent),
            Metric("precision_macro", "precision, mean over the classes, %", percent),
            Metric("recall_macro", "recall, mean over the classes, %", percent),
            Metric("f1_weighted", "F1, classes weighted by n, %", percent),
            Metric("precision_weighted", "precision, classes weighted by n, %", percent),
            Metric("recall_weighted", "recall, classes weighted by n, %", percent),
            Metric("auroc_macro", "AUROC, one against the rest, mean", decimals3),
            Metric("ece", "calibration error (ECE), %", percent),
            Metric("ece_scaled", "ECE after temperature scaling, %", percent),
        ),
    ),
}
