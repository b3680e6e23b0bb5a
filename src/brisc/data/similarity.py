"""Which images show the same slice, and which show neighbouring slices of one head: searched over all pairs
of the archive.

Screen, then verify. The screen compares every image with every other, direct and mirrored, upright, tilted
and shifted, by a cheap correlation; whatever is near passes. Each pair that passes is registered by an affine
map, and one number decides: the correlation of fine detail after registration. Detail is a band of spatial
frequencies divided by its local strength (local contrast normalisation, Jarrett et al., ICCV 2009,
doi:10.1109/ICCV.2009.5459469): without the division the bright rim of fat round the head decides alone, and
every head of a like outline resembles every other.

Perceptual hashes are not used: they confuse heads with heads.
"""

import hashlib
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from brisc.config import Audit
from brisc.data.picture import read_grey, to_square
from brisc.progress import Track

FRAME = 256  # side of the square that a whole image is brought to
HEAD = 128  # side of the square that the head's box is brought to; similarity is measured at this size
SCREEN = 64  # side at which all pairs are compared
BLOCK = 1000  # rows per matrix product, so that no 6,000 x 6,000 matrix is held
THREADS = 2
BATCH = 100  # images or pairs that a thread takes at a time
COVERED = 0.5  # share of the head that must lie inside the other image, else there is nothing to compare
COPIES = ("same_bytes", "same_pixels", "reencoded", "mirrored")  # closest first

T = TypeVar("T")
R = TypeVar("R")
Grey = np.ndarray
Box = tuple[int, int, int, int]  # left, top, width, height
Warp = np.ndarray  # (3, 3), from the pixels (x, y, 1) of one image to those of another


@dataclass(frozen=True, kw_only=True)
class Views:
    """frames (N, FRAME, FRAME) and heads (N, HEAD, HEAD) uint8; boxes (N, 4): left, top, width, height of
    heads in frames.

    pixels: SHA-256 of each image as shown, at its own size.
    """

    frames: np.ndarray
    boxes: np.ndarray
    heads: np.ndarray
    pixels: list[str]

    @classmethod
    def of(cls, images: Sequence[Grey]) -> "Views":
        """Of images (H, W) uint8 of any size."""
        return cls.gather((_view(image) for image in images), len(images))

    @classmethod
    def gather(cls, parts: Iterable[tuple[Grey, Box, Grey, str]], count: int) -> "Views":
        """Of so many parts, each put in its place as it comes: a list of them would take as much again."""
        frames, heads = (np.empty((count, side, side), np.uint8) for side in (FRAME, HEAD))
        boxes, pixels = np.empty((count, 4), np.int64), []
        for row, (frame, box, head, digest) in enumerate(parts):
            frames[row], boxes[row], heads[row] = frame, box, head
            pixels.append(digest)
        return cls(frames=frames, boxes=boxes, heads=heads, pixels=pixels)


def read_views(raw: Path, index: pd.DataFrame, *, track: Track) -> Views:
    """Decode the images of `index` (its column image names members of the zip `raw`) in its order."""
    rows = index["image"].tolist()
    with zipfile.ZipFile(raw) as archive:
        # Reading a zip is not thread-safe, decoding is.
        parts = in_threads(lambda data: _view(read_grey(data)), (archive.read(member) for member in rows))
        return Views.gather((next(parts) for _ in track(rows, "images")), len(rows))


def _view(grey: Grey) -> tuple[Grey, Box, Grey, str]:
    frame = to_square(grey, size=FRAME, fit="squeeze")
    box = head_box(frame)
    digest = hashlib.sha256(repr(grey.shape).encode() + grey.tobytes()).hexdigest()
    return frame, box, _crop(frame, box, HEAD), digest


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """In order, by batches: to hand over single images costs more than the threads gain. Few batches at a
    time, since what is read for them and comes of them lies in memory until it is asked for."""
    source, waiting = iter(items), deque[Future[list[R]]]()
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(source, BATCH)):
            waiting.append(pool.submit(_each, function, batch))
            if len(waiting) > THREADS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _each(function: Callable[[T], R], batch: Sequence[T]) -> list[R]:
    return [function(item) for item in batch]


