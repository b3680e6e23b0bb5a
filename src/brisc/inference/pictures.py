"""PNG and JPEG: the pixels that `evaluate` sees of such a file."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from brisc.atomic import atomic
from brisc.data.picture import read_grey
from brisc.inference.images import Image, blank, check_size, refuse, to_grey, too_large

# Channels of a grey picture that was stored in colour differ by what JPEG rounds; those of a colour picture
# by more than this in more than this share of the pixels.
COLOUR_LEVELS, COLOUR_SHARE = 24, 0.01


def read(path: Path) -> Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # `check_size` knows better
            return _read(path)
    except Pillow.DecompressionBombError:
        raise too_large(path) from None
    except (UnidentifiedImageError, SyntaxError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise
        raise refuse(
            path,
            "a picture that cannot be decoded",
            got=" ".join(str(error).split()),
            expected="a whole PNG or JPEG file",
            mend="Export it again; it may have been cut off.",
        ) from None


def _read(path: Path) -> Image:
    with Pillow.open(path, formats=["PNG", "JPEG"]) as picture:
        check_size(path, picture.size[::-1])
        if getattr(picture, "n_frames", 1) > 1:
            raise refuse(
                path, "a moving picture", got="several frames", expected="one frame", mend="Give one image."
            )
        if picture.mode.startswith("I"):  # 16 bit, which Pillow would clip to 8
            grey = to_grey(np.asarray(ImageOps.exif_transpose(picture), np.float32))
        else:
            _check_colour(path, picture)
            grey = read_grey(path.read_bytes())
    if grey.min() == grey.max():
        raise blank(path)
    return Image([grey], lambda masks: masks[0], warnings=["no_metadata"])


def _check_colour(path: Path, picture: Pillow.Image) -> None:
    if picture.has_transparency_data and np.asarray(picture.convert("RGBA").getchannel("A")).min() < 255:
        raise refuse(
            path, "a transparent picture", got=picture.mode, expected="grey", mend="Export it without alpha."
        )
    if picture.mode in ("1", "L", "LA"):
        return
    channels = np.asarray(picture.convert("RGB"), np.int16)
    share = float((np.ptp(channels, axis=2) > COLOUR_LEVELS).mean())
    if share > COLOUR_SHARE:
        raise refuse(
            path,
            "a colour picture",
            got=f"{share:.0%} coloured pixels",
            expected="a grey MRI slice",
            mend="Export the slice without colour map and annotations.",
        )


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """255 where there is tumour, 0 elsewhere."""
    write_png(path, mask.astype(np.uint8) * 255)


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    with atomic(path) as temporary:
        Pillow.fromarray(pixels).save(temporary, format="PNG")
