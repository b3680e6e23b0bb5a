"""Each word of the study once: labels, planes, subsets, heads. Trainings depend on this file."""

from dataclasses import dataclass

# By label, the code that file names of BRISC 2025 have; classes are numbered in this order.
LABEL_CODES = {"glioma": "gl", "meningioma": "me", "no_tumor": "no", "pituitary": "pi"}
LABELS = tuple(LABEL_CODES)
HEALTHY = "no_tumor"
TUMOURS = tuple(label for label in LABELS if label != HEALTHY)

PLANE_CODES = {"axial": "ax", "coronal": "co", "sagittal": "sa"}
PLANES = tuple(PLANE_CODES)

# Of test: all images; none whose slice is also in train; none whose neighbouring slice is in train either.
TEST_SUBSETS = ("official", "clean", "strict")
VALIDATION = "validation"
SUBSETS = (*TEST_SUBSETS, VALIDATION)

FOLDS = 5  # of all tumour slices, both halves together, groups whole
FOLD = "fold"  # the subset that a run with a fold is judged on


@dataclass(frozen=True, kw_only=True)
class Head:
    """An output of a net and what its results are called."""

    name: str  # of the net's output
    score: str  # of one image, from 0 to 1; their mean is what training keeps its best epoch by
    column: str  # that per_image.csv has for nets with this head alone
    primary: str  # metric that models are compared by
    published: str  # metric that the study published: the only one to stand beside its figures
    images: str  # metric that counts the images behind both


HEADS = {
    head.name: head
    for head in (
        Head(
            name="mask",
            score="dice",
            column="dice",
            primary="dice_per_image",
            published="dice_study",
            images="n_pairs",
        ),
        Head(
            name="label",
            score="accuracy",
            column="predicted",
            primary="accuracy",
            published="accuracy",
            images="n_images",
        ),
    )
}