def head_box(image: Grey) -> Box:
    """Left, top, width and height of what is bright in (S, S): sources differ in their margins, heads do
    not."""
    paper = image > 230
    dark = np.where(paper.all(axis=1, keepdims=True) | paper.all(axis=0, keepdims=True), 0, image).astype(
        np.uint8
    )  # of a page
    smooth = cv2.GaussianBlur(dark, (0, 0), len(image) / 170)
    bright = (smooth > max(12.0, 0.12 * float(np.percentile(smooth, 99)))).astype(np.uint8)
    side = len(image) // 50 | 1
    # Opened, so that a caption or a line along the border does not belong to the head.
    opened = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    regions = cv2.connectedComponentsWithStats(opened)[2][1:]
    if len(regions) == 0:
        return 0, 0, image.shape[1], image.shape[0]
    # The brain may be cut off from the scalp round it by dark bone; specks of noise are smaller than either.
    areas = regions[:, cv2.CC_STAT_AREA]
    left, top, width, height = regions[areas >= 0.05 * areas.max(), :4].T
    return (
        int(left.min()),
        int(top.min()),
        int((left + width).max() - left.min()),
        int((top + height).max() - top.min()),
    )


def _crop(image: Grey, box: Sequence[int], size: int) -> Grey:
    left, top, width, height = box
    return _shrink(image[top : top + height, left : left + width], size)


def _shrink(image: Grey, size: int) -> Grey:
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def detail(image: Grey) -> np.ndarray:
    """(S, S) uint8 to float32: edges and texture, each as strong as its surroundings allow."""
    grey = image.astype(np.float32)
    grey *= 60 / max(float(grey.mean()), 1.0)  # contrast changes are no change
    band = cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), 3.0)
    normalised: np.ndarray = band / (np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 6.0)) + 1)
    return normalised


def _unit(details: Iterable[np.ndarray]) -> np.ndarray:
    """(N, S, S) of mean 0 and norm 1, so that a scalar product is a correlation."""
    stack = np.stack(list(details))
    stack -= stack.mean(axis=(1, 2), keepdims=True)
    stack /= np.maximum(np.linalg.norm(stack, axis=(1, 2), keepdims=True), 1e-6)
    return stack


# --------------------------------------------------------------------------------------------------
# screen


def screen(views: Views, sides: np.ndarray, *, audit: Audit, track: Track) -> pd.DataFrame:
    """Pairs worth a registration: columns a < b (rows of views), mirrored, view, tilt, screen.

    view says what was compared: "head", "frame" (the whole image), or "shift" (the frame's spectrum, which
    does not see where things are: heads that the border cuts off have another box). b, mirrored if
    `mirrored`, is turned counter-clockwise by `tilt` degrees to look like a. A pair passes if its best
    correlation of heads or frames reaches audit.screen_similarity, if one is among the audit.nearest images
    most similar to the other on its side of the publisher's split (`sides`, (N,)), or (a row of its own) if
    its spectrum is the nearest there.
    """
    frames = _small(views.frames)
    near = _near_views(views, frames, sides, audit, track)
    passed = (near["screen"] >= audit.screen_similarity) | (_rank(near, sides) <= audit.nearest)
    # Apart from the others, since the scale of these correlations is another, and a pair may be worth both
    # guesses.
    shifted = _near_spectra(frames, sides, replace(audit, screen_similarity=1.0, nearest=1))
    return pd.concat([near[passed], shifted]).sort_values(["a", "b", "mirrored", "view"], ignore_index=True)


def _near_views(
    views: Views, frames: np.ndarray, sides: np.ndarray, audit: Audit, track: Track
) -> pd.DataFrame:
    heads = _small(views.heads)
    tilts = [0.0, *(sign * tilt for tilt in audit.tilts_degrees for sign in (-1, 1))]
    found = []
    for tilt in track(tilts, "comparing all pairs"):
        turned = heads if tilt == 0 else _turned(views.frames, tilt)
        for mirrored in (False, True):
            if tilt < 0 and not mirrored:
                continue  # b turned one way to look like a: found as a turned the other way to look like b
            # A turned image, mirrored, is a mirrored image turned the other way.
            named = {"mirrored": mirrored, "tilt": 0.0 - tilt if mirrored else tilt}
            found.append(_near(heads, _flip(turned, mirrored), sides, audit).assign(**named, view="head"))
            if tilt == 0:
                found.append(
                    _near(frames, _flip(frames, mirrored), sides, audit).assign(**named, view="frame")
                )
    return _closest_view(pd.concat(found, ignore_index=True))


