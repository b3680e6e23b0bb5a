"""A small phantom archive with planted copies and neighbours, and the settings to search it with."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brisc.config import Audit, Expected, Phantom, Planes, Splits
from brisc.data.index import index_archive
from brisc.data.phantom import PlantedCopy, generate
from brisc.progress import silent

PHANTOM = Phantom(
    seed=7,
    size=128,
    slices=Splits(train=56, test=18),
    deformation_mm=5.0,
    bias=0.12,
    noise=0.015,
    lesion_contrast=1.0,
    other_sizes=0.3,
    colour=0.5,
    rotated=0.7,
    mask_quality=97,
    copies_same_bytes=1,
    copies_same_pixels=1,
    copies_reencoded=2,
    copies_rescaled=2,
    copies_mirrored=3,
    copies_within_train=5,
    neighbours=3,
    neighbours_within_train=3,
    neighbour_gap_mm=4.0,
)
AUDIT = Audit(
    copy_similarity=0.955,
    neighbour_similarity=Planes(axial=0.52, coronal=0.52, sagittal=0.52),
    screen_similarity=0.7,
    nearest=4,
    tilts_degrees=[10.0, 20.0, 30.0],
    probe_seed=42,
)


@dataclass(frozen=True)
class PhantomArchive:
    """raw: the zip; index: its index; planted: what was planted."""

    raw: Path
    index: pd.DataFrame
    planted: list[PlantedCopy]


def write_phantoms(folder: Path) -> PhantomArchive:
    planted = generate(folder, phantom=PHANTOM, track=silent)
    raw = folder / "raw.zip"
    with zipfile.ZipFile(raw, "w") as archive:
        for path in sorted((folder / "brisc2025").rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    masked = {
        split: len(list((folder / "brisc2025/segmentation_task" / split / "masks").iterdir()))
        for split in ("train", "test")
    }
    expected = Expected(images=PHANTOM.slices, pairs=Splits(**masked))
    index, _ = index_archive(raw, expected=expected, track=silent)
    return PhantomArchive(raw, index, planted)
