"""From DICOM's pixel data to grey values, whatever their encoding."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from brisc.errors import InputError
from brisc.inference.images import refuse

# Of a damaged file gdcm may end the whole program; Pillow and pyjpegls give the same pixels.
for syntax in (JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000):
    get_decoder(syntax).remove_plugin("gdcm")
# These it alone decodes: in a program of its own, which may end.
APART = (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
DECODE = """
import io, sys, numpy, pydicom
for path in sys.argv[1:]:
    numpy.save(made := io.BytesIO(), pydicom.dcmread(path, force=True).pixel_array)
    sys.stdout.buffer.write(made.getvalue())
    sys.stdout.flush()
"""


def pixels_of(path: Path, dataset: Any, number: int) -> NDArray[np.float32]:
    """(rows, columns) of that frame, from 0, as a person sees them: rescaled, MONOCHROME1 inverted."""
    try:
        if not isinstance(dataset, highdicom.Image):  # made of it in place, at its first frame
            _to_little_endian(dataset)
            highdicom.Image.from_dataset(dataset, copy=False)
        pixels: NDArray[np.float32] = dataset.get_frame(
            number + 1, dtype=np.float64, apply_voi_transform=False, apply_real_world_transform=False
        ).astype(np.float32)
    except Exception as error:  # each decoder has exceptions of its own
        raise _undecodable(path, dataset, str(error)) from None
    return pixels


def _undecodable(path: Path, dataset: Any, why: str) -> InputError:
    syntax = _syntax(dataset)
    return refuse(
        path,
        "pixels that cannot be decoded",
        got=f"transfer syntax {getattr(syntax, 'name', syntax)}: {' '.join(why.split())[:150]}",
        expected="whole pixel data in a syntax that gdcm or pydicom decodes",
        mend="Copy the file again, or decompress it with gdcmconv --raw.",
    )


def _syntax(dataset: Any) -> Any:
    return dataset.file_meta.get("TransferSyntaxUID") if "file_meta" in dir(dataset) else None


def _to_little_endian(dataset: Any) -> None:
    """highdicom reads no other; pydicom has turned all but the pixels round."""
    if _syntax(dataset) == ExplicitVRBigEndian:
        _store(dataset, dataset.pixel_array)


def decode_apart(paths: list[Path], datasets: list[Any]) -> None:
    """Where gdcm has to decode them: they become uncompressed, in place."""
    mine = [(p, each) for p, each in zip(paths, datasets, strict=True) if _syntax(each) in APART]
    if not mine:
        return
    command = [sys.executable, "-c", DECODE, *(str(path) for path, _ in mine)]
    decoded = io.BytesIO(subprocess.run(command, capture_output=True, check=False).stdout)
    for path, dataset in mine:
        try:
            _store(dataset, np.load(decoded))
        except (EOFError, OSError, ValueError):  # the first without pixels
            raise _undecodable(path, dataset, "the decoder failed") from None


def _store(dataset: Any, values: NDArray[Any]) -> None:
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
