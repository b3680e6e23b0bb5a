import math

import numpy as np
import pytest

from brisc.evaluation.native import dice_native


def columns(*, of: int, filled: int) -> np.ndarray:
    """A square of `of` pixels whose first columns are tumour."""
    return np.tile(np.arange(of) < filled, (of, 1))


def score(native, logits, threshold=0.5):
    """Dice of the same logits (H, W) for every image of `native`."""
    grids = np.stack([np.array(logits, dtype=np.float64)] * len(native))
    return dice_native(grids, native, np.arange(len(native)), threshold=threshold).tolist()


# Along a row of 8 pixels a grid of 4 is read at -.25, .25, .75, 1.25, 1.75, 2.25 ..
@pytest.mark.parametrize(
    ("row", "threshold", "found"),
    [
        ([1, 1, -1, -1], 0.5, 4),  # .5 in column 3, -.5 in column 4
        ([3, 3, -1, -1], 0.5, 4),  # .25 x 3 - .75 = 0 in column 4 is not above 0
        ([4, 4, -1, -1], 0.5, 5),  # .25 in column 4: it is the logits that are enlarged, not the mask
        ([1, 1, -1, -1], 0.7, 3),  # the logit of .7 is .85
        ([-1, -1, -1, -1], 0.5, 0),
    ],
)
def test_logits_are_enlarged_then_cut(native_of, row, threshold, found):
    native = native_of([columns(of=8, filled=3), np.zeros((8, 8), bool)])
    expected = [2 * 8 * min(found, 3) / (8 * found + 24), 1.0 if found == 0 else 0.0]
    assert score(native, [row] * 4, threshold) == pytest.approx(expected)


def test_images_of_any_size_are_scored_at_their_own(native_of):
    # The left half at any size; of 6 columns the fourth is read at (3.5) 4 / 6 - .5 = 1.83, beyond the half.
    native = native_of([columns(of=n, filled=n // 2) for n in (4, 6, 8, 50)])
    assert score(native, [[1, 1, -1, -1]] * 4) == [1.0, 1.0, 1.0, 1.0]


def test_other_rows_have_other_masks(native_of):
    native = native_of([columns(of=8, filled=n) for n in (8, 4, 2)])
    grid = np.array([[[1.0, 1, -1, -1]] * 4] * 2)
    found = dice_native(grid, native, np.array([2, 0]), threshold=0.5)
    assert found.tolist() == pytest.approx([2 * 16 / (32 + 16), 2 * 32 / (32 + 64)])


@pytest.mark.parametrize("transposed", [False, True])
def test_a_padded_image_is_cut_out_of_its_square(native_of, transposed):
    # 8 x 4 in a square of 8 lies in columns 2 to 5. Its upper left quarter, which touches two borders, is one
    # column and two rows of a grid of 4. Along the grid's row -1 1 -1 -1 columns 2 and 3 are .5 and their
    # neighbours -.5; in row 3, at 1.25, they are still .75 x .5 - .25 = .125, in row 4 .25 x .5 - .75.
    truth = np.zeros((8, 4), bool)
    truth[:4, :2] = True
    grid = np.full((4, 4), -1.0)
    grid[:2, 1] = 1
    turn = np.transpose if transposed else np.asarray
    assert score(native_of([turn(truth)], fit="pad"), turn(grid)) == [1.0]
    # Squeezed, the grid's second column is the image's second one: 4 of the 8 pixels.
    assert score(native_of([turn(truth)], fit="squeeze"), turn(grid)) == [pytest.approx(2 * 4 / (4 + 8))]


def test_what_lies_in_the_padding_does_not_count(native_of):
    grid = np.full((4, 4), -1.0)
    grid[:, 0] = 1
    assert score(native_of([np.zeros((8, 4), bool)], fit="pad"), grid) == [1.0]


def test_the_grid_s_own_size_gives_the_mask_of_the_grid(native_of):
    rng = np.random.default_rng(3)
    truth, logits = rng.random((5, 16, 16)) > 0.5, rng.normal(size=(5, 16, 16))
    found = dice_native(logits, native_of(truth), np.arange(5), threshold=0.6)
    masks = logits > math.log(0.6 / 0.4)
    expected = 2 * (masks & truth).sum(axis=(1, 2)) / (masks.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)))
    assert found == pytest.approx(expected)
