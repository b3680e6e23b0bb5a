import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.metrics import f1_score, jaccard_score

from brisc.errors import InputError
from brisc.evaluation.segmentation import (
    PLANES,
    TUMOURS,
    dice_per_image,
    dice_pooled,
    dice_study,
    dice_study_statistic,
    iou_per_image,
    iou_pooled,
    iou_study,
    measure,
    pixel_accuracy,
    summarise,
)

SETTINGS = {
    "study_batch_size": 2,
    "resamples": 200,
    "seed": 1,
    "class_weights": {"glioma": 2, "meningioma": 1, "pituitary": 1},
}


def one(prediction: np.ndarray, truth: np.ndarray) -> pd.Series:
    return measure(prediction[None], truth[None]).loc[0]


def rectangle(rows: slice, columns: slice, size: tuple[int, int] = (8, 8)) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[rows, columns] = True
    return mask


def blob(rng: np.random.Generator, size: tuple[int, int], share: float) -> np.ndarray:
    smooth = ndimage.gaussian_filter(rng.random(size), sigma=2)
    return smooth > np.quantile(smooth, 1 - share)


def blobs(number: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of masks, some overlapping and some touching the border, none empty."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(number):
        size = (int(rng.integers(6, 50)), int(rng.integers(6, 50)))
        prediction, truth = (blob(rng, size, share=rng.uniform(0.05, 0.5)) for _ in range(2))
        pairs.append((prediction, prediction ^ truth if rng.random() < 0.5 else truth))
    return pairs


# measure
# ------------------------------------------------------------------------------------------


def test_square_moved_by_one_pixel():
    # 4 x 4 against itself one column to the right: 12 pixels in common, Dice 24/32, IoU 12/20. Of the
    # predicted ring of 12 pixels 6 lie on the true ring and 6 beside it; the same the other way round.
    row = one(rectangle(slice(2, 6), slice(3, 7)), rectangle(slice(2, 6), slice(2, 6)))
    assert row.to_dict() == {
        "true_pixels": 16,
        "predicted_pixels": 16,
        "intersection": 12,
        "pixels": 64,
        "dice": 0.75,
        "iou": 0.6,
        "hd95_px": 1.0,
        "boundary_dice": 1.0,
    }


def test_two_pixels_five_apart():
    row = one(rectangle(slice(0, 1), slice(0, 1)), rectangle(slice(3, 4), slice(4, 5)))
    assert (row.dice, row.iou, row.hd95_px, row.boundary_dice) == (0.0, 0.0, 5.0, 0.0)


@pytest.mark.parametrize("swap", [False, True])
def test_hd95_is_the_larger_of_the_two_directed_percentiles(swap):
    # A line of 20 pixels against its first one: distances 0, 1, .. 19 one way, 0 the other. The 95th
    # percentile of 20 numbers lies at position .95 x 19 = 18.05. (Pooled over both directions, as medpy has
    # it, it would be 18.) Within one pixel lie 2 of the 20 and the one: 3/21.
    masks = [rectangle(slice(1, 2), slice(0, 20), (3, 20)), rectangle(slice(1, 2), slice(0, 1), (3, 20))]
    row = one(*reversed(masks)) if swap else one(*masks)
    assert row.hd95_px == pytest.approx(18.05)
    assert row.boundary_dice == pytest.approx(3 / 21)


def test_edge_of_the_image_is_a_boundary():
    # The whole image of 5 x 5 against its inner 3 x 3. Outer ring of 16: 12 pixels at distance 1, the 4
    # corners at sqrt(2), so position .95 x 15 = 14.25 of the sorted distances is sqrt(2). Inner ring of 8:
    # all at 1. Close are 12 + 8 of 24.
    row = one(np.ones((5, 5), dtype=bool), rectangle(slice(1, 4), slice(1, 4), (5, 5)))
    assert row.hd95_px == pytest.approx(math.sqrt(2))
    assert row.boundary_dice == pytest.approx(20 / 24)
    assert row.dice == pytest.approx(18 / 34)


def test_a_pixel_with_four_neighbours_is_inside():
    # A plus sign in rows and columns 0..2 against one pixel at row 1, column 4. Its arms are at distance
    # sqrt(10), 4, 2, sqrt(10); position .95 x 3 = 2.85 of 2, sqrt(10), sqrt(10), 4 is .15 sqrt(10) + .85 x 4.
    # The middle, at distance 3, is inside although the corners around it are empty; were it boundary,
    # position 3.8 would be .2 sqrt(10) + .8 x 4.
    plus = np.array([[0, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 0, 0, 0]], dtype=bool)
    row = one(plus, rectangle(slice(1, 2), slice(4, 5), (3, 5)))
    assert row.hd95_px == pytest.approx(0.15 * math.sqrt(10) + 0.85 * 4)


def test_empty_against_empty_agrees_and_has_no_distance():
    empty = np.zeros((4, 6), dtype=bool)
    row = one(empty, empty)
    assert (row.dice, row.iou, row.boundary_dice) == (1.0, 1.0, 1.0)
    assert math.isnan(row.hd95_px)
    assert (row.true_pixels, row.predicted_pixels, row.intersection, row.pixels) == (0, 0, 0, 24)


@pytest.mark.parametrize("swap", [False, True])
def test_empty_against_a_tumour_disagrees_and_has_no_distance(swap):
    masks = [np.zeros((8, 8), dtype=bool), rectangle(slice(2, 4), slice(2, 4))]
    row = one(*reversed(masks)) if swap else one(*masks)
    assert (row.dice, row.iou, row.boundary_dice) == (0.0, 0.0, 0.0)
    assert math.isnan(row.hd95_px)


def test_no_images_give_a_table_without_rows():
    table = measure(np.zeros((0, 4, 4), dtype=bool), np.zeros((0, 4, 4), dtype=bool))
    assert len(table) == 0
    assert list(table) == list(measure(np.ones((1, 4, 4), dtype=bool), np.ones((1, 4, 4), dtype=bool)))


def test_an_image_is_measured_alike_alone_and_in_a_batch():
    rng = np.random.default_rng(0)
    prediction, truth = (np.stack([blob(rng, (20, 30), 0.2) for _ in range(5)]) for _ in range(2))
    prediction[3] = False
    alone = pd.concat([measure(prediction[i : i + 1], truth[i : i + 1]) for i in range(5)], ignore_index=True)
    pd.testing.assert_frame_equal(measure(prediction, truth), alone, check_exact=True)


@pytest.mark.parametrize(
    ("prediction", "truth"),
    [
        (np.zeros((2, 4, 4), dtype=bool), np.zeros((2, 4, 5), dtype=bool)),
        (np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)),
        (np.zeros((2, 4, 4)), np.zeros((2, 4, 4), dtype=bool)),
        (np.zeros((2, 4, 4), dtype=bool), np.zeros((2, 4, 4), dtype=np.uint8)),
    ],
)
def test_measure_refuses_masks_that_cannot_be_compared(prediction, truth):
    with pytest.raises(InputError, match="masks that cannot be compared"):
        measure(prediction, truth)


