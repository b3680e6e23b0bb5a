"""Phantoms in the publisher's layout: generated slices, masks and manifest, with a known number of planted
copies.

They carry what the real archive does to people: grey ringing in masks, no-tumour files stored turned with an
EXIF tag, files of other sizes, colour files, and slices of the test half that come again in train, as the
same file, re-encoded, rescaled, mirrored, or as the neighbouring slice of the same head. What was planted is
returned and written beside the manifest, so that a search for copies can be scored against a truth. The
anatomy is in brisc.data.head.
"""

import csv
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from brisc.atomic import atomic
from brisc.config import Phantom
from brisc.data.head import Template, adjacent, draw_head, draw_plane, load_template, section
from brisc.errors import InputError
from brisc.progress import Track
from brisc.vocabulary import HEALTHY, LABEL_CODES, LABELS, PLANE_CODES, PLANES

ROOT = "brisc2025"
COPIES = "phantom_copies.csv"
MIX = {  # BRISC 2025's images per class and plane, in the order of its numbering
    "train": (394, 430, 323, 423, 426, 480, 352, 310, 405, 426, 510, 521),
    "test": (85, 81, 88, 137, 86, 83, 52, 48, 40, 124, 90, 86),
}
CELLS = tuple((label, plane) for label in LABELS for plane in PLANES)
QUALITIES = (75, 90)  # of the JPEGs in BRISC 2025
TURNS = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}  # undone by the tag
SMALLEST_LESION = 0.002  # of the image's pixels; the 1st percentile of BRISC 2025's masks
PLAN, HEAD, NOISE, FILE = range(4)  # streams of random numbers
MANIFEST_COLUMNS = (
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
README = """# Generated phantoms, not patient data

Written by brisc.data.phantom in the layout of BRISC 2025. Nothing learnt or measured here says anything \
about patients.
phantom_copies.csv lists the copies and neighbouring slices that were planted.

The brain tissue comes from the ICBM 152 template: Copyright (C) 1993-2004 Louis Collins, McConnell \
Brain Imaging Centre,
Montreal Neurological Institute, McGill University. Permission to use, copy, modify, and distribute this \
software and its
documentation for any purpose and without fee is hereby granted, provided that the above copyright \
notice appear in all
copies. The authors and McGill University make no representations about the suitability of this software \
for any purpose.
It is provided "as is" without express or implied warranty. The authors are not responsible for any data \
loss, equipment
damage, property loss, or injury to subjects or patients resulting from the use or misuse of this \
software package.
"""


@dataclass(frozen=True, kw_only=True)
class PlantedCopy:
    """`copy`, always of the train half, shows what `original` shows; an original of the train half is a copy
    within train.

    relation: same_bytes, same_pixels (other bytes), reencoded, rescaled, mirrored (left-right) or neighbour.
    """

    original: str
    copy: str
    relation: str


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A place in the archive: its number in its half of the split, its class and plane."""

    split: str
    number: int
    label: str
    plane: str

    @property
    def id(self) -> str:
        return (
            f"brisc2025_{self.split}_{self.number:05d}_{LABEL_CODES[self.label]}_{PLANE_CODES[self.plane]}_t1"
        )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a slice shows, upright: image (H, W) uint8 and mask (H, W) bool; and how its file stores it."""

    image: np.ndarray
    mask: np.ndarray
    mode: str
    quality: int
    orientation: int = 1
    optimize: bool = False


def generate(destination: Path, *, phantom: Phantom, track: Track) -> list[PlantedCopy]:
    """Write `destination`/brisc2025, the same bytes for the same `phantom`; return what was planted, sorted
    by copy.

    Raises:
        InputError: a half has no slice for some class and plane, there is no room for so many copies, or the
        brain
            template is missing.
    """
    places = [*_places("train", phantom.slices.train), *_places("test", phantom.slices.test)]
    planted = _plan(places, phantom)
    by_id = {place.id: place for place in places}
    twins = {pair.original: pair for pair in planted}
    drawn = sorted(set(by_id) - {pair.copy for pair in planted})
    template = load_template()
    with atomic(destination / ROOT) as root:
        rows = []
        for name in track(drawn, "phantoms"):
            twin = twins.get(name)
            adjacent_too = twin is not None and twin.relation == "neighbour"
            gaps_mm = (0.0, phantom.neighbour_gap_mm) if adjacent_too else (0.0,)
            picture, *neighbours = _draw(template, by_id[name], phantom, gaps_mm)
            rows += _write(root, by_id[name], picture, phantom.mask_quality)
            if twin is not None:
                place = by_id[twin.copy]
                copy = (
                    neighbours[0]
                    if neighbours
                    else _copy(twin.relation, picture, _stream(phantom, FILE, place))
                )
                rows += _write(root, place, copy, phantom.mask_quality)
        _write_table(root / "manifest.csv", MANIFEST_COLUMNS, sorted(rows), "\r\n")
        pairs = [(pair.original, pair.copy, pair.relation) for pair in planted]
        _write_table(root / COPIES, ("original", "copy", "relation"), pairs, "\n")
        (root / "README.md").write_text(README, encoding="utf-8", newline="\n")
    return planted


def _places(split: str, total: int) -> Iterator[Slice]:
    """Numbered through classes and planes as the publisher does, in the publisher's mix, none empty."""
    if total < len(CELLS):
        raise InputError(
            f"too few phantoms for {split}",
            where="phantom.slices",
            got=total,
            expected=f"at least {len(CELLS)}, one per class and plane",
            mend="Raise the setting in the profile.",
        )
    mix = np.array(MIX[split], float)
    shares = np.ones(len(mix), int)
    for _ in range(total - len(mix)):
        shares[np.argmax(mix**2 / (shares * (shares + 1)))] += 1  # Huntington-Hill: nobody has less than one
    number = 0
    for (label, plane), share in zip(CELLS, shares, strict=True):
        for _ in range(share):
            number += 1
            yield Slice(split=split, number=number, label=label, plane=plane)


def _plan(places: list[Slice], phantom: Phantom) -> list[PlantedCopy]:
    """Which places of train repeat which slice. No slice is repeated twice and no copy is itself repeated."""
    across = {
        "same_bytes": phantom.copies_same_bytes,
        "same_pixels": phantom.copies_same_pixels,
        "reencoded": phantom.copies_reencoded,
        "rescaled": phantom.copies_rescaled,
        "mirrored": phantom.copies_mirrored,
        "neighbour": phantom.neighbours,
    }
    kinds = [kind for kind in across if kind != "neighbour"]
    wanted = [("test", kind) for kind, count in across.items() for _ in range(count)]
    wanted += [("train", kinds[i % len(kinds)]) for i in range(phantom.copies_within_train)]
    wanted += [("train", "neighbour")] * phantom.neighbours_within_train
    rng = np.random.default_rng([phantom.seed, PLAN])
    free = [places[i] for i in rng.permutation(len(places))]
    planted = []
    for split, relation in wanted:
        pair = next(
            (
                (original, copy)
                for original in free
                if original.split == split
                for copy in free
                if copy.split == "train" and copy is not original
                if (copy.label, copy.plane) == (original.label, original.plane)
            ),
            None,
        )
        if pair is None:
            raise InputError(
                "no room for the planted copies",
                where="phantom.slices",
                got=f"{len(wanted)} copies and neighbours",
                expected="fewer than there are slices of the same class and plane",
                mend="Plant fewer or draw more slices.",
            )
        free = [place for place in free if place not in pair]
        planted.append(PlantedCopy(original=pair[0].id, copy=pair[1].id, relation=relation))
    return sorted(planted, key=lambda pair: pair.copy)


def _stream(phantom: Phantom, purpose: int, place: Slice, attempt: int = 0) -> np.random.Generator:
    return np.random.default_rng([phantom.seed, purpose, int(place.split == "test"), place.number, attempt])


def _draw(template: Template, place: Slice, phantom: Phantom, gaps_mm: tuple[float, ...]) -> list[Picture]:
    """Slices of one new head, `gaps_mm` away from the first; another head where a lesion is hardly seen in
    one of them."""
    for attempt in count():
        rng = _stream(phantom, HEAD, place, attempt)
        shape = _shape(rng, place.label, phantom)
        head = draw_head(rng, template, place.label, place.plane, phantom)
        plane = draw_plane(rng, head, place.plane, shape)
        noise = _stream(phantom, NOISE, place, attempt)
        cuts = [section(noise, template, head, adjacent(plane, gap), phantom.noise) for gap in gaps_mm]
        if head.lesion is None or all(mask.mean() >= SMALLEST_LESION for _, mask in cuts):
            break
    stored = _stored(_stream(phantom, FILE, place), place.label, shape, phantom)
    return [Picture(image=image, mask=mask, **stored) for image, mask in cuts]


def _shape(rng: np.random.Generator, label: str, phantom: Phantom) -> tuple[int, int]:
    """(H, W). As published, gliomas and pituitary tumours have one size, the other classes a part of other
    sizes."""
    if label in ("glioma", "pituitary") or rng.random() >= phantom.other_sizes:
        return phantom.size, phantom.size
    if label == HEALTHY:
        height, width = 0.72, rng.choice((0.72, 0.52))
    else:
        height, width = rng.uniform(0.6, 1.15, 2)
    return round(phantom.size * height), round(phantom.size * width)


def _stored(rng: np.random.Generator, label: str, shape: tuple[int, int], phantom: Phantom) -> dict[str, Any]:
    """How a file keeps its pixels. As published, only no-tumour files are turned, all of them are colour
    files, colour files have the better quality, and files that are not square are turned by 180 degrees only.
    """
    colour = rng.random() < phantom.colour or label == HEALTHY
    turned = rng.random() < phantom.rotated and label == HEALTHY
    tags = tuple(TURNS) if shape[0] == shape[1] else (3,)
    return {
        "mode": "RGB" if colour else "L",
        "quality": QUALITIES[colour],
        "orientation": int(rng.choice(tags)) if turned else 1,
    }


def _copy(relation: str, picture: Picture, rng: np.random.Generator) -> Picture:
    """The same slice again. Whoever re-encodes a turned file stores it upright."""
    if relation == "same_bytes":
        return picture
    if relation == "same_pixels":
        return replace(picture, optimize=True)
    other = replace(picture, quality=QUALITIES[picture.quality == QUALITIES[0]], orientation=1)
    if relation == "rescaled":
        scale = rng.choice((rng.uniform(0.6, 0.85), rng.uniform(1.2, 1.5)))
        height, width = (round(side * scale) for side in picture.image.shape)
        return replace(
            other,
            image=np.asarray(
                Image.fromarray(picture.image).resize((width, height), Image.Resampling.BICUBIC)
            ),
            mask=np.asarray(Image.fromarray(picture.mask).resize((width, height), Image.Resampling.NEAREST)),
        )
    if relation == "mirrored":
        return replace(other, image=picture.image[:, ::-1], mask=picture.mask[:, ::-1])
    return other


def _write(root: Path, place: Slice, picture: Picture, mask_quality: int) -> list[tuple[str, ...]]:
    """The slice's files under the archive's root; their rows of the manifest."""
    jpeg, size = _jpeg(picture), picture.image.shape
    files = [(f"classification_task/{place.split}/{place.label}/{place.id}.jpg", jpeg, "")]
    if place.label != HEALTHY:
        linked = f"segmentation_task/{place.split}/images/{place.id}.jpg"
        files.append((linked, jpeg, ""))
        files.append(
            (
                f"segmentation_task/{place.split}/masks/{place.id}.png",
                _png(picture.mask, mask_quality),
                linked,
            )
        )
    rows: list[tuple[str, ...]] = []
    for path, data, linked in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        rows.append(
            (
                path.replace("/", "\\"),
                path.rsplit("/", 1)[1],
                path.split("_task", 1)[0],
                place.split,
                f"{place.number:05d}",
                LABEL_CODES[place.label],
                place.label,
                PLANE_CODES[place.plane],
                place.plane,
                "T1",
                str(linked != ""),
                linked.replace("/", "\\"),
                str(size[1]),
                str(size[0]),
                str(len(data)),
                hashlib.sha256(data).hexdigest(),
            )
        )
    return rows


def _jpeg(picture: Picture) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(picture.image)).convert(picture.mode)
    exif = Image.Exif()
    if picture.orientation != 1:
        image = image.transpose(TURNS[picture.orientation])
        exif[ExifTags.Base.Orientation] = picture.orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=picture.quality, optimize=picture.optimize, exif=exif)
    return buffer.getvalue()


def _png(mask: np.ndarray, quality: int) -> bytes:
    """The mask as published: grey ringing of a JPEG left round its edge, but only within 10 of black and of
    white."""
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "JPEG", quality=quality)
    ringing = np.asarray(Image.open(buffer))
    grey = np.where(mask, np.maximum(ringing, 245), np.minimum(ringing, 10))
    buffer = io.BytesIO()
    # Run lengths: what longer matches zlib finds depends on the processor in the builds that Pillow comes
    # with.
    Image.fromarray(grey).save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def _write_table(
    path: Path, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], line_end: str
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator=line_end).writerows([columns, *rows])