def _near_spectra(frames: np.ndarray, sides: np.ndarray, audit: Audit) -> pd.DataFrame:
    upright = _spectra(frames)
    found = [
        _near(upright, upright, sides, audit).assign(mirrored=False),
        _near(upright, _spectra(_flip(frames, True)), sides, audit).assign(mirrored=True),
    ]
    return _closest_view(pd.concat(found, ignore_index=True).assign(view="shift", tilt=0.0))


def _closest_view(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each pair once per orientation, a < b, by the view in which it is most similar."""
    swap = pairs["a"] > pairs["b"]
    pairs.loc[swap, ["a", "b"]] = pairs.loc[swap, ["b", "a"]].to_numpy()
    turned = swap & ~pairs["mirrored"]
    pairs.loc[turned, "tilt"] = 0.0 - pairs.loc[turned, "tilt"]
    pairs = pairs.sort_values(
        ["a", "b", "mirrored", "screen", "view", "tilt"], ascending=[True, True, True, False, False, True]
    )
    return pairs.drop_duplicates(["a", "b", "mirrored"]).reset_index(drop=True)


def _rank(pairs: pd.DataFrame, sides: np.ndarray) -> pd.Series:
    """How near each pair is for whichever of its two images it is nearer to, among those on the partner's
    side."""
    both = [
        pd.DataFrame({"image": pairs[own], "side": sides[pairs[other]], "screen": pairs["screen"]})
        for own, other in (("a", "b"), ("b", "a"))
    ]
    ranks = (
        pd.concat(both).groupby(["image", "side"])["screen"].rank(ascending=False, method="first").to_numpy()
    )
    return pd.Series(np.minimum(ranks[: len(pairs)], ranks[len(pairs) :]))


def _small(images: np.ndarray) -> np.ndarray:
    return _unit(in_threads(lambda image: detail(_shrink(image, SCREEN)), list(images)))


def _turned(frames: np.ndarray, tilt: float) -> np.ndarray:
    """The heads in the frames (N, S, S) turned counter-clockwise by `tilt` degrees."""
    side = FRAME // 2
    margin = side // 10  # corners of the head may leave the frame
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), tilt, 1)
    turn[:, 2] += margin

    def turned(frame: Grey) -> np.ndarray:
        whole = cv2.warpAffine(_shrink(frame, side), turn, (side + 2 * margin, side + 2 * margin))
        return detail(_crop(whole, head_box(whole), SCREEN))

    return _unit(in_threads(turned, list(frames)))


def _spectra(frames: np.ndarray) -> np.ndarray:
    """(N, S, S) details to (N, F, F) magnitudes of their lower frequencies, against what all images have in
    common."""
    half = frames.shape[1] * 3 // 8
    # A block at a time, since the complex numbers of all images take as much memory as the images.
    blocks = (frames[start : start + BLOCK] for start in range(0, len(frames), BLOCK))
    lower = np.s_[:, np.r_[-half : half + 1], : half + 1]
    spectra = np.concatenate([np.abs(np.fft.rfft2(block))[lower].astype(np.float32) for block in blocks])
    spectra -= spectra.mean(axis=0)
    spectra /= spectra.std(axis=0) + 1e-6
    return _unit(spectra)


def _flip(stack: np.ndarray, mirrored: bool) -> np.ndarray:
    return np.ascontiguousarray(stack[:, :, ::-1]) if mirrored else stack


def _near(rows: np.ndarray, columns: np.ndarray, sides: np.ndarray, audit: Audit) -> pd.DataFrame:
    found = []
    for start, similarity in _products(rows, columns):
        own = np.arange(len(similarity))
        similarity[own, start + own] = -1
        passed = similarity >= audit.screen_similarity
        for side in np.unique(sides):
            members = np.flatnonzero(sides == side)
            nearest = min(audit.nearest, len(members))
            order = np.argpartition(-similarity[:, members], nearest - 1, axis=1)[:, :nearest]
            passed[own[:, None], members[order]] = True
        passed[own, start + own] = False
        a, b = np.nonzero(passed)
        found.append(pd.DataFrame({"a": a + start, "b": b, "screen": similarity[a, b]}))
    return pd.concat(found, ignore_index=True)


def _products(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Correlations of each row with all columns, a block of rows at a time; rounded, since BLAS's last bits
    vary."""
    flat = columns.reshape(len(columns), -1)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK].reshape(-1, flat.shape[1])
        yield start, np.round(block @ flat.T, 4)


