"""A head as a function of position: on a plane it gives a slice that looks like contrast-enhanced T1, and its
lesion's mask.

Brain tissue comes from the ICBM 152 nonlinear symmetric 2009a template as it ships in the nilearn wheel (T1,
grey and white matter, 1 mm, brain only); skull, scalp, face and neck are drawn round it from smooth solids.
Because every part is a function of the position in space, an adjacent slice is the same head on a shifted
plane.

Everything is computed in float64 and without OpenCV: the last bits of float32 cosines and of its filters
depend on the processor, and a phantom must be the same bytes on every machine.

Template: Fonov et al., NeuroImage 2011, doi:10.1016/j.neuroimage.2010.07.033, and
doi:10.1016/S1053-8119(09)70884-5. nilearn itself is BSD-3-Clause and its note on the template gives the
licence as "unknown"; the template's own COPYING says: Copyright (C) 1993-2004 Louis Collins, McConnell Brain
Imaging Centre, Montreal Neurological Institute, McGill University. Permission to use, copy, modify, and
distribute this software and its documentation for any purpose and without fee is hereby granted, provided
that the above copyright notice appear in all copies. The authors and McGill University make no
representations about the suitability of this software for any purpose. It is provided "as is" without express
or implied warranty.
"""

import gzip
import struct
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import ndimage

from brisc.config import Phantom
from brisc.errors import InputError
from brisc.vocabulary import HEALTHY

ORIGIN = np.array(
    [98.0, 134.0, 72.0]
)  # voxel of the template's (0, 0, 0) mm; x to the right, y forward, z up
HULL_STEP, HULL_PAD = 4, 12  # mm per voxel of the hull, and how many it reaches beyond the template

# In-plane axes (to the right of the image, up) and the point of the head, in mm, that the image is centred
# on.
AXES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
CENTRE = np.array([0.0, -12.0, -4.0])
DEPTHS = {"axial": (-38.0, 56.0), "coronal": (-84.0, 52.0), "sagittal": (-50.0, 50.0)}
FIELD_OF_VIEW = {"axial": (205.0, 260.0), "coronal": (205.0, 260.0), "sagittal": (215.0, 265.0)}
SELLA = np.array([0.0, 3.0, -28.0])


@dataclass(frozen=True, kw_only=True)
class Solid:
    """An ellipsoid of one tissue; `paired` ones lie on both sides of the midline."""

    tissue: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    paired: bool = False


OUTLINE = (  # what the head has beside the braincase
    Solid(tissue="muscle", centre=(0, 36, -56), radii=(64, 52, 62)),
    Solid(tissue="muscle", centre=(0, -8, -54), radii=(71, 66, 50)),
    Solid(tissue="muscle", centre=(0, 84, -50), radii=(15, 22, 17)),
    Solid(tissue="muscle", centre=(0, 62, -96), radii=(34, 28, 26)),
    Solid(tissue="muscle", centre=(0, -38, -110), radii=(58, 56, 95)),
    Solid(tissue="muscle", centre=(76, -24, -30), radii=(9, 15, 24), paired=True),
)
CONTENTS = (  # later ones lie over earlier ones
    Solid(tissue="muscle", centre=(0, 50, -82), radii=(24, 30, 20)),
    Solid(tissue="muscle", centre=(44, 20, -66), radii=(12, 22, 32), paired=True),
    Solid(tissue="fat", centre=(31, 56, -32), radii=(18, 24, 16), paired=True),
    Solid(tissue="fluid", centre=(32, 64, -32), radii=(12, 12, 12), paired=True),
    Solid(tissue="air", centre=(5, 58, -46), radii=(3.5, 26, 15), paired=True),
    Solid(tissue="air", centre=(28, 50, -56), radii=(13, 15, 15), paired=True),
    Solid(tissue="air", centre=(0, 24, -38), radii=(12, 13, 9)),
    Solid(tissue="air", centre=(0, 12, -80), radii=(10, 7, 26)),
    Solid(tissue="bone", centre=(0, 76, -78), radii=(26, 6, 10)),
    Solid(tissue="marrow", centre=(0, -8, -48), radii=(9, 8, 14)),
    Solid(tissue="bone", centre=(40, -20, -44), radii=(24, 11, 9), paired=True),
    Solid(tissue="air", centre=(56, -30, -50), radii=(9, 12, 12), paired=True),
    Solid(tissue="marrow", centre=(0, -16, -82), radii=(10, 9, 10)),
    Solid(tissue="marrow", centre=(0, -18, -106), radii=(10, 9, 10)),
    Solid(tissue="fluid", centre=(0, -42, -100), radii=(11, 9, 44)),
    Solid(tissue="white", centre=(0, -42, -100), radii=(6, 5, 46)),
)
# gland and carotids light up with contrast agent in every head: a lesion is not whatever is bright
ENHANCING = (
    Solid(tissue="vessel", centre=(0, 3, -29), radii=(6, 5, 3)),
    Solid(tissue="vessel", centre=(14, 4, -28), radii=(3, 5, 4), paired=True),
)
VENTRICLES = np.array([[-14.0, -8.0, 18.0], [14.0, -8.0, 18.0]])