def test_overlap_is_that_of_scikit_learn():
    for prediction, truth in blobs(25, seed=1):
        row = one(prediction, truth)
        assert row.dice == pytest.approx(f1_score(truth.ravel(), prediction.ravel()))
        assert row.iou == pytest.approx(jaccard_score(truth.ravel(), prediction.ravel()))


@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges.always_return_as_numpy:FutureWarning")
def test_boundary_metrics_are_those_of_monai():
    import torch
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    for prediction, truth in blobs(40, seed=2):
        row = one(prediction, truth)
        given = [torch.from_numpy(mask)[None, None] for mask in (prediction, truth)]
        hd95 = compute_hausdorff_distance(*given, include_background=True, percentile=95)
        surface_dice = compute_surface_dice(*given, class_thresholds=[1.0], include_background=True)
        assert row.hd95_px == pytest.approx(hd95.item(), rel=1e-5)
        assert row.boundary_dice == pytest.approx(surface_dice.item(), rel=1e-5)


def test_distances_are_roots_of_whole_numbers_to_the_last_bit():
    # Two pixels a rows and b columns apart. In float32 the root of 73 is 8.5440035, which is 6e-8 away from
    # this one.
    for a, b in [(3, 8), (1, 1), (37, 59), (0, 63)]:
        masks = [rectangle(slice(i, i + 1), slice(j, j + 1), (64, 64)) for i, j in ((0, 0), (a, b))]
        assert one(*masks).hd95_px == math.sqrt(a * a + b * b)


