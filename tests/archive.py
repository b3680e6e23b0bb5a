"""A small data set in the publisher's layout, made by hand: eight train and four test images, one per class
and half.

    train   1, 2 glioma axial, coronal   3, 4 meningioma sagittal, axial   5, 6 pituitary   7, 8 no_tumor
    test    1 glioma   2 meningioma   3 no_tumor   4 pituitary

Nine of the twelve are pairs (six in train, three in test). Images are 32x32 but for the first pair, 24x32
(width, height). Train 7 is stored in colour and rotated (EXIF orientation 8).
"""

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

LABELS = {"gl": "glioma", "me": "meningioma", "no": "no_tumor", "pi": "pituitary"}
PLANES = {"ax": "axial", "co": "coronal", "sa": "sagittal"}
NAMES = (
    "brisc2025_train_00001_gl_ax_t1",
    "brisc2025_train_00002_gl_co_t1",
    "brisc2025_train_00003_me_sa_t1",
    "brisc2025_train_00004_me_ax_t1",
    "brisc2025_train_00005_pi_ax_t1",
    "brisc2025_train_00006_pi_co_t1",
    "brisc2025_train_00007_no_co_t1",
    "brisc2025_train_00008_no_sa_t1",
    "brisc2025_test_00001_gl_sa_t1",
    "brisc2025_test_00002_me_ax_t1",
    "brisc2025_test_00003_no_co_t1",
    "brisc2025_test_00004_pi_sa_t1",
)
COLUMNS = (
    "relative_path",
    "filename",
    "task",
    "split",
    "index",
    "tumor_code",
    "tumor_label",
    "plane_code",
    "plane_label",
    "sequence",
    "is_mask",
    "linked_image",
    "width",
    "height",
    "file_size_bytes",
    "sha256",
)


def image_path(name: str) -> str:
    split, label = name.split("_")[1], LABELS[name.split("_")[3]]
    return f"classification_task/{split}/{label}/{name}.jpg"


def twin_path(name: str) -> str:
    return f"segmentation_task/{name.split('_')[1]}/images/{name}.jpg"


def mask_path(name: str) -> str:
    return f"segmentation_task/{name.split('_')[1]}/masks/{name}.png"


def jpeg(pixels: np.ndarray, *, orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def square_mask(height: int, width: int) -> np.ndarray:
    """(H, W) uint8: an 8x8 lesion of 255 with an edge of 250 on a background of 0 with an edge of 3."""
    mask = np.zeros((height, width), np.uint8)
    for margin, value in ((6, 3), (7, 250), (8, 255)):
        mask[margin : 22 - margin, margin : 22 - margin] = value
    return mask


def make_files() -> dict[str, bytes]:
    """The 12 images, 9 twins and 9 masks by their path below brisc2025/."""
    files = {}
    for number, name in enumerate(NAMES):
        height, width = (32, 24 if number == 0 else 32)
        slope = np.add.outer(np.arange(height), np.arange(width)) * 3 + number
        grey = slope.astype(np.uint8)
        if name == "brisc2025_train_00007_no_co_t1":
            files[image_path(name)] = jpeg(np.stack([grey] * 3, axis=-1), orientation=8)
        else:
            files[image_path(name)] = jpeg(grey)
        if "_no_" not in name:
            files[twin_path(name)] = files[image_path(name)]
            files[mask_path(name)] = png(square_mask(height, width))
    return files


def manifest_of(files: dict[str, bytes], *, line_end: str = "\r\n") -> bytes:
    """The manifest of `files` as the publisher writes it, with backslashes and CRLF, from their names and
    bytes."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator=line_end)
    rows.writerow(COLUMNS)
    for path, content in sorted(files.items()):
        task, split = path.split("/")[0].removesuffix("_task"), path.split("/")[1]
        stem = Path(path).stem
        _, _, index, tumour, plane, _ = (stem.split("_") + [""] * 6)[:6]
        linked = twin_path(stem).replace("/", "\\") if path.endswith(".png") else ""
        rows.writerow(
            (
                path.replace("/", "\\"),
                Path(path).name,
                task,
                split,
                index,
                tumour,
                LABELS.get(tumour, ""),
                plane,
                PLANES.get(plane, ""),
                "T1",
                path.endswith(".png"),
                linked,
                *_size(content),
                len(content),
                hashlib.sha256(content).hexdigest(),
            )
        )
    return text.getvalue().encode()


def write_archive(
    destination: Path, *, files: dict[str, bytes] | None = None, manifest: bytes | None = None
) -> Path:
    """Write `files` and their manifest (default: those above) below destination/brisc2025; return that
    folder."""
    root = destination / "brisc2025"
    files = make_files() if files is None else files
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    root.mkdir(parents=True, exist_ok=True)
    (root / "manifest.csv").write_bytes(manifest_of(files) if manifest is None else manifest)
    (root / "README.md").write_text("Made by tests/archive.py.\n", encoding="utf-8")
    return root


def _size(content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except UnidentifiedImageError:
        return 32, 32
