from dataclasses import replace

import numpy as np
import pytest
import torch
from nets import Bright, Classifier, Corner, Joint

from brisc.config import Run
from brisc.evaluation.predict import Inference, outputs_of, predict, views_of
from brisc.vocabulary import LABELS

ROWS = np.arange(4, 24)


@pytest.fixture
def both_ways(run: Run) -> Run:
    """A run whose training mirrors left to right and upside down."""
    return replace(run, augment=replace(run.augment, horizontal_flip=0.5, vertical_flip=0.5))


def softmax(logits: np.ndarray) -> np.ndarray:
    exponential = np.exp(logits.astype(np.float64))
    return exponential / exponential.sum(axis=-1, keepdims=True)


def sigmoid(logit: float) -> float:
    return 1 / (1 + np.exp(-logit))


def test_masks_of_all_rows_in_their_order(samples, settings, run):
    rows = ROWS[::-1]
    masks = predict(Inference(Bright(), run), samples, rows, settings=settings)["mask"]
    assert masks.dtype == bool
    assert (masks == (samples.images[rows] > 127)).all()


def test_threshold_is_a_probability(samples, settings, run):
    # The logit of grey g is 40 (g / 255 - 1/2), so that probability .999 lies at g / 255 = 1/2 + ln 999 / 40.
    masks = predict(Inference(Bright(), run), samples, ROWS, settings=replace(settings, threshold=0.999))[
        "mask"
    ]
    level = 255 * (0.5 + np.log(999) / 40)
    assert (masks == (samples.images[ROWS] > level)).all()
    assert (samples.images[ROWS] > 127).sum() > masks.sum() > 0


def test_probabilities_of_the_label(samples, settings, run):
    found = predict(Inference(Corner(), run), samples, ROWS, settings=settings)["label"]
    assert found.dtype == np.float64
    assert found == pytest.approx(
        softmax(4 * samples.images[ROWS, :2, :2].reshape(-1, len(LABELS)) / 255), abs=1e-6
    )


def test_flips_average_the_label_over_four_views(samples, settings, both_ways):
    net = Inference(Corner(), both_ways)
    found = predict(net, samples, ROWS, settings=replace(settings, flips=True))["label"]
    images = samples.images[ROWS]
    views = [images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    expected = np.mean([softmax(4 * view[:, :2, :2].reshape(-1, 4) / 255) for view in views], axis=0)
    assert found == pytest.approx(expected, abs=1e-6)


def test_flips_mirror_masks_back_before_they_are_averaged(samples, settings, both_ways):
    # Each view has its upper left corner at logit 2 and the rest at -3: a mean of .256 in all four corners.
    corners = np.zeros((16, 16), dtype=bool)
    corners[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    net, share = Inference(Corner(), both_ways), (sigmoid(2) + 3 * sigmoid(-3)) / 4
    for threshold, expected in [(share - 0.001, corners), (share + 0.001, np.zeros_like(corners))]:
        masks = predict(net, samples, ROWS, settings=replace(settings, flips=True, threshold=threshold))[
            "mask"
        ]
        assert (masks == expected).all()


def test_logits_of_a_mask_are_the_net_s_own_or_those_of_the_mean_probability(both_ways):
    net, image = Inference(Corner(), both_ways), torch.zeros(2, 1, 6, 6)
    alone = outputs_of(net, image, net.views[:1])["mask"].mask_logits()
    assert alone.shape == (2, 6, 6)
    assert alone[1, 0, 0] == 2
    assert alone.sum() == 2 * (2 - 35 * 3)
    # With flips each corner is the mean of one view at 2 and three at -3.
    share = (sigmoid(2) + 3 * sigmoid(-3)) / 4
    flipped = outputs_of(net, image, net.views)["mask"].mask_logits()
    assert flipped[0, [0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(np.log(share / (1 - share)))
    assert flipped[1, 1:5, 1:5] == pytest.approx(-3)


def test_logits_of_a_mean_probability_are_finite(both_ways):
    class Sure(Bright):
        def forward(self, image):
            return {"mask": 1e4 * (image - 0.5)}

    image = torch.cat([torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)])
    net = Inference(Sure(), both_ways)
    logits = outputs_of(net, image, net.views)["mask"].mask_logits()
    assert (logits[0] < -18).all()
    assert (logits[1] > 18).all()
    assert np.isfinite(logits).all()


def test_flips_do_not_change_what_sees_no_left_and_right(samples, settings, run):
    net = Inference(Bright(), run)
    masks = [
        predict(net, samples, ROWS, settings=replace(settings, flips=flips))["mask"]
        for flips in (False, True)
    ]
    assert (masks[0] == masks[1]).all()


PLAIN, LEFT_RIGHT, UPSIDE_DOWN = [0, 1, 2, 3, 4, 5], [2, 1, 0, 5, 4, 3], [3, 4, 5, 0, 1, 2]


@pytest.mark.parametrize(
    ("horizontal", "vertical", "expected"),
    [
        (0.0, 0.0, [PLAIN]),
        (0.5, 0.0, [PLAIN, LEFT_RIGHT]),
        (0.0, 0.1, [PLAIN, UPSIDE_DOWN]),
        (0.5, 0.5, [PLAIN, LEFT_RIGHT, UPSIDE_DOWN, [5, 4, 3, 2, 1, 0]]),
    ],
)
def test_views_are_the_image_and_the_mirror_images_that_training_drew(run, horizontal, vertical, expected):
    augment = replace(run.augment, horizontal_flip=horizontal, vertical_flip=vertical)
    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert [image.flip(view).flatten().tolist() for view in views_of(augment)] == expected


def test_only_the_heads_of_the_net_are_predicted(samples, settings, run):
    nets = {("mask",): Bright(), ("label",): Classifier(), ("mask", "label"): Joint()}
    for heads, net in nets.items():
        assert tuple(predict(Inference(net, run), samples, ROWS, settings=settings)) == heads


def test_batch_size_changes_nothing(samples, settings, run):
    torch.manual_seed(0)
    net = Inference(Joint(), run)
    all_at_once, ones = (
        predict(net, samples, ROWS, settings=replace(settings, batch_size=size)) for size in (64, 1)
    )
    assert (all_at_once["mask"] == ones["mask"]).all()
    assert all_at_once["label"] == pytest.approx(ones["label"], abs=1e-6)


@pytest.mark.parametrize("channels_last", [False, True])
def test_precision_and_layout_are_those_of_training(run, channels_last):
    seen = {}

    class Witness(Classifier):
        def forward(self, image):
            out = super().forward(image)
            layout = torch.channels_last if channels_last else torch.contiguous_format
            seen.update(
                dtype=out["label"].dtype,
                layout=image.is_contiguous(memory_format=layout),
                training=self.training,
            )
            return out

    image = torch.rand(2, 3, 16, 16)[:, :1]  # in neither layout
    for precision, dtype in [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)]:
        net = Inference(Witness(), replace(run, precision=precision, channels_last=channels_last))
        assert outputs_of(net, image, net.views[:1])["label"].probability.dtype == torch.float64
        assert seen == {"dtype": dtype, "layout": True, "training": False}
        assert not any(parameter.requires_grad for parameter in net.net.parameters())