def test_metrics_do_not_change_with_the_view():
    # Prediction and truth exchanged, mirrored, turned, or set in a larger black image.
    for prediction, truth in blobs(20, seed=3):
        expected = one(prediction, truth)
        views = [(truth, prediction), (prediction[:, ::-1], truth[:, ::-1]), (prediction.T, truth.T)]
        views.append((np.pad(prediction, ((3, 0), (1, 7))), np.pad(truth, ((3, 0), (1, 7)))))
        for view in views:
            row = one(*view)
            for name in ("dice", "iou", "hd95_px", "boundary_dice", "intersection"):
                assert row[name] == pytest.approx(expected[name]), name


def test_a_mask_agrees_with_itself():
    for mask, _ in blobs(10, seed=4):
        row = one(mask, mask)
        assert (row.dice, row.iou, row.hd95_px, row.boundary_dice) == (1.0, 1.0, 0.0, 1.0)


# averages
# ------------------------------------------------------------------------------------------


@pytest.fixture
def table() -> pd.DataFrame:
    """Five pairs and three healthy slices of 1,000 pixels each; the sums below are worked out from these
    rows."""
    columns = [
        "id",
        "group",
        "label",
        "plane",
        "true_pixels",
        "predicted_pixels",
        "intersection",
        "hd95_px",
        "boundary_dice",
    ]
    rows = [
        # Dice 2*5/20 = 1/2, IoU 5/15 = 1/3; wrong pixels 10 + 10 - 2*5 = 10; area .010
        ("a", "g1", "glioma", "axial", 10, 10, 5, 1.0, 0.25),
        # Dice 2*10/40 = 1/2, IoU 10/30 = 1/3; wrong 20; area .030
        ("b", "g2", "glioma", "coronal", 30, 10, 10, 3.0, 0.5),
        # missed: Dice 0, IoU 0; wrong 4; area .004
        ("c", "g3", "meningioma", "axial", 4, 0, 0, math.nan, 0.0),
        # Dice 2*6/16 = 3/4, IoU 6/10 = 3/5; wrong 4; area .006
        ("d", "g4", "pituitary", "sagittal", 6, 10, 6, 2.0, 0.75),
        # Dice 1, IoU 1; wrong 0; area .002
        ("e", "g4", "pituitary", "axial", 2, 2, 2, 0.0, 1.0),
        ("f", "g5", "no_tumor", "axial", 0, 0, 0, math.nan, 1.0),
        ("g", "g6", "no_tumor", "coronal", 0, 8, 0, math.nan, 0.0),
        ("h", "g7", "no_tumor", "sagittal", 0, 4, 0, math.nan, 0.0),
    ]
    table = pd.DataFrame(rows, columns=columns)
    table["pixels"] = 1000
    table["dice"] = [1 / 2, 1 / 2, 0, 3 / 4, 1, 1, 0, 0]
    table["iou"] = [1 / 3, 1 / 3, 0, 3 / 5, 1, 1, 0, 0]
    return table