@dataclass(frozen=True, kw_only=True)
class Template:
    """t1, grey, white: (197, 233, 189) uint8; hull, outer: signed distance in mm to the braincase, negative
    inside.

    `hull` follows the skull base, `outer` bridges it: between them lies what a face and a skull base are made
    of.

    interior and surface: (N, 3) points in mm where a lesion can start, in white matter and on the braincase.
    """

    t1: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    outer: np.ndarray
    hull: np.ndarray
    interior: np.ndarray
    surface: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A grid of (H, W) pixels in space: the position in mm of the first one, the steps along a row and a
    column, and the unit normal.
    """

    origin: np.ndarray
    right: np.ndarray
    down: np.ndarray
    through: np.ndarray
    shape: tuple[int, int]

    def points(self) -> np.ndarray:
        """Positions in mm, (3, H, W)."""
        rows, columns = np.indices(self.shape)
        return (
            self.origin[:, None, None]
            + self.right[:, None, None] * columns[None]
            + self.down[:, None, None] * rows[None]
        )

    @property
    def pitch(self) -> float:
        """mm per pixel."""
        return float(np.linalg.norm(self.right))


@dataclass(frozen=True, kw_only=True)
class Waves:
    """A smooth random field of unit variance: a sum of plane waves. vectors (K, 3) per mm, weights (K, n)."""

    vectors: np.ndarray
    phases: np.ndarray
    weights: np.ndarray

    def on(self, plane: Plane) -> np.ndarray:
        """The field's n channels on the plane, (n, H, W)."""
        # On a grid a wave is cos(down + right) = cos down cos right - sin down sin right: no cosine per pixel
        # is needed. By einsum and not by @, whose threads wait on each other for longer than these small
        # products take.
        height, width = plane.shape
        start = self.vectors @ plane.origin + self.phases
        rows = start[:, None] + np.outer(self.vectors @ plane.down, np.arange(height))
        columns = np.outer(self.vectors @ plane.right, np.arange(width))
        rows = np.concatenate([np.cos(rows), -np.sin(rows)])
        columns = np.concatenate([np.cos(columns), np.sin(columns)])
        weights = np.concatenate([self.weights, self.weights])
        return np.stack([np.einsum("kh,kw->hw", rows * weight[:, None], columns) for weight in weights.T])


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """A solid with an uneven surface; which layers it has depends on `label`. Lengths in mm, strengths as
    grey values."""

    label: str
    centres: np.ndarray
    radii: np.ndarray
    roughness: float
    enhancement: float
    core: float
    rim: float
    halo: float
    surface: Waves
    patches: Waves


@dataclass(frozen=True, kw_only=True)
class Head:
    """One person and one scan setting, without noise: `anchor` (mm) is where the lesion is, or where the
    slice is cut."""

    anchor: np.ndarray
    scale: np.ndarray
    shape: Waves
    folds: Waves
    warp_mm: float
    ventricles: float
    sulci: float
    fluid_mm: float
    skull_mm: float
    scalp_mm: float
    fat_mm: float
    outline: Waves
    texture: Waves
    vessels: Waves
    bias: Waves
    bias_strength: float
    gamma: float
    tissue: dict[str, float]
    lesion: Lesion | None


