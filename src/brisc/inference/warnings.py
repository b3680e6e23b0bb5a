"""What is unusual about an image that is judged nevertheless: names in the table, words in a terminal."""

WORDS = {
    "air": "no head in this slice: not judged",
    "doubt": "looks unlike the training images",
    "localizer": "a localiser, taken to plan others",
    "negative": "grey values below 0 were taken for 0; was the image normalised?",
    "no_body_part": "the header names no part of the body",
    "no_contrast": "the header names no contrast agent; the training images are contrast-enhanced",
    "no_metadata": "the format says nothing of modality, sequence or contrast agent",
    "no_timing": "the header has no echo and repetition time",
    "not_t1": "echo or repetition time is not that of a T1-weighted image",
    "oblique": "cut obliquely, by more than 20 degrees",
    "unsure": "no class has a probability of 0.9",
}
