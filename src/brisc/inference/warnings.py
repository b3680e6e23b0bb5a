"""What is unusual about an image that is judged nevertheless: names in the table, words in a terminal."""

import numpy as np
from numpy.typing import NDArray

# By the grey values of BRISC 2025's 5,000 train images: the 99.5th percentile of one in 200 is lower; and of
# what is not black in an image, at least 80 % is not white either, in a mask nothing.
DARK_BELOW, DARK_PERCENTILE = 112, 99.5
BLACK, WHITE, MASK_BELOW = 10, 245, 0.5

WORDS = {
    "air": "no head in this slice: not judged",
    "dark": "too dark; export the image with its full range of grey values",
    "doubt": "looks unlike the training images",
    "localizer": "a localiser, taken to plan others",
    "mask": "next to nothing between black and white; is it a mask?",
    "negative": "grey values below 0 were taken for 0; was the image normalised?",
    "no_body_part": "the header names no part of the body",
    "no_contrast": "the header names no contrast agent; the training images are contrast-enhanced",
    "no_metadata": "the format says nothing of modality, sequence or contrast agent",
    "no_timing": "the header has no echo and repetition time",
    "not_t1": "echo or repetition time is not that of a T1-weighted image",
    "oblique": "cut obliquely, by more than 20 degrees",
    "unsure": "no class has a probability of 0.9",
}


def unlike_grey(picture: NDArray[np.uint8]) -> list[str]:
    """The names of what is unusual about the grey values of a picture (H, W)."""
    seen = picture[picture > BLACK]
    if (seen < WHITE).sum() < MASK_BELOW * len(seen):
        return ["mask"]
    return ["dark"] if np.percentile(picture, DARK_PERCENTILE) < DARK_BELOW else []
