"""The validation images of a recipe, with and without flips."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from brisc.data.dataset import Samples
from brisc.evaluation.predict import Inference
from brisc.evaluation.rows import subset_of
from brisc.evaluation.validation import score_images, summarise_validation


class LeftHalf(nn.Module):
    """Calls tumour what is bright in the left half, so that a mean over flips calls nothing so; and always
    the first class."""

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        left = torch.ones_like(image)
        left[..., image.shape[-1] // 2 :] = 0
        label = torch.zeros(len(image), 4)
        label[:, 0] = 1
        return {"mask": torch.where(image * left > 0.5, 9.0, -9.0), "label": label}


def test_scores_are_the_mean_over_heads_with_and_without_flips(run, settings):
    images = np.zeros((4, 32, 32), dtype=np.uint8)
    images[0, 0:4, 0:4] = images[1, 0:4, 28:32] = 255  # in the left half; in the right half
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "label": ["glioma", "pituitary", "no_tumor", "glioma"],
            "group": ["g", "h", "i", "j"],
            "split": ["validation"] * 3 + ["train"],
        }
    )
    samples, net = Samples(images, (images > 0).astype(np.uint8), table, "f"), Inference(LeftHalf(), run)
    scores = score_images(net, samples, healthy=True, settings=settings)
    # The healthy slice has no tumour and none is found there; its class is not the first.
    assert list(scores["id"]) == ["a", "b", "c"]
    assert list(scores["dice"]) == [1.0, 0.0, 1.0]
    assert list(scores["accuracy"]) == [1.0, 0.0, 0.0]
    assert list(scores["score"]) == [1.0, 0.0, 0.5]
    # Of two views one sees the square in the left half: probability 0.5 to rounding, which is not above the
    # threshold.
    assert list(scores["dice_flips"]) == [0.0, 0.0, 1.0]
    assert list(scores["score_flips"]) == [0.5, 0.0, 0.5]
    # Whatever the setting says of flips, each column is what its name says.
    assert scores.equals(score_images(net, samples, healthy=True, settings=replace(settings, flips=True)))
    without = score_images(net, samples, healthy=False, settings=settings)
    assert without.equals(scores[:2])
    # The mask's metric is over tumour slices alone, the label's over all.
    metrics = summarise_validation(scores, settings)["validation"]
    assert (metrics["n_pairs"], metrics["dice_per_image"]) == (2, 0.5)
    assert (metrics["n_images"], metrics["accuracy"]) == (3, 1 / 3)


def test_a_subset_is_a_column_of_its_name_and_validation_a_split():
    table = pd.DataFrame(
        {"id": [*"abcd"], "split": ["test", "test", "validation", "train"], "clean": [1, 0, 0, 0]}
    )
    table["official"] = (table["split"] == "test").astype(int)
    found = {name: "".join(subset_of(table, name)["id"]) for name in ("official", "clean", "validation")}
    assert found == {"official": "ab", "clean": "a", "validation": "c"}
