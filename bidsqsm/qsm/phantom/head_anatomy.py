"""A subject's anatomy: averaged tissue maps, warped and textured by the subject's seed."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.resampling import stretch, values_at

#: Channels of :attr:`Anatomy.maps`
CHANNELS = ('gray', 'white', 'myelin', 'distance', 'texture', 'coarse')
_SIZE = {'F': 0.925, 'M': 0.965}  # the averaged brain is larger than a head
_WARP_STEP = 8.0  # mm
_WARP_HALF = 160.0  # mm, half the width of the warp's grid


@dataclass(frozen=True)
class Templates:
    """Averaged maps on one grid: probabilities of gray and white matter, T1w; zero outside the brain."""

    gray: Volume
    white: Volume
    t1w: Volume
    affine: Volume

    @functools.cached_property
    def brain(self) -> tuple[npt.NDArray[np.bool_], Volume]:
        """The brain, and the distance from its surface in mm, positive outside."""
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        inside = ndimage.binary_fill_holes(self.t1w > 0.1)
        inside = ndimage.binary_closing(
            np.pad(inside, 6), iterations=max(1, round(4 / spacing[0]))
        )
        inside = inside[6:-6, 6:-6, 6:-6]
        inside[..., 0] = self.t1w[..., 0] > 0.1  # closing treats the cut of the cord as an edge
        out = ndimage.distance_transform_edt(~inside, spacing)
        within = ndimage.distance_transform_edt(
            np.pad(inside, ((0, 0), (0, 0), (9, 0)), 'edge'), spacing
        )
        distance = out - within[..., 9:] + np.where(inside, 0.5, -0.5) * spacing[0]
        return inside, distance


@dataclass(frozen=True)
class Subject:
    """Who lies in the scanner; the seed gives shapes, texture, vessels and lesions.

    ``average`` is nobody in particular: the maps as they are, in their own size, with every
    nucleus in its nominal place, without texture, vessels or lesions.
    """

    seed: int = 0
    age: float = 50.0
    sex: str = 'F'
    diagnosis: str = 'control'
    average: bool = False

    def __post_init__(self) -> None:
        if self.sex not in _SIZE:
            raise ValueError(f'no sex {self.sex!r}; there are: {", ".join(_SIZE)}')

    @property
    def spread(self) -> float:
        """Factor of all that differs between people."""
        return 0.0 if self.average else 1.0

    def random(self, *purpose: int) -> np.random.Generator:
        """Random numbers of one purpose, the same whatever else was drawn."""
        return np.random.default_rng([self.seed, *purpose])


@dataclass(frozen=True)
class Anatomy:
    """Maps in template space with the way from the world into it.

    Attributes
    ----------
    maps : (nx, ny, nz, 6) float32 array
        See :data:`CHANNELS`; distance in mm from the brain's surface, positive outside.
    affine : (4, 4) array
        From the maps' voxels to template mm.
    scale
        Size of the head relative to the template.
    warp : (n, n, n, 3) float32 array
        Displacement in template mm, on a grid centred at the world's origin.
    warp_geometry
        Step of that grid and half its width, in mm.

    """

    maps: Volume
    affine: Volume
    scale: Volume
    warp: Volume
    warp_geometry: tuple[float, float] = (_WARP_STEP, _WARP_HALF)

    def to_template(self, world: npt.ArrayLike) -> Volume:
        """Template coordinates (..., 3) of world points (..., 3), both in mm."""
        world = np.asarray(world, float)
        step, half = self.warp_geometry
        at = np.moveaxis((world + half) / step, -1, 0)
        shift = [values_at(self.warp[..., a], at) for a in range(3)]
        return np.asarray(world / self.scale + np.stack(shift, -1))

    def to_world(self, template: npt.ArrayLike) -> Volume:
        """World coordinates (..., 3) of template points: a fixed point, good to 0.1 mm."""
        template = np.asarray(template, float)
        world = template * self.scale
        for _ in range(5):
            world += (template - self.to_template(world)) * self.scale
        return world


def build_anatomy(templates: Templates, subject: Subject) -> Anatomy:
    """Make the subject's anatomy out of the averaged maps."""
    inside, distance = templates.brain
    gray, white = _sharpened(templates, inside)
    texture = None if subject.average else subject.random(1)
    channels = (
        gray,
        white,
        _myelin(templates, white),
        ndimage.gaussian_filter(distance, 0.7),
        *(_texture(texture, width, templates) for width in (1.4, 5.0)),
    )
    maps = np.stack(channels, -1).astype(np.float32)
    random = subject.random(6)
    size = _SIZE[subject.sex] * (1 + 0.02 * random.standard_normal())
    scale = size * (1 + 0.015 * random.standard_normal(3))
    warp = _warp(random)
    if subject.average:
        scale, warp = np.ones(3), np.zeros_like(warp)
    return Anatomy(maps, templates.affine, scale, warp)


def _sharpened(templates: Templates, inside: npt.NDArray[np.bool_]) -> tuple[Volume, Volume]:
    # an average over many heads is softer than one head and its sulci are half filled: weigh the
    # fluid up and square the odds, which brings edges and sulci back
    gray = np.clip(templates.gray, 0, 1)
    white = np.clip(templates.white, 0, 1)
    fluid = 2.2 * np.clip(1 - gray - white, 0, 1)
    total = gray**2 + white**2 + fluid**2 + 1e-6
    return np.where(inside, gray**2 / total, 0), np.where(inside, white**2 / total, 0)


def _myelin(templates: Templates, white: Volume) -> Volume:
    # brighter white matter on T1w is taken as more myelinated: z-score over white matter
    core = white > 0.8
    t1w = ndimage.gaussian_filter(templates.t1w, 0.7)
    score = (t1w - t1w[core].mean()) / t1w[core].std()
    return np.asarray(np.clip(score, -2.5, 2.5))


def _texture(random: np.random.Generator | None, sigma: float, templates: Templates) -> Volume:
    if random is None:
        return np.zeros_like(templates.t1w)
    # drawn on a 2 mm grid whatever the templates' own, so that a seed means one head
    spacing = np.linalg.norm(templates.affine[:3, :3], axis=0)
    shape = templates.t1w.shape
    coarse = tuple(round((n - 1) * d / 2) + 1 for n, d in zip(shape, spacing, strict=True))
    noise = ndimage.gaussian_filter(
        random.standard_normal(coarse, np.float32), sigma / 2, truncate=3
    )
    noise /= noise.std()
    return stretch(noise, shape)


def _warp(random: np.random.Generator) -> Volume:
    n = int(2 * _WARP_HALF / _WARP_STEP) + 1
    noise = random.standard_normal((n, n, n, 3))
    sigma = 28 / _WARP_STEP
    smooth = ndimage.gaussian_filter(noise, (sigma, sigma, sigma, 0), mode='wrap')
    return np.asarray(2.2 * smooth / smooth.std(), np.float32)
