"""Grey values and geometry of volumes, by hand."""

from pathlib import Path

import numpy as np
import pytest

from brisc.errors import InputError
from brisc.inference.images import cut, slicing_axis, to_grey

HERE = Path("volume")


def test_the_bright_end_becomes_that_of_the_training_images() -> None:
    values = np.linspace(0, 1000, 100 * 100, dtype=np.float32).reshape(100, 100)
    grey = to_grey(values)
    # The 99.9th percentile, 999, is 211; half of it is 105.5; what is brighter goes on to 211.2.
    assert grey.max() == 211
    assert grey.min() == 0
    assert grey.ravel()[5000] == round(500.05 * 211 / 999)
    values[0, :5] = 5000  # less than 0.1 % of the pixels: they are clipped and move nothing else
    assert to_grey(values)[0, 0] == 255
    assert abs(int(to_grey(values).ravel()[5000]) - int(grey.ravel()[5000])) <= 1


@pytest.mark.parametrize(("low", "warned"), [(-0.5, True), (-0.01, False)])
def test_an_image_with_much_below_0_is_told(low: float, warned: bool) -> None:
    """In parts of the brightest: of a normalised image, and what a resampling leaves."""
    values = np.full((48, 40, 36), 100, np.float32)
    values[:, :4] = 100 * low
    assert ("negative" in cut(HERE, values, np.eye(4), "axial").warnings) is warned


def head() -> np.ndarray:
    """(48, 40, 36) in RAS order, with a brighter place on the right, one in front and one on top."""
    values = np.full((48, 40, 36), 100, np.float32)
    values[40:, :, :], values[:, 32:, :], values[:, :, 30:] = 150, 200, 250
    return values


@pytest.mark.parametrize(
    ("axis", "shape", "bright"),
    [
        # The patient's front is up, his right on the left.
        ("axial", (40, 48), [("up", 200), ("left", 150)]),
        ("coronal", (36, 48), [("up", 250), ("left", 150)]),
        ("sagittal", (36, 40), [("up", 250), ("left", 200)]),
    ],
)
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_slices_lie_as_radiologists_see_them_however_the_file_is_stored(
    axis: str,
    shape: tuple[int, int],
    bright: list[tuple[str, int]],
    flips: tuple[int, ...],
    order: tuple[int, ...],
) -> None:
    values, affine = head(), np.diag([1.0, 1.0, 1.0, 1.0])
    for k in flips:
        affine[k, 3] = affine[k, k] * (values.shape[k] - 1)
        affine[k, k] *= -1
    values = np.flip(values, flips).transpose(order)
    affine = affine[:, [*order, 3]]
    image = cut(HERE, values, affine, axis)
    along = order.index({"axial": 2, "coronal": 1, "sagittal": 0}[axis])
    assert len(image.slices) == values.shape[along]
    low = int(np.argmin(np.abs(np.array(image.mm))))  # the slice at 0 mm: at the feet, the back, the left
    picture = image.slices[low]
    assert picture is not None
    assert picture.shape == shape
    corner = {"up": picture[0, -1], "left": picture[-1, 0]}
    for where, value in bright:
        # All scaled alike within the slice, whose dark rest is 100.
        assert corner[where] / picture[-1, -1] == pytest.approx(value / 100, rel=0.02)
    # A mask of one pixel goes back to the voxel that it was drawn on.
    masks = [np.zeros(shape, bool) for _ in image.slices]
    masks[low][0, 0] = True
    back = image.restore(masks)
    assert back.shape == values.shape
    (voxel,) = np.argwhere(back)
    place = affine @ [*voxel, 1]
    right, front, top = 47, 39, 35
    assert (
        place[:3].tolist()
        == {
            "axial": [right, front, 0],
            "coronal": [right, 0, top],
            "sagittal": [0, front, top],
        }[axis]
    )


def test_a_volume_is_cut_along_its_coarse_axis_and_axially_without_one() -> None:
    order = [0, 1, 2]
    assert slicing_axis((50, 50, 50), np.array([1.0, 1.0, 1.0]), order, "auto") == 2
    assert slicing_axis((50, 20, 50), np.array([1.0, 5.0, 1.0]), order, "auto") == 1
    assert slicing_axis((1, 50, 50), np.array([1.0, 1.0, 1.0]), order, "auto") == 0
    assert slicing_axis((50, 20, 50), np.array([1.0, 5.0, 1.0]), [2, 1, 0], "axial") == 0


def test_pixels_are_made_square_and_masks_go_back() -> None:
    values = np.random.default_rng(0).uniform(50, 100, (40, 32, 50)).astype(np.float32)
    image = cut(HERE, values, np.diag([1.0, 2.0, 1.0, 1.0]), "axial")
    picture = image.slices[0]
    assert picture is not None
    assert picture.shape == (64, 40)
    assert image.pixel_mm2 == 1.0
    assert image.restore([np.ones((64, 40), bool)] * 50).all()


def test_air_is_not_judged_and_a_blank_volume_is_refused() -> None:
    values = np.random.default_rng(0).uniform(50, 100, (40, 40, 5)).astype(np.float32)
    values[:, :, 0] /= 20
    assert [picture is None for picture in cut(HERE, values, np.eye(4), "axial").slices] == [
        True,
        *[False] * 4,
    ]
    with pytest.raises(InputError, match="blank"):
        cut(HERE, np.full((40, 40, 5), 7, np.float32), np.eye(4), "axial")
    with pytest.raises(InputError, match="impossible geometry"):
        cut(HERE, values, np.diag([1.0, 1.0, 0.0, 1.0]), "axial")
    with pytest.raises(InputError, match="impossible geometry"):
        cut(HERE, values, np.diag([1.0, 1000.0, 1.0, 1.0]), "axial")
    with pytest.raises(InputError, match="size"):
        cut(HERE, values[:1], np.eye(4), "axial")


@pytest.mark.parametrize(("degrees", "told"), [(19, []), (21, ["oblique"])])
def test_more_than_twenty_degrees_are_oblique(degrees: float, told: list[str]) -> None:
    angle = np.radians(degrees)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    values = np.random.default_rng(0).uniform(50, 100, (40, 40, 40)).astype(np.float32)
    assert cut(HERE, values, affine, "axial").warnings == told
