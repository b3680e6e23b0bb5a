"""Is the archive what the study needs? Every file is decoded once and held against the rules; each image
becomes a row."""

import hashlib
import io
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import ExifTags, Image, UnidentifiedImageError

from brisc.config import Expected
from brisc.data.manifest import FILE_LIMIT, MANIFEST, Entry, bad, read_manifest, told
from brisc.data.picture import MASK_LEVEL, read_grey
from brisc.data.source import ROOT, Folder, Zip, open_source
from brisc.errors import InputError
from brisc.progress import Track
from brisc.vocabulary import HEALTHY, LABEL_CODES, LABELS, PLANE_CODES, PLANES

SPLITS = ("train", "test")
LABEL_OF = {code: label for label, code in LABEL_CODES.items()}  # for "no" the data set's README says "nt"
PLANE_OF = {code: plane for plane, code in PLANE_CODES.items()}
NAME = re.compile(r"brisc2025_(?P<split>train|test)_[0-9]{5}_(?P<label>gl|me|no|pi)_(?P<plane>ax|co|sa)_t1")
FOLDERS = {
    "image": re.compile(r"classification_task/(?P<split>\w+)/(?P<label>\w+)/(?P<id>[^/]+)\.jpg"),
    "twin": re.compile(r"segmentation_task/(?P<split>\w+)/images/(?P<id>[^/]+)\.jpg"),
    "mask": re.compile(r"segmentation_task/(?P<split>\w+)/masks/(?P<id>[^/]+)\.png"),
}
FORMATS = {"image": ("JPEG",), "mask": ("PNG",)}
# Masks ring around 0 and 255, up to LOW and down to HIGH; a value between is neither class.
LOW, HIGH = 10, 245
MOST_TUMOUR = 0.5  # of a slice; the largest published tumour has 17 %, an inverted mask has more than 80 %
BATCH = 64  # files; an interrupt waits for no more than these
SHOWN = 50  # problems told in full
BROKEN_IMAGE = (
    OSError,  # truncated
    SyntaxError,  # damaged chunks of a PNG
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are errors
)

broken = partial(bad, mend="Correct the file and its row of the manifest, or get the data set anew.")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file by its place and name: a classification image, its twin in the segmentation task, or a mask."""

    path: str
    kind: str
    id: str
    split: str
    label: str
    plane: str
    entry: Entry


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is in a file: pixels as shown (after EXIF rotation), Pillow's mode, EXIF orientation, a mask's
    grey values and share of tumour."""

    width: int
    height: int
    mode: str
    orientation: int
    values: tuple[int, ...]
    tumour: float


