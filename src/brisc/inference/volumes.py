"""NIfTI volumes."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from brisc.atomic import atomic
from brisc.inference.images import Image, cut, refuse

UNREADABLE = (
    ImageFileError,
    HeaderDataError,
    WrapStructError,
    EOFError,
    MemoryError,
    OSError,
    OverflowError,
    ValueError,
    zlib.error,
)


def read(path: Path, axis: str) -> Image:
    volume, values = _load(path)
    affine = np.asarray(volume.affine, np.float64)
    # Of a volume without either code nibabel makes an affine up.
    codes = int(volume.header["qform_code"]), int(volume.header["sform_code"])
    if codes == (0, 0) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise refuse(
            path,
            "a volume without affine",
            got=f"qform_code {codes[0]}, sform_code {codes[1]}",
            expected="one that says where the patient's left, front and head are",
            mend="Convert the DICOM files with dcm2niix.",
        )
    image = cut(path, values, affine, axis)
    return Image(image.slices, image.restore, image.mm, image.pixel_mm2, ["no_metadata", *image.warnings])


def _load(path: Path) -> tuple[Any, NDArray[np.float32]]:
    try:
        volume: Any = nibabel.load(path)  # nibabel's types say nothing of NIfTI
        if volume.get_data_dtype().names or volume.get_data_dtype().kind == "c":
            raise refuse(
                path,
                "a colour or complex volume",
                got=volume.get_data_dtype(),
                expected="grey values",
                mend="Give the magnitude image.",
            )
        shape = tuple(side for k, side in enumerate(volume.shape) if k < 3 or side > 1)
        if len(shape) != 3:
            raise refuse(
                path,
                f"a volume of {len(shape)} dimensions",
                got=" x ".join(map(str, volume.shape)),
                expected="three",
                mend="Give one volume of it.",
            )
        values = np.asarray(volume.dataobj, np.float32).reshape(shape)
    except UNREADABLE as error:
        raise refuse(
            path,
            "a volume that cannot be read",
            got=" ".join(f"{type(error).__name__} {error}".split())[:200],
            expected="a whole NIfTI file",
            mend="Copy it again; it may have been cut off.",
        ) from None
    return volume, values


def write_mask(path: Path, mask: NDArray[np.bool_], like: Path) -> None:
    """1 where there is tumour, in the header and with the affine of the file `like`."""
    source: Any = nibabel.load(like)
    header = source.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 1
    # A fourth side of 1 is kept.
    made = type(source)(mask.astype(np.uint8).reshape(source.shape), None, header)
    content = made.to_bytes()
    with atomic(path) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0) if path.suffix.lower() == ".gz" else content)