def load_template() -> Template:
    """Read the maps from the installed nilearn package without importing it, which would take seconds.

    Raises:
        InputError: nilearn or one of the three files is missing or not what is expected.
    """
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise InputError(
            "the brain template comes with nilearn",
            where="this Python environment",
            got="no package nilearn",
            expected="nilearn as pinned in requirements.txt",
            mend="Install the requirements.",
        )
    folder = Path(spec.origin).parent / "datasets" / "data"
    t1, grey, white = (
        _read_map(folder / f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz")
        for kind in ("t1", "gm", "wm")
    )
    outer, inner = _closed(t1 > 0, 28.0), _closed(t1 > 0, 8.0)
    height = (np.arange(outer.shape[2]) - HULL_PAD) * HULL_STEP - ORIGIN[2]
    hull = inner + np.clip((height + 30) / 20, 0, 1) * (outer - inner)
    interior = np.argwhere(white[::HULL_STEP, ::HULL_STEP, ::HULL_STEP] > 190) * HULL_STEP - ORIGIN
    surface = (np.argwhere(np.abs(hull) < 2.5) - HULL_PAD) * HULL_STEP - ORIGIN
    return Template(t1=t1, grey=grey, white=white, outer=outer, hull=hull, interior=interior, surface=surface)


def _read_map(path: Path) -> np.ndarray:
    """A gzipped NIfTI-1 file of unsigned bytes. Header fields: https://nifti.nimh.nih.gov/nifti-1 (dim,
    datatype)."""
    if not path.is_file():
        raise InputError(
            "no brain template",
            where=path,
            got="no file",
            expected="the map that ships with nilearn 0.14",
            mend="Install nilearn as pinned in requirements.txt.",
        )
    data = gzip.decompress(path.read_bytes())
    shape, kind = struct.unpack_from("<3h", data, 42), struct.unpack_from("<h", data, 70)[0]
    if shape != (197, 233, 189) or kind != 2 or len(data) != 352 + 197 * 233 * 189:
        raise InputError(
            "another brain template",
            where=path,
            got=f"{shape}, type {kind}, {len(data)} bytes",
            expected="(197, 233, 189) unsigned bytes",
            mend="Install nilearn as pinned in requirements.txt.",
        )
    return np.frombuffer(data, np.uint8, offset=352).reshape(shape, order="F")


def _closed(brain: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance in mm to the brain with gaps up to `radius` filled, on a grid of HULL_STEP mm with a
    margin."""
    coarse = np.pad(brain[::HULL_STEP, ::HULL_STEP, ::HULL_STEP], HULL_PAD)
    grown = ndimage.distance_transform_edt(~coarse) <= radius / HULL_STEP
    closed = ndimage.distance_transform_edt(grown) > radius / HULL_STEP
    distance = ndimage.distance_transform_edt(~closed) - ndimage.distance_transform_edt(closed)
    smooth: np.ndarray = ndimage.gaussian_filter(distance * HULL_STEP, 1.0)
    return smooth


def draw_head(rng: np.random.Generator, template: Template, label: str, plane: str, phantom: Phantom) -> Head:
    """A head whose lesion of class `label` (no_tumor: none) can be cut in `plane`."""
    white = rng.uniform(0.34, 0.56)
    tissue = {
        "white": white,
        "grey": white * rng.uniform(0.68, 0.93),
        "fluid": white * rng.uniform(0.18, 0.42),
        "fat": rng.uniform(0.62, 0.98),
        "muscle": white * rng.uniform(0.55, 0.95),
        "bone": white * rng.uniform(0.04, 0.18),
        "marrow": white * rng.uniform(0.7, 1.5),
        "vessel": white + rng.uniform(0.1, 0.4),
        "air": 0.0,
    }
    lesion = (
        None
        if label == HEALTHY
        else _draw_lesion(rng, template, label, plane, white, phantom.lesion_contrast)
    )
    if lesion is None:
        anchor = CENTRE.copy()
        anchor[AXES[plane][2]] = rng.uniform(*DEPTHS[plane])
    else:
        anchor = lesion.centres[0]
    return Head(
        anchor=anchor,
        scale=rng.uniform(0.9, 1.12, 3),
        shape=_waves(rng, 110.0, 280.0, 3),
        folds=_waves(rng, 35.0, 90.0, 3),
        warp_mm=phantom.deformation_mm,
        ventricles=rng.uniform(-0.3, 0.55),
        sulci=rng.uniform(0.0, 0.5),
        fluid_mm=rng.uniform(0.5, 3.5),
        skull_mm=rng.uniform(4.5, 9.0),
        scalp_mm=rng.uniform(3.5, 9.0),
        fat_mm=rng.uniform(3.0, 6.5),
        outline=_waves(rng, 70.0, 200.0, 1),
        texture=_waves(rng, 11.0, 50.0, 1, waves=40),
        vessels=_waves(rng, 7.0, 22.0, 1, waves=40),
        bias=_waves(rng, 150.0, 400.0, 1),
        bias_strength=phantom.bias,
        gamma=rng.uniform(0.85, 1.2),
        tissue=tissue,
        lesion=lesion,
    )


def _draw_lesion(
    rng: np.random.Generator, template: Template, label: str, plane: str, white: float, contrast: float
) -> Lesion:
    depth, (low, high) = AXES[plane][2], DEPTHS[plane]
    if label == "glioma":
        radius = rng.uniform(22.0, 32.0)
        centre = _choose(rng, template.interior, (template.interior[:, 2] > -30), depth, low, high)
        return Lesion(
            label=label,
            centres=centre[None],
            radii=radius * rng.uniform(0.75, 1.25, 3),
            roughness=0.2,
            enhancement=contrast * rng.uniform(0.25, 0.42),
            core=white * (1 - contrast * rng.uniform(0.3, 0.45)),
            rim=rng.uniform(4.0, 7.0),
            halo=rng.uniform(4.0, 14.0),
            surface=_waves(rng, 18.0, 50.0, 1),
            patches=_waves(rng, 8.0, 30.0, 1),
        )
    if label == "meningioma":
        radius = rng.uniform(17.0, 28.0)
        base = _choose(rng, template.surface, template.surface[:, 2] > -42, depth, low, high)
        inward = CENTRE - base
        centre = base + inward / np.linalg.norm(inward) * radius * rng.uniform(0.3, 0.75)
        return Lesion(
            label=label,
            centres=centre[None],
            radii=radius * rng.uniform(0.85, 1.15, 3),
            roughness=0.06,
            enhancement=contrast * rng.uniform(0.2, 0.42),
            core=white,
            rim=rng.uniform(0.8, 2.0),
            halo=rng.uniform(4.0, 16.0),
            surface=_waves(rng, 20.0, 40.0, 1),
            patches=_waves(rng, 6.0, 20.0, 1),
        )
    radius = rng.uniform(12.0, 17.0)
    centre = SELLA + rng.normal(0.0, (1.5, 1.5, 1.5))
    above = centre + np.array(
        [0.0, 0.0, radius * rng.uniform(0.4, 1.3)]
    )  # through the diaphragm: a snowman's head
    return Lesion(
        label=label,
        centres=np.stack([centre, above]),
        radii=radius * rng.uniform(0.8, 1.15, 3),
        roughness=0.1,
        enhancement=contrast * rng.uniform(0.12, 0.34),
        core=white,
        rim=rng.uniform(0.5, 1.5),
        halo=0.0,
        surface=_waves(rng, 12.0, 30.0, 1),
        patches=_waves(rng, 6.0, 20.0, 1),
    )


def _choose(
    rng: np.random.Generator, points: np.ndarray, allowed: np.ndarray, axis: int, low: float, high: float
) -> np.ndarray:
    allowed = allowed & (points[:, axis] > low) & (points[:, axis] < high)
    voxel: np.ndarray = points[rng.choice(np.flatnonzero(allowed))]
    return voxel + rng.uniform(-0.5, 0.5, 3) * HULL_STEP


def _waves(
    rng: np.random.Generator, shortest: float, longest: float, channels: int, waves: int = 12
) -> Waves:
    """Waves of random direction with lengths between `shortest` and `longest` mm."""
    direction = rng.standard_normal((waves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.exp(rng.uniform(np.log(shortest), np.log(longest), (waves, 1)))
    weights = rng.standard_normal((waves, channels))
    weights *= np.sqrt(2) / np.linalg.norm(weights, axis=0)
    return Waves(
        vectors=direction * 2 * np.pi / length, phases=rng.uniform(0, 2 * np.pi, waves), weights=weights
    )


def draw_plane(rng: np.random.Generator, head: Head, plane: str, shape: tuple[int, int]) -> Plane:
    """A plane near the head's anchor with (H, W) = `shape` pixels: tilted, turned, shifted, zoomed, left or
    right facing."""
    across, up, normal = AXES[plane]
    axes = np.zeros((3, 3))
    axes[0, across] = -1.0 if plane == "sagittal" and rng.random() < 0.5 else 1.0
    axes[1, up], axes[2, normal] = 1.0, 1.0
    turn = np.radians(rng.uniform(-1, 1, 3) * (9.0, 9.0, 11.0))
    right, upward, through = _rotation(turn) @ axes
    pitch = rng.uniform(*FIELD_OF_VIEW[plane]) / max(shape)
    shift = rng.uniform(-9.0, 9.0, 2)
    reach = 0.0 if head.lesion is None else 0.35 * float(np.mean(head.lesion.radii))
    middle = head.anchor - through * rng.uniform(0.0, reach)
    to_centre = CENTRE - middle
    middle = middle + right * (to_centre @ right + shift[0]) + upward * (to_centre @ upward + shift[1])
    height, width = shape
    origin = middle - right * pitch * (width - 1) / 2 + upward * pitch * (height - 1) / 2
    return Plane(origin=origin, right=right * pitch, down=-upward * pitch, through=through, shape=shape)


def adjacent(plane: Plane, gap_mm: float) -> Plane:
    """The parallel plane `gap_mm` away, on the side where the lesion's middle is."""
    return replace(plane, origin=plane.origin + plane.through * gap_mm)


def _rotation(angles: np.ndarray) -> np.ndarray:
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    turned: np.ndarray = about_x @ about_y @ about_z
    return turned


def section(
    rng: np.random.Generator, template: Template, head: Head, plane: Plane, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """The slice of `head` on `plane`: image (H, W) uint8 and mask (H, W) bool. `noise` is its deviation,
    white being 1."""
    points = plane.points()
    local = _undeform(head, plane, points)
    index = (local + ORIGIN[:, None, None]) / HULL_STEP + HULL_PAD
    bumps = 1.5 * head.outline.on(plane)[0]
    distance = _sample(template.hull, index) + bumps
    image = _extracranial(head, local, _sample(template.outer, index) + bumps, plane)
    image = _intracranial(template, head, image, local, distance, plane)
    mask = np.zeros(plane.shape, bool)
    if head.lesion is not None:
        image, mask = _add_lesion(head, head.lesion, image, points, distance, plane)
    image = image * (1 + head.bias_strength * head.bias.on(plane)[0])
    # Rician: the magnitude of a complex signal with noise in both parts (Gudbjartsson and Patz, 1995).
    real, imaginary = rng.standard_normal((2, *plane.shape)) * noise
    image = np.hypot(image + real, imaginary) ** head.gamma
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), mask


def _undeform(head: Head, plane: Plane, points: np.ndarray) -> np.ndarray:
    """Positions (3, H, W) in the template's space; the anchor stays where it is, so that no warp moves a
    lesion out."""
    at_anchor = replace(plane, origin=head.anchor, shape=(1, 1))
    warp = (head.shape.on(plane) - head.shape.on(at_anchor)) * head.warp_mm
    local: np.ndarray = (
        (points - head.anchor[:, None, None]) / head.scale[:, None, None] + head.anchor[:, None, None] + warp
    )
    for centre in VENTRICLES:
        away = local - centre[:, None, None]
        local = local - head.ventricles * away * np.exp(-(away**2).sum(0) / (2 * 14.0**2))
    return local


def _extracranial(head: Head, local: np.ndarray, distance: np.ndarray, plane: Plane) -> np.ndarray:
    """Scalp, face, neck and skull base, (H, W)."""
    tissue, pitch = head.tissue, plane.pitch
    texture = head.texture.on(plane)[0]
    outside = distance - (head.fluid_mm + head.skull_mm + head.scalp_mm)
    for solid in OUTLINE:
        outside = np.minimum(outside, _ellipsoid(local, solid))
    muscle = tissue["muscle"] * (1 + 0.25 * texture)
    image = muscle + 0.7 * np.clip(texture - 1.0, 0, 1) * (tissue["fat"] - muscle)
    for solid in CONTENTS:
        image = _over(image, tissue[solid.tissue] * (1 + 0.1 * texture), _ellipsoid(local, solid), pitch)
    image = _over(image, tissue["fat"] * (1 + 0.08 * texture), -(outside + head.fat_mm), pitch)
    return _over(image, 0.0, -outside, pitch)


def _intracranial(
    template: Template, head: Head, image: np.ndarray, local: np.ndarray, distance: np.ndarray, plane: Plane
) -> np.ndarray:
    """`image` with skull, fluid, brain and what lights up with contrast agent, (H, W)."""
    tissue, pitch = head.tissue, plane.pitch
    index = local + ORIGIN[:, None, None] + 0.6 * head.warp_mm * head.folds.on(plane)
    white, grey, t1 = (
        _sample(volume, index) / 255 for volume in (template.white, template.grey, template.t1)
    )
    # The template is a mean of 152 heads: its tissue borders are softer than any one head's.
    white, grey = _steeper(white), _steeper(grey) * (1 - head.sulci * (1 - _steeper(grey)))
    brain = tissue["fluid"] + grey * (tissue["grey"] - tissue["fluid"])
    brain = brain + white * (tissue["white"] - brain)
    brain = np.where(t1 > 0, brain * (0.6 + 0.5 * t1), tissue["fluid"])
    image = _over(image, tissue["bone"], distance - head.fluid_mm - head.skull_mm, pitch)
    middle = np.abs(distance - head.fluid_mm - 0.55 * head.skull_mm)
    base = np.clip((local[2] + 30) / 20, 0, 1)  # the skull base has little marrow
    image = image + base * (_over(image, tissue["marrow"], middle - 0.18 * head.skull_mm, pitch) - image)
    image = _over(image, brain, distance - head.fluid_mm, pitch)
    sinus = np.hypot(local[0], distance - head.fluid_mm + 2.0) - 4.0
    image = _over(image, np.where(local[2] > -20, tissue["vessel"], image), sinus, pitch)
    for solid in ENHANCING:
        image = _over(image, tissue[solid.tissue], _ellipsoid(local, solid), pitch)
    vessels = np.clip(head.vessels.on(plane)[0] - 2.1, 0, 1) * (distance < head.fluid_mm)
    enhanced: np.ndarray = image + vessels * (tissue["vessel"] - image)
    return enhanced


def _add_lesion(
    head: Head, lesion: Lesion, image: np.ndarray, points: np.ndarray, distance: np.ndarray, plane: Plane
) -> tuple[np.ndarray, np.ndarray]:
    """`image` with the lesion, and the lesion's mask; `distance` (mm) is that to the braincase, negative
    inside."""
    pitch, white = plane.pitch, head.tissue["white"]
    patches = lesion.patches.on(plane)[0]
    away = (points - lesion.centres[:, :, None, None]) / lesion.radii[:, None, None]
    edge = (
        np.sqrt((away**2).sum(1)).min(0) - 1 - lesion.roughness * lesion.surface.on(plane)[0]
    ) * lesion.radii.mean()
    inner = distance - head.fluid_mm  # inner table of the skull
    if lesion.label == "glioma":  # intra-axial: oedema, then a patchy ring round a dark core
        edge = np.maximum(edge, inner + 2.0)
        oedema = np.exp(-((np.maximum(edge, 0) / lesion.halo) ** 2)) * (inner < 0)
        image = image + 0.55 * oedema * (np.minimum(image, lesion.core) - image)
        image = _over(image, lesion.core * (1 + 0.12 * patches), edge, pitch)
        ring = (
            np.exp(-(((edge + lesion.rim) / lesion.rim) ** 2))
            * np.clip(0.9 + 0.3 * patches, 0, 1)
            * (edge < 0)
        )
        return image + ring * (white + lesion.enhancement - image), edge < 0
    bright = (white + lesion.enhancement) * (1 + 0.05 * patches)
    if (
        lesion.label == "meningioma"
    ):  # extra-axial: a dark cleft, a broad base on the dura and a tail along it
        edge = np.maximum(edge, inner - 0.5)
        image = _over(image, head.tissue["fluid"], np.maximum(edge - lesion.rim, inner), pitch)
        image = _over(image, bright, np.maximum(edge - lesion.halo, np.abs(inner) - 1.2), pitch)
        return _over(image, bright, edge, pitch), edge < 0
    image = _over(image, head.tissue["fluid"], edge - lesion.rim, pitch)
    return _over(image, bright, edge, pitch), edge < 0


def _ellipsoid(local: np.ndarray, solid: Solid) -> np.ndarray:
    """About the signed distance in mm to the solid's surface, negative inside, (H, W)."""
    x = np.abs(local[0]) if solid.paired else local[0]
    position = (x, local[1], local[2])
    square = sum(((p - c) / r) ** 2 for p, c, r in zip(position, solid.centre, solid.radii, strict=True))
    distance: np.ndarray = (np.sqrt(square) - 1) * min(solid.radii)
    return distance


def _over(image: np.ndarray, value: np.ndarray | float, distance: np.ndarray, pitch: float) -> np.ndarray:
    """`value` laid over `image` where `distance` (mm) is negative, with an edge one pixel wide."""
    return image + np.clip(0.5 - distance / pitch, 0, 1) * (value - image)


def _steeper(share: np.ndarray) -> np.ndarray:
    return np.clip((share - 0.5) * 1.8 + 0.5, 0, 1)


def _sample(volume: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Trilinear, (H, W); beyond the volume its nearest voxel."""
    values: np.ndarray = ndimage.map_coordinates(volume, index, output=np.float64, order=1, mode="nearest")
    return values
