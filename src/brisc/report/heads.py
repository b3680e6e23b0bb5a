"""What is measured for each output of a net."""

from collections.abc import Callable
from typing import NamedTuple

from brisc.report.cells import decimals3, percent, tenth


class Metric(NamedTuple):
    key: str
    name: str
    show: Callable[[float], str]


class Head(NamedTuple):
    """`compared` is the key averaged as the study does, which only such a head has; `followed` the key that
    is followed over the subsets with its interval, and tested between models; `counted` the key of the number
    of images behind them.
    """

    name: str
    does: str
    measure: str
    compared: str
    followed: str
    counted: str
    images: str
    metrics: tuple[Metric, ...]

    def metric(self, key: str) -> Metric:
        return next(metric for metric in self.metrics if metric.key == key)


HEADS = {
    "mask": Head(
        name="mask",
        does="draws tumours",
        measure="Dice",
        compared="dice_study",
        followed="dice_per_image",
        counted="n_pairs",
        images="tumour slices",
        metrics=(
            Metric("dice_study", "Dice, study average, %", percent),
            Metric("dice_per_image", "Dice, mean per image, %", percent),
            Metric("dice_pooled", "Dice, all pixels pooled, %", percent),
            Metric("iou_study", "IoU, study average, %", percent),
            Metric("iou_per_image", "IoU, mean per image, %", percent),
            Metric("iou_pooled", "IoU, all pixels pooled, %", percent),
            Metric("pixel_accuracy", "pixel accuracy, %", percent),
            Metric("boundary_dice", "boundary Dice at 1 px, %", percent),
            Metric("hd95_px", "HD95, px", tenth),
        ),
    ),
    "label": Head(
        name="label",
        does="names the class",
        measure="accuracy",
        compared="accuracy",
        followed="accuracy",
        counted="n_images",
        images="slices",
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