def test_three_averages_by_hand(table):
    pairs = table[:5]
    # Batches of 2: 2*15/60 = 1/2, 2*6/20 = 3/5, 1. IoU 15/45 = 1/3, 6/14 = 3/7, 1, together 37/21.
    assert dice_study(pairs, batch_size=2) == pytest.approx((1 / 2 + 3 / 5 + 1) / 3)
    assert iou_study(pairs, batch_size=2) == pytest.approx(37 / 63)
    # All pixels: 2*23 / (52 + 32), and 23 / (84 - 23).
    assert dice_pooled(pairs) == pytest.approx(46 / 84)
    assert iou_pooled(pairs) == pytest.approx(23 / 61)
    # (1/2 + 1/2 + 0 + 3/4 + 1) / 5, and (1/3 + 1/3 + 0 + 3/5 + 1) / 5.
    assert dice_per_image(pairs) == pytest.approx(0.55)
    assert iou_per_image(pairs) == pytest.approx(34 / 75)
    # 10 + 20 + 4 + 4 + 0 of 5,000 pixels are wrong.
    assert pixel_accuracy(pairs) == pytest.approx(4962 / 5000)


def test_batch_of_one_is_the_mean_over_images_and_one_batch_is_pooled(table):
    pairs = table[:5]
    assert dice_study(pairs, batch_size=1) == pytest.approx(dice_per_image(pairs))
    assert iou_study(pairs, batch_size=1) == pytest.approx(iou_per_image(pairs))
    assert dice_study(pairs, batch_size=5) == dice_study(pairs, batch_size=16) == dice_pooled(pairs)


def test_dice_study_of_a_resample_cuts_what_was_drawn_into_batches(table):
    statistic = dice_study_statistic(table[:5][::-1], batch_size=2)
    assert statistic(np.arange(5)) == pytest.approx((1 / 2 + 3 / 5 + 1) / 3)
    # Images 3 and 4 are a batch with 3/5; the last has Dice 1, alone or drawn twice.
    assert (
        statistic(np.array([2, 3, 4])) == statistic(np.array([2, 3, 4, 4])) == pytest.approx((3 / 5 + 1) / 2)
    )


def test_the_test_set_of_the_study_makes_54_batches():
    # 860 = 53 x 16 + 12: with the last 12 missed and all others perfect, one batch of 54 is 0.
    counts = np.where(np.arange(860) < 848, 5, 0)
    pairs = pd.DataFrame(
        {"id": [f"{i:05d}" for i in range(860)], "true_pixels": 5, "predicted_pixels": counts}
    )
    pairs["intersection"] = counts
    assert dice_study(pairs, batch_size=16) == pytest.approx(53 / 54)
    assert iou_study(pairs[::-1], batch_size=16) == pytest.approx(53 / 54)


def test_a_batch_of_empty_against_empty_counts_as_one(table):
    pairs = table[:2].assign(true_pixels=[0, 4], predicted_pixels=[0, 4], intersection=[0, 2])
    assert dice_study(pairs, batch_size=1) == pytest.approx((1 + 1 / 2) / 2)
    assert iou_study(pairs, batch_size=1) == pytest.approx((1 + 1 / 3) / 2)


# summarise
# ------------------------------------------------------------------------------------------


def test_summary_by_hand(table):
    summary = summarise(table, **SETTINGS)
    expected = {
        "n_images": 8,
        "n_pairs": 5,
        "dice_study": 0.7,
        "iou_study": 37 / 63,
        "dice_per_image": 0.55,
        "iou_per_image": 34 / 75,
        "dice_pooled": 46 / 84,
        "iou_pooled": 23 / 61,
        "pixel_accuracy": 4962 / 5000,
        "hd95_px": (1 + 3 + 2 + 0) / 4,
        "hd95_undefined": 1,
        "boundary_dice": 0.5,
    }
    assert {name: summary[name] for name in expected} == pytest.approx(expected)
    assert 0 <= summary["dice_per_image_low"] < 0.55 < summary["dice_per_image_high"] <= 1


