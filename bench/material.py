"""The same images three ways: the archive, its files on disk as the study reads them, and the decoded cache
as we do."""

import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brisc.config import Expected, Phantom, Prepare, Splits, load
from brisc.data.cache import prepare
from brisc.data.dataset import Samples, load_samples
from brisc.data.index import index_archive
from brisc.data.source import fetch
from brisc.progress import silent

EVERY = 10  # of a real archive's 6,000 images, one in ten
VALIDATION = 0.3


@dataclass(frozen=True)
class Material:
    """A folder with raw.zip, index.csv, files/ (the archive's members) and cache/; prepare: how the cache was
    made."""

    folder: Path
    prepare: Prepare

    def index(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "index.csv")

    def samples(self, images: int) -> tuple[Samples, list[tuple[Path, Path]]]:
        """`images` tumour images to train on, repeated as often as it takes, and 32 to validate on; and where
        their files are.

        Held in memory, as the cache of a data set of this size is once it has been read.
        """
        cache, index = load_samples(self.folder / "cache"), self.index().set_index("id")
        chosen = np.concatenate(
            [
                np.resize(cache.rows(split, healthy=False), count)
                for split, count in (("train", images), ("validation", 32))
            ]
        )
        table = cache.table.iloc[chosen].reset_index(drop=True)
        files = self.folder / "files"
        paths = [(files / index["image"][name], files / index["mask"][name]) for name in table["id"]]
        return Samples(cache.images[chosen], cache.masks[chosen], table, cache.fingerprint), paths


def collect(folder: Path, *, archive: Path | None, size: int, slices: Splits, side: int) -> Material:
    """Bring the material together in `folder`: from `archive`, or from phantoms of `side` pixels where there
    is none."""
    planted = [name for name in vars(load("demo", "phantom")) if name.startswith(("copies_", "neighbours"))]
    phantom: Phantom = replace(load("demo", "phantom"), size=side, slices=slices, **dict.fromkeys(planted, 0))
    data, raw = load("demo" if archive is None else "laptop", "data"), folder / "raw.zip"
    fetch(raw, data=data, phantom=phantom, archive=archive, track=silent)
    index, _ = index_archive(raw, expected=counted(raw), track=silent)
    index[:: EVERY if archive else 1].to_csv(folder / "index.csv", index=False)
    index = pd.read_csv(folder / "index.csv")
    with zipfile.ZipFile(raw) as members:
        members.extractall(folder / "files", [*index["image"], *index["mask"].dropna()])
    # So few images that the profile's share would leave some class without any to validate on.
    settings: Prepare = replace(load("laptop", "prepare"), size=size, validation_fraction=VALIDATION)
    prepare(
        raw,
        index,
        strangers(index),
        folder / "cache",
        native=folder / "masks.npz",
        prepare=settings,
        track=silent,
    )
    return Material(folder, settings)


def counted(raw: Path) -> Expected:
    """What the archive holds, in the form in which validation asks for it; here it is not the archive that is
    on trial."""
    with zipfile.ZipFile(raw) as archive:
        kinds = Counter(tuple(name.split("/")[1:-1]) for name in archive.namelist())
    images = {
        split: sum(n for kind, n in kinds.items() if kind[:2] == ("classification_task", split))
        for split in ("train", "test")
    }
    masks = {split: kinds["segmentation_task", split, "masks"] for split in ("train", "test")}
    return Expected(images=Splits(**images), pairs=Splits(**masks))


def strangers(index: pd.DataFrame) -> pd.DataFrame:
    """The audit's groups of an archive in which no image has to do with another."""
    return index[["id", "split"]].assign(group=index["id"], copy_across=0, neighbour_across=0)