# --------------------------------------------------------------------------------------------------
# verify


def _scaling(factor: float) -> Warp:
    """From pixel centres of an image to those of the image `factor` times as large."""
    return np.array([[factor, 0, factor / 2 - 0.5], [0, factor, factor / 2 - 0.5], [0, 0, 1]])


# A pair is aligned at half the size. The inverses once, not for each of some ten thousand pairs.
TO_HALF, FROM_HALF = _scaling(0.5), np.linalg.inv(_scaling(0.5))
TO_WHOLE, FROM_WHOLE = _scaling(2.0), np.linalg.inv(_scaling(2.0))
EVERYWHERE = np.ones((FRAME // 2, FRAME // 2), np.uint8)


def register(views: Views, pairs: pd.DataFrame, *, track: Track) -> np.ndarray:
    """The correlation of detail of each pair from `screen` after registration, (len(pairs),); 0 where none
    was possible."""
    rows = list(pairs[["a", "b", "mirrored", "view", "tilt"]].itertuples(index=False, name=None))
    of_one_head = [list(same) for _, same in groupby(rows, itemgetter(0))]
    results = chain.from_iterable(in_threads(lambda same: _register_to(views, same), of_one_head))
    return np.round([next(results) for _ in track(rows, "registering pairs")], 4)


def _register_to(views: Views, rows: Sequence[tuple[int, int, bool, str, float]]) -> list[float]:
    """The rows (a, b, mirrored, view, tilt) of one a."""
    head = views.heads[rows[0][0]]
    fixed, small_head = detail(head), _shrink(head, HEAD // 2)
    return [_registered(views, fixed, small_head, *row) for row in rows]


def _registered(
    views: Views, fixed: np.ndarray, small_head: Grey, a: int, b: int, mirrored: bool, view: str, tilt: float
) -> float:
    moving = np.ascontiguousarray(views.frames[b][:, ::-1]) if mirrored else views.frames[b]
    guess = _guess(views, a, b, mirrored, view, tilt)
    coarse = (TO_HALF @ guess @ TO_WHOLE)[:2].astype(np.float32)
    small_frame = _shrink(moving, FRAME // 2)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-3)
    try:
        # Evangelidis and Psarakis, PAMI 2008, doi:10.1109/TPAMI.2008.113: blind to brightness and contrast.
        _, found = cv2.findTransformECC(
            small_head, small_frame, coarse, cv2.MOTION_AFFINE, stop, EVERYWHERE, 3
        )
    except cv2.error:  # it did not converge: the two have nothing in common
        return 0.0
    warp = (FROM_HALF @ np.vstack([found, [0, 0, 1]]) @ FROM_WHOLE)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(moving, warp, (HEAD, HEAD), flags=flags)
    covered = cv2.warpAffine(np.ones_like(moving), warp, (HEAD, HEAD), flags=flags)
    inside = cv2.erode(covered, np.ones((7, 7), np.uint8)) > 0
    if inside.mean() < COVERED:
        return 0.0
    return _correlation(fixed[inside], detail(moved)[inside])


def _guess(views: Views, a: int, b: int, mirrored: bool, view: str, tilt: float) -> Warp:
    """From the head of a to the frame of b (mirrored if so): same place, shifted, same box, or turned about
    its centre."""
    own, other = (views.boxes[i].astype(float) for i in (a, b))
    if mirrored:
        other[0] = FRAME - other[0] - other[2]
    to_frame = _box_warp(own)
    if view == "frame":
        return to_frame
    if view == "shift":
        moved: Warp = _shift(views, a, b, mirrored) @ to_frame
        return moved
    if tilt == 0:
        return _box_warp(other)
    own_centre, other_centre = (box[:2] + box[2:] / 2 - 0.5 for box in (own, other))
    scale = np.sqrt(other[2] * other[3] / (own[2] * own[3]))
    cosine, sine = scale * np.cos(np.radians(tilt)), scale * np.sin(np.radians(tilt))
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    turn[:2, 2] = other_centre - turn[:2, :2] @ own_centre
    warp: Warp = turn @ to_frame
    return warp


def _shift(views: Views, a: int, b: int, mirrored: bool) -> Warp:
    """From the frame of a to that of b by phase correlation."""
    frames = [views.frames[a], _flip(views.frames[b : b + 1], mirrored)[0]]
    (x, y), _ = cv2.phaseCorrelate(*(detail(_shrink(frame, SCREEN)) for frame in frames))
    step = FRAME / SCREEN
    return np.array([[1, 0, x * step], [0, 1, y * step], [0, 0, 1]])


def _box_warp(box: np.ndarray) -> Warp:
    """From pixels of a head to pixels of its frame; pixel centres lie at whole numbers."""
    left, top, width, height = box
    x, y = width / HEAD, height / HEAD
    return np.array([[x, 0, left + x / 2 - 0.5], [0, y, top + y / 2 - 0.5], [0, 0, 1]])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


# ----------------------------------------------------------------------------------------------------------
# what they are


def best_orientation(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each pair once, direct or mirrored, whichever is more similar (column aligned, see `register`)."""
    ordered = pairs.sort_values(["a", "b", "aligned", "mirrored"], ascending=[True, True, False, True])
    return ordered.drop_duplicates(["a", "b"]).reset_index(drop=True)


def relate(index: pd.DataFrame, views: Views, pairs: pd.DataFrame, *, audit: Audit) -> pd.DataFrame:
    """Those of `pairs` (each once) that are related, with the columns relation, frame and head added.

    relation: same_bytes, same_pixels, reencoded (any other copy that is not mirrored: another quality, size,
    crop or tilt), mirrored or neighbour. frame and head: the correlation of detail without registration, of
    whole frames and of heads.
    """
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    files, pixels = index["image_sha256"].to_numpy(), np.array(views.pixels)
    planes = index["plane"].map(vars(audit.neighbour_similarity)).to_numpy()
    # Identical pixels are a copy whatever the registration makes of an image without detail.
    conditions = [
        files[a] == files[b],
        pixels[a] == pixels[b],
        pairs["aligned"] < audit.copy_similarity,
        ~pairs["mirrored"],
    ]
    relation = np.select(conditions, ["same_bytes", "same_pixels", "neighbour", "reencoded"], "mirrored")
    near = (relation != "neighbour") | (pairs["aligned"] >= np.maximum(planes[a], planes[b]))
    related = pairs.assign(relation=relation)[near].reset_index(drop=True)
    for name, images in (("frame", views.frames), ("head", views.heads)):
        related[name] = [
            _unregistered(images, *row)
            for row in related[["a", "b", "mirrored"]].itertuples(index=False, name=None)
        ]
    return related


def _unregistered(images: np.ndarray, a: int, b: int, mirrored: bool) -> float:
    other = images[b][:, ::-1] if mirrored else images[b]
    return round(_correlation(detail(_shrink(images[a], SCREEN)), detail(_shrink(other, SCREEN))), 4)


def components(count: int, related: pd.DataFrame) -> np.ndarray:
    """(count,) the smallest row of the connected component that each row belongs to."""
    graph = coo_matrix((np.ones(len(related)), (related["a"], related["b"])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    smallest = np.full(component.max() + 1, count)
    np.minimum.at(smallest, component, np.arange(count))
    linked: np.ndarray = smallest[component]
    return linked