def index_archive(raw: Path, *, expected: Expected, track: Track) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The index, one row per image sorted by id, and a summary of the archive for people.

    Columns: id, split, label, plane, image and mask (members of the archive; mask is "" for a healthy slice),
    width and height (pixels, as shown), mode (Pillow's), orientation (EXIF, 1 if none), image_bytes,
    image_sha256, mask_sha256. Raises InputError if the archive cannot be read, and InputErrors with every
    file that breaks a rule.
    """
    with open_source(raw) as archive:
        members, misplaced = _parse(_listed(archive), archive)
        contents, unreadable = _inspect_all(members, archive, track)
        images, twins, masks = (_by_id(members, kind) for kind in ("image", "twin", "mask"))
        unpaired = _check_pairs(images, twins, masks, contents, archive)
    if problems := [*_check_counts(images, masks, expected, raw), *misplaced, *unreadable, *unpaired]:
        raise told(problems, shown=SHOWN, where=raw)
    index = _table(images, masks, contents)
    return index, _summary(index, {value for mask in masks.values() for value in contents[mask.path].values})


def _listed(archive: Folder | Zip) -> dict[str, Entry]:
    content = archive.read(ROOT + MANIFEST, FILE_LIMIT)
    return read_manifest(content, archive.where(ROOT + MANIFEST))


def _parse(entries: dict[str, Entry], archive: Folder | Zip) -> tuple[list[Member], list[InputError]]:
    """The files that have a place in the data set, sorted by path, and what their names contradict."""
    members: list[Member] = []
    problems: list[InputError] = []
    known: dict[tuple[str, str], str] = {}  # path by kind and id
    for path, entry in sorted(entries.items()):
        where = archive.where(ROOT + path)
        place = next(
            ((kind, found) for kind, folder in FOLDERS.items() if (found := folder.fullmatch(path))), None
        )
        if place is None:
            problems.append(
                broken("file of no known kind", where, path, "an image or a mask in the publisher's layout")
            )
            continue
        kind, folder = place[0], place[1].groupdict()
        name = NAME.fullmatch(folder["id"])
        if name is None:
            problems.append(
                broken(
                    "file name",
                    where,
                    folder["id"],
                    "brisc2025_<split>_<5 digits>_<gl|me|no|pi>_<ax|co|sa>_t1",
                )
            )
            continue
        split, label, plane = name["split"], LABEL_OF[name["label"]], PLANE_OF[name["plane"]]
        members.append(
            Member(path=path, kind=kind, id=folder["id"], split=split, label=label, plane=plane, entry=entry)
        )
        if (kind, folder["id"]) in known:
            problems.append(
                broken("id given twice", where, f"also {known[kind, folder['id']]}", "each id once")
            )
        known[kind, folder["id"]] = path
        for of, got, by_name in (
            ("split of the folder", folder["split"], split),
            ("class of the folder", folder.get("label", label), label),
            ("split in the manifest", entry.split, split),
            ("class in the manifest", entry.label, label),
            ("plane in the manifest", entry.plane, plane),
        ):
            if got != by_name:
                problems.append(broken(f"{of} contradicts the file name", where, got, by_name))
    return members, problems


def _inspect_all(
    members: list[Member], archive: Folder | Zip, track: Track
) -> tuple[dict[str, Content], list[InputError]]:
    """The contents of images and masks by path, and what is wrong with the files."""
    contents: dict[str, Content] = {}
    problems: list[InputError] = []
    batches = [members[start : start + BATCH] for start in range(0, len(members), BATCH)]
    with ThreadPoolExecutor() as pool:
        for batch in track(batches, "decoding and checking files"):
            results = pool.map(lambda member: _inspect(member, archive), batch)
            for member, (content, found) in zip(batch, results, strict=True):
                problems += found
                if content is not None:
                    contents[member.path] = content
    return contents, problems


def _inspect(member: Member, archive: Folder | Zip) -> tuple[Content | None, list[InputError]]:
    where = archive.where(ROOT + member.path)
    try:
        data = archive.read(ROOT + member.path, member.entry.size)
        if hashlib.sha256(data).hexdigest() != member.entry.sha256:
            raise broken("file differs from the manifest", where, "another SHA-256", member.entry.sha256)
        if member.kind == "twin":  # the same bytes as the image, which is decoded
            return None, []
        content = _decode(data, member, where)
    except InputError as problem:
        return None, [problem]
    return content, _check_mask(content, where) if member.kind == "mask" else []


def _decode(data: bytes, member: Member, where: str) -> Content:
    entry = member.entry
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS[member.kind]) as image:
            mode, stored = image.mode, image.size
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        # Every sideways file of the publisher is square, so it cannot be told whether the manifest means the
        # size as stored or as shown. Compared before the pixels are decoded: they could be far more than
        # memory holds.
        if (entry.width, entry.height) not in (
            stored,
            stored[::-1] if orientation in (5, 6, 7, 8) else stored,
        ):
            size = f"{entry.width}x{entry.height} pixels as in the manifest"
            raise broken("size contradicts the manifest", where, f"{stored[0]}x{stored[1]}", size)
        if mode not in ("L", "RGB"):
            raise broken("not an 8-bit image", where, f"mode {mode}", "8 bits, grey (L) or colour (RGB)")
        if orientation not in range(1, 9):
            raise broken("EXIF orientation", where, orientation, "1 to 8")
        grey = read_grey(data)
    except UnidentifiedImageError:
        raise broken(
            f"{member.kind} not readable", where, "another format", FORMATS[member.kind][0]
        ) from None
    except BROKEN_IMAGE as error:
        got = str(error) or type(error).__name__
        raise broken(
            f"{member.kind} not readable", where, got, f"a whole {FORMATS[member.kind][0]}"
        ) from None
    height, width = grey.shape
    counts = np.bincount(grey.ravel(), minlength=256) if member.kind == "mask" else np.zeros(256)
    return Content(
        width=width,
        height=height,
        mode=mode,
        orientation=orientation,
        values=tuple(np.flatnonzero(counts).tolist()),
        tumour=float(counts[MASK_LEVEL + 1 :].sum()) / grey.size,
    )


def _check_mask(mask: Content, where: str) -> list[InputError]:
    problems = []
    if between := [value for value in mask.values if LOW < value < HIGH]:
        got = f"{len(between)} values from {between[0]} to {between[-1]}"
        problems.append(broken("mask not binary", where, got, f"only 0 to {LOW} and {HIGH} to 255"))
    if mask.values[-1] <= MASK_LEVEL:
        problems.append(
            broken("mask empty", where, f"no value above {mask.values[-1]}", f"pixels above {MASK_LEVEL}")
        )
    if mask.tumour > MOST_TUMOUR:
        got, most = f"{mask.tumour:.0%} tumour", f"at most {MOST_TUMOUR:.0%}"
        problems.append(broken("mask inverted or all white", where, got, most))
    return problems


def _by_id(members: list[Member], kind: str) -> dict[str, Member]:
    return {
        member.id: member for member in sorted(members, key=lambda member: member.id) if member.kind == kind
    }


def _check_pairs(
    images: dict[str, Member],
    twins: dict[str, Member],
    masks: dict[str, Member],
    contents: dict[str, Content],
    archive: Folder | Zip,
) -> list[InputError]:
    def wrong(what: str, member: Member, got: str, expected: str) -> None:
        problems.append(broken(what, archive.where(ROOT + member.path), got, expected))

    problems: list[InputError] = []
    for id in sorted({*images, *twins, *masks}):
        image, twin, mask = images.get(id), twins.get(id), masks.get(id)
        if twin is not None and image is None:
            wrong(
                "segmentation image without classification image",
                twin,
                "no such image",
                f"{id}.jpg in its class",
            )
        if twin is not None and image is not None and twin.entry.sha256 != image.entry.sha256:
            wrong(
                "segmentation image differs from classification image",
                twin,
                "other bytes",
                f"those of {image.path}",
            )
        if twin is not None and mask is None:
            wrong("segmentation image without mask", twin, "no such mask", f"{id}.png")
        if mask is not None and (twin is None or image is None):
            wrong("mask without image", mask, "no such image", f"{id}.jpg in both tasks")
        if image is not None and image.label != HEALTHY and mask is None:
            wrong("tumour image without mask", image, "no such mask", f"{id}.png")
        if mask is not None and mask.label == HEALTHY:
            wrong("healthy image with mask", mask, "a mask", "none")
        if image is not None and mask is not None and {image.path, mask.path} <= contents.keys():
            shown, drawn = ((contents[path].width, contents[path].height) for path in (image.path, mask.path))
            if shown != drawn:
                wrong(
                    "mask of another size", mask, "{}x{}".format(*drawn), "{}x{} as its image".format(*shown)
                )
    return problems


def _check_counts(
    images: dict[str, Member], masks: dict[str, Member], expected: Expected, raw: Path
) -> list[InputError]:
    mend = "Use the profile of this data set, or correct data.expected."
    return [
        bad(f"number of {what} in {split}", raw, count, getattr(wanted, split), mend)
        for what, ids, wanted in (
            ("images", images, expected.images),
            ("image-mask pairs", images.keys() & masks.keys(), expected.pairs),
        )
        for split, count in _per_split(images[id].split for id in ids).items()
        if count != getattr(wanted, split)
    ]


def _per_split(splits: Iterable[str]) -> dict[str, int]:
    counts = Counter(splits)
    return {split: counts[split] for split in SPLITS}


def _table(images: dict[str, Member], masks: dict[str, Member], contents: dict[str, Content]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": id,
            "split": image.split,
            "label": image.label,
            "plane": image.plane,
            "image": ROOT + image.path,
            "mask": ROOT + masks[id].path if id in masks else "",
            "width": contents[image.path].width,
            "height": contents[image.path].height,
            "mode": contents[image.path].mode,
            "orientation": contents[image.path].orientation,
            "image_bytes": image.entry.size,
            "image_sha256": image.entry.sha256,
            "mask_sha256": masks[id].entry.sha256 if id in masks else "",
        }
        for id, image in images.items()
    )


def _summary(index: pd.DataFrame, mask_values: set[int]) -> dict[str, Any]:
    pairs = index[index["mask"] != ""]
    sizes = Counter(
        f"{width}x{height}" for width, height in zip(index["width"], index["height"], strict=True)
    )
    return {
        "images": _per_split(index["split"]),
        "pairs": _per_split(pairs["split"]),
        "by_class_plane": {split: _per_class_plane(index[index["split"] == split]) for split in SPLITS},
        "sizes": {"distinct": len(sizes), "most_common": dict(_ranked(sizes)[:10])},
        "modes": dict(sorted(Counter(index["mode"]).items())),
        "orientations": {
            label: {str(tag): count for tag, count in sorted(Counter(rows["orientation"].tolist()).items())}
            for label, rows in index.groupby("label")
        },
        "mask_values": {
            "low": _range([value for value in mask_values if value <= MASK_LEVEL]),
            "high": _range([value for value in mask_values if value > MASK_LEVEL]),
        },
        "problems": [],
    }


def _per_class_plane(index: pd.DataFrame) -> dict[str, int]:
    counts = Counter(zip(index["label"], index["plane"], strict=True))
    return {f"{label} {plane}": counts[label, plane] for label in LABELS for plane in PLANES}


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _range(values: list[int]) -> dict[str, int | None]:
    """None where there are no values: an archive of healthy slices."""
    return {"min": min(values, default=None), "max": max(values, default=None)}
