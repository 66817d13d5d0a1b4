"""What is in the scanner, and how large it is: the one place that knows the size of a body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume

BODIES = {
    'adult': 'the head of an adult or a child',
    'infant': 'the head of a newborn or an infant',
    'small-animal': 'the head of an animal, from a mouse to a monkey',
    'none': 'no head: a phantom, a knee, a sample of tissue',
}
HUMAN_BODIES = ('adult', 'infant')
ADULT_HEAD_MM = 200.0  # mm: the two longest axes of an adult's head and neck, their geometric mean
SMALLEST_ADULT_MM = 135.0  # mm: the same of a small brain without its head is 140
SMALLEST_INFANT_MM = 85.0  # mm: a newborn's head is 120, half of that is a monkey's
SIGNAL_SHARE = 0.1  # of the bright voxels: what has more belongs to the object
FACE_SHARE = 0.1  # of a face of the image that an object covers which goes on beyond it
BLOCKS = 64  # along each axis, at most, that an object is measured on


@dataclass(frozen=True)
class Body:
    """What was scanned, and its size against that of an adult's head.

    Parameters
    ----------
    name
        One of :data:`BODIES`.
    scale
        Of its lengths, 1 in an adult: all lengths in mm of the methods are multiplied by it.

    """

    name: str = 'adult'
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in BODIES:
            raise ValueError(f'no body {self.name!r}; there are: {", ".join(BODIES)}')
        if not 0.001 <= self.scale <= 10:
            raise ValueError(f'a body of {self.scale:g} times an adult, expected 0.001 to 10')

    @property
    def has_brain(self) -> bool:
        """Whether there are a brain, a skull and veins."""
        return self.name != 'none'

    @property
    def is_adult(self) -> bool:
        """Whether what is published of adults holds of it."""
        return self.name == 'adult'


ADULT = Body()


def extent(mask: Mask, voxel_size: Triple) -> tuple[float, ...]:
    """Lengths in mm of the ellipsoid that has the moments of a mask, the longest first.

    Axes of the image along which the mask covers much of both faces are left out: what goes on
    beyond them may be of any length.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, z = np.indices((40, 40, 40)) - 19.5
    >>> inside = (x / 18) ** 2 + (y / 9) ** 2 + (z / 12) ** 2 < 1
    >>> [round(length) for length in extent(inside, (2.0, 2.0, 2.0))]
    [72, 48, 36]

    """
    axes = [axis for axis in range(3) if not _goes_on(mask, axis)]
    places = (np.argwhere(mask) * np.asarray(voxel_size))[:, axes]
    if not axes or len(places) <= len(axes):
        return ()
    variances = np.linalg.eigvalsh(np.atleast_2d(np.cov(places.T)))
    # the variance of a ball of radius r is r^2 / 5 along each axis
    return tuple(2 * float(np.sqrt(5 * max(variance, 0.0))) for variance in variances[::-1])


def measured_body(magnitude: Volume, voxel_size: Triple) -> Body:
    """Tell a body by the size of the object in a magnitude.

    The size is the geometric mean of the two longest axes of the largest connected part with
    signal, so that a slab of a head is as large as the head. From 135 mm on it is an adult, of scale
    1, and so is what fills the image along two axes; of what is smaller, the scale is its share of
    200 mm, to two digits.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array
        Any unit.
    voxel_size
        In mm.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, z = np.indices((40, 40, 40)) - 19.5
    >>> ball = (x**2 + y**2 + z**2 < 15**2).astype('f4')
    >>> measured_body(ball, (6.0, 6.0, 6.0)).name, measured_body(ball, (0.5, 0.5, 0.5))
    ('adult', Body(name='small-animal', scale=0.075))

    """
    steps = [max(1, n // BLOCKS) for n in magnitude.shape]
    coarse = magnitude[tuple(slice(None, None, step) for step in steps)]
    x, y, z = (size * step for size, step in zip(voxel_size, steps, strict=True))
    longest = extent(_largest(coarse), (x, y, z))[:2]
    size = math.prod(longest) ** 0.5
    if len(longest) < 2 or size == 0 or size >= SMALLEST_ADULT_MM:
        return ADULT
    name = 'infant' if size >= SMALLEST_INFANT_MM else 'small-animal'
    return Body(name, float(f'{size / ADULT_HEAD_MM:.2g}'))


def _largest(magnitude: Volume) -> Mask:
    """The largest connected part with signal."""
    values = np.where(np.isfinite(magnitude), magnitude, 0)
    bright = np.percentile(values[values > 0], 95) if (values > 0).any() else 0.0
    seen = ndimage.binary_opening(np.pad(values > SIGNAL_SHARE * bright, 1, mode='edge'))
    parts, count = ndimage.label(seen[1:-1, 1:-1, 1:-1])
    if not count:
        return np.zeros(magnitude.shape, bool)
    largest: Mask = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return largest


def _goes_on(mask: Mask, axis: int) -> bool:
    faces = [mask.take(place, axis=axis).mean() for place in (0, -1)]
    return bool(min(faces) > FACE_SHARE)


def wanted_body(text: str) -> tuple[str, float | None]:
    """Take apart ``auto``, ``NAME`` or ``NAME:SCALE``; no scale where it is to be measured.

    Examples
    --------
    >>> wanted_body('small-animal:0.1'), wanted_body('infant'), wanted_body('adult')
    (('small-animal', 0.1), ('infant', None), ('adult', 1.0))

    """
    name, colon, scale = text.partition(':')
    if name == 'auto' and not colon:
        return name, None
    try:
        asked = Body(name, float(scale) if colon else 1.0)
    except ValueError as error:
        raise ValueError(f'{text!r}: expected auto, NAME or NAME:SCALE ({error})') from None
    return name, asked.scale if colon or asked.is_adult else None
