"""What is told of the grey values of an image."""

import numpy as np
import pytest

from brisc.inference.warnings import unlike_grey


def ramp(height: int, brightest: int) -> np.ndarray:
    """Black above, and below every grey value up to the brightest."""
    picture = np.zeros((height, 200), np.uint8)
    picture[height // 2 :] = np.linspace(0, brightest, 200)
    return picture


@pytest.mark.parametrize(("brightest", "told"), [(255, []), (120, []), (100, ["dark"]), (20, ["dark"])])
def test_a_picture_is_dark_by_its_brightest_pixels(brightest: int, told: list[str]) -> None:
    assert unlike_grey(ramp(100, brightest)) == told


def test_a_few_white_letters_make_no_picture_bright() -> None:
    picture = ramp(100, 90)
    picture[:2, :40] = 255  # 0.4 % of it
    assert unlike_grey(picture) == ["dark"]


def test_black_and_white_is_a_mask() -> None:
    picture = np.zeros((100, 100), np.uint8)
    picture[40:60, 40:60] = 255
    assert unlike_grey(picture) == ["mask"]
    picture[40:60, 40:42] = 128  # of a mask that was resized, a tenth
    assert unlike_grey(picture) == ["mask"]