def test_scores_at_the_images_own_size_by_hand(table):
    # Over the pairs alone: (.6 + .5 + 0 + .8 + .9) / 5. The draws of the interval are those of Dice.
    native = [0.6, 0.5, 0.0, 0.8, 0.9, 1.0, 0.0, 0.0]
    summary, older = summarise(table.assign(dice_native=native), **SETTINGS), summarise(table, **SETTINGS)
    assert summary["dice_native"] == pytest.approx(0.56)
    same = summarise(table.assign(dice=native), **SETTINGS)
    assert [summary[f"dice_native_{end}"] for end in ("low", "high")] == [
        same[f"dice_per_image_{end}"] for end in ("low", "high")
    ]
    # No other number moves, and an older table has none of these.
    names = ("dice_native", "dice_native_low", "dice_native_high")
    assert {name: value for name, value in summary.items() if name not in names} == older
    nothing = summarise(table[5:].assign(dice_native=1.0), **SETTINGS)
    assert [nothing[name] for name in names] == [None, None, None]


def test_interval_of_the_study_average_redraws_its_batches(table):
    # With batches of one image it is the mean over images, from the same draws; with one batch of all it is
    # pooled.
    single, pooled = (summarise(table, **{**SETTINGS, "study_batch_size": size}) for size in (1, 99))
    assert single["dice_study_low"] == pytest.approx(single["dice_per_image_low"])
    assert single["dice_study_high"] == pytest.approx(single["dice_per_image_high"])
    assert pooled["dice_study_low"] < pooled["dice_pooled"] < pooled["dice_study_high"]
    assert pooled["dice_study_low"] != pytest.approx(single["dice_study_low"])
    # IoU = Dice / (2 - Dice), monotonous, so that the ends of one pooled batch are those of Dice, up to
    # interpolation.
    ends = [pooled[f"dice_study_{end}"] for end in ("low", "high")]
    assert [pooled[f"iou_study_{end}"] for end in ("low", "high")] == pytest.approx(
        [d / (2 - d) for d in ends], abs=0.01
    )
    assert pooled["pixel_accuracy_low"] < pooled["pixel_accuracy"] < pooled["pixel_accuracy_high"] <= 1
    nothing = summarise(table[table["label"] == "no_tumor"], **SETTINGS)
    assert (nothing["dice_study_low"], nothing["iou_study_high"], nothing["pixel_accuracy_low"]) == (
        None,
        None,
        None,
    )


def test_strata_by_hand(table):
    summary = summarise(table, **SETTINGS)
    # Both gliomas have Dice 1/2, so every resample of the two groups has; the others are one group each.
    assert summary["by_class"] == {
        "glioma": stratum(2, 1 / 2, 1 / 3, 2.0, low=0.5, high=0.5),
        "meningioma": stratum(1, 0.0, 0.0, None, undefined=1),
        "pituitary": stratum(2, 7 / 8, 4 / 5, 1.0),
    }
    assert {name: plane["n"] for name, plane in summary["by_plane"].items()} == {
        "axial": 3,
        "coronal": 1,
        "sagittal": 1,
    }
    assert summary["by_plane"]["axial"]["dice_per_image"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert list(summary["by_class_plane"]) == [f"{label} {plane}" for label in TUMOURS for plane in PLANES]
    assert summary["by_class_plane"]["pituitary sagittal"] == stratum(1, 3 / 4, 3 / 5, 2.0)
    assert summary["by_class_plane"]["glioma sagittal"] == stratum(0, None, None, None)
    # (2 * 1/2 + 1 * 0 + 1 * 7/8) / 4
    assert summary["class_weighted"] == {"dice_per_image": pytest.approx(15 / 32)}


def stratum(n, dice, iou, hd95, *, undefined=0, low=None, high=None):
    return {
        "n": n,
        "dice_per_image": pytest.approx(dice),
        "low": low,
        "high": high,
        "iou_per_image": pytest.approx(iou),
        "hd95_px": pytest.approx(hd95),
        "hd95_undefined": undefined,
    }


def test_size_strata_are_cut_at_one_and_two_percent_of_the_image(table):
    pairs = table[:5].assign(true_pixels=[9, 10, 19, 20, 999], dice=[0.1, 0.2, 0.3, 0.4, 0.5])
    by_size = summarise(pairs, **SETTINGS)["by_size"]
    assert {name: (size["n"], size["dice_per_image"]) for name, size in by_size.items()} == {
        "small": (1, pytest.approx(0.1)),
        "medium": (2, pytest.approx(0.25)),
        "large": (2, pytest.approx(0.45)),
    }


def test_false_positives_by_hand(table):
    # 2 of 3 healthy slices have a predicted pixel, 0 + 8 + 4 in all. Wilson with z^2 = 3.8415: (2 + 1.9207) /
    # 6.8415 is .5731, plus or minus 1.95996 / 6.8415 * sqrt(2 * 1 / 3 + .9604) = .3654.
    found = summarise(table, **SETTINGS)["false_alarms"]
    expected = {"n": 3, "images": 2, "rate": 2 / 3, "low": 0.2077, "high": 0.9385, "mean_pixels": 4.0}
    assert found == pytest.approx(expected, abs=5e-5)


def test_a_tumour_slice_stays_a_pair_when_resizing_left_nothing_of_its_mask(table):
    table.loc[2, ["true_pixels", "predicted_pixels", "dice"]] = [0, 7, 0.0]
    summary = summarise(table, **SETTINGS)
    assert (summary["n_pairs"], summary["false_alarms"]["n"]) == (5, 3)
    assert summary["dice_per_image"] == pytest.approx(0.55)


def test_interval_treats_a_group_as_one_draw(table):
    # The five pairs as one group: nothing is known about the spread.
    summary = summarise(table.assign(group="all"), **SETTINGS)
    assert (summary["dice_per_image_low"], summary["dice_per_image_high"]) == (None, None)
    assert summary["dice_per_image"] == pytest.approx(0.55)


def random_table() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {"id": np.arange(60), "group": np.arange(60) // 2, "label": np.tile(TUMOURS, 20), "plane": "axial"}
    )
    table = table.assign(
        true_pixels=rng.integers(10, 99, 60), predicted_pixels=50, intersection=rng.integers(0, 10, 60)
    )
    return table.assign(
        pixels=1000, dice=rng.random(60), iou=rng.random(60), hd95_px=rng.random(60), boundary_dice=0.5
    )


def test_row_order_and_row_names_do_not_matter():
    # To the last digit: the sum of floating-point numbers depends on their order.
    table = random_table()
    expected = json.dumps(summarise(table, **SETTINGS))
    for seed in range(5):
        shuffled = table.sample(frac=1, random_state=seed)
        assert json.dumps(summarise(shuffled, **SETTINGS)) == expected
        assert json.dumps(summarise(shuffled.reset_index(drop=True), **SETTINGS)) == expected


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("study_batch_size", 3, "dice_study"),
        ("resamples", 7, "dice_per_image_low"),
        ("seed", 2, "dice_per_image_low"),
        ("class_weights", {"glioma": 1, "meningioma": 1, "pituitary": 2}, "class_weighted"),
    ],
)
def test_every_setting_reaches_its_number(setting, value, changed):
    table = random_table()
    assert summarise(table, **SETTINGS)[changed] != summarise(table, **{**SETTINGS, setting: value})[changed]


def test_class_weights_undo_another_mix():
    # The same images per class, with gliomas twice as often: the plain mean moves, the weighted one does not.
    table = pd.DataFrame(
        {"label": ["glioma", "meningioma", "pituitary", "glioma"], "dice": [0.2, 0.6, 1.0, 0.2]}
    )
    table = table.assign(
        id=range(4), group=range(4), plane="axial", true_pixels=5, predicted_pixels=5, intersection=2
    )
    table = table.assign(pixels=100, iou=0.5, hd95_px=1.0, boundary_dice=0.5)
    full, part = summarise(table, **SETTINGS), summarise(table[:3], **SETTINGS)
    assert full["dice_per_image"] == pytest.approx(0.5)
    assert part["dice_per_image"] == pytest.approx(0.6)
    assert full["class_weighted"] == part["class_weighted"] == {"dice_per_image": pytest.approx(0.5)}


def test_class_weighted_mean_needs_every_class_that_has_a_weight(table):
    without = table[table["label"] != "meningioma"]
    assert summarise(without, **SETTINGS)["class_weighted"] == {"dice_per_image": None}
    weights = {"glioma": 1, "meningioma": 0, "pituitary": 1}
    weighted = summarise(without, **{**SETTINGS, "class_weights": weights})["class_weighted"]
    assert weighted == {"dice_per_image": pytest.approx((1 / 2 + 7 / 8) / 2)}


def test_subset_without_rows_is_all_zero_and_none(table):
    for empty in (table[:0], pd.DataFrame(columns=list(table))):
        summary = summarise(empty, **SETTINGS)
        assert set(leaves(summary)) == {0, None}
        assert (summary["n_images"], summary["n_pairs"], summary["hd95_undefined"]) == (0, 0, 0)
        assert summary["false_alarms"] == {
            "n": 0,
            "images": 0,
            "rate": None,
            "low": None,
            "high": None,
            "mean_pixels": None,
        }
        assert summary.keys() == summarise(table, **SETTINGS).keys()


def test_subset_without_pairs_has_only_false_positives(table):
    summary = summarise(table[5:], **SETTINGS)
    assert summary["false_alarms"] == summarise(table, **SETTINGS)["false_alarms"]
    assert (summary["n_images"], summary["n_pairs"]) == (3, 0)
    del summary["false_alarms"], summary["n_images"]
    assert set(leaves(summary)) == {0, None}


def test_subset_without_healthy_slices_has_no_rate_of_false_positives(table):
    summary = summarise(table[:5], **SETTINGS)
    assert summary["dice_per_image"] == pytest.approx(0.55)
    assert (summary["false_alarms"]["n"], summary["false_alarms"]["rate"]) == (0, None)


def test_summary_is_plain_json(table):
    summary = summarise(table, **SETTINGS)
    assert {type(leaf) for leaf in leaves(summary)} == {int, float, type(None)}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def leaves(content):
    for value in content.values():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield value


def test_measured_masks_become_a_summary():
    # A tumour found exactly, a tumour missed, and a healthy slice with a false positive of one pixel.
    square, dot = rectangle(slice(2, 4), slice(2, 4)), rectangle(slice(0, 1), slice(0, 1))
    nothing = np.zeros((8, 8), dtype=bool)
    table = measure(np.stack([square, nothing, dot]), np.stack([square, square, nothing]))
    table = table.assign(
        id=["a", "b", "c"], group=[1, 2, 3], label=["glioma", "glioma", "no_tumor"], plane="axial"
    )
    summary = summarise(table, **SETTINGS)
    assert (summary["dice_per_image"], summary["dice_study"]) == (0.5, pytest.approx(2 * 4 / 12))
    assert (summary["hd95_px"], summary["hd95_undefined"]) == (0.0, 1)
    assert (summary["false_alarms"]["images"], summary["false_alarms"]["mean_pixels"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("label", "gliom", "unknown label"),
        ("plane", "ax", "unknown plane"),
        ("id", "a", "an image measured twice"),
        ("true_pixels", 3, "healthy slices with a tumour"),
        ("group", None, "without a group"),
    ],
)
def test_summary_refuses_a_wrong_table(table, column, value, told):
    with pytest.raises(InputError, match=told):
        summarise(table.assign(**{column: value}), **SETTINGS)


def test_summary_refuses_a_table_that_lacks_a_column(table):
    with pytest.raises(InputError, match="no group, iou"):
        summarise(table.drop(columns=["iou", "group"]), **SETTINGS)


def test_summary_refuses_weights_of_unknown_classes(table):
    with pytest.raises(InputError, match="unknown class weight"):
        summarise(table, **{**SETTINGS, "class_weights": {"no_tumor": 140}})
