"""Where the large veins are: in susceptibility, R2* and shape."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.masking.morphology import dilate, erode
from bidsqsm.qsm.oxygenation.vesselness import vesselness

#: Of the Gaussian that gives the susceptibility around a voxel
_SURROUNDINGS_SIGMA_MM = 5.0
#: In 1/s, what venous blood decays faster at least than the median of the brain
_VEIN_R2STAR_EXCESS = 8.0
_SURE, _LIKELY = 0.5, 0.02  # vesselness of a voxel that surely is a vein's, and of one beside it
_CONNECTIVITY = np.ones((3, 3, 3))


def find_veins(
    chi: Volume,
    mask: Mask,
    voxel_size: Triple,
    r2star: Volume | None,
    *,
    contrast: float,
    radius: float,
    length: float,
) -> tuple[Volume, Mask]:
    """Find veins as tubes that are paramagnetic and decay fast.

    Voxels that surely are a vein's exceed their surroundings by ``contrast`` and look like a tube.
    From these the veins grow to voxels that have half of it and half of the highest contrast
    nearby, which is where the edge of a blurred tube lies. An iron-rich nucleus and a haemorrhage
    are too wide for a vein, a microbleed is too short.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, zero outside the mask.
    mask : (nx, ny, nz) bool array
        Voxels where it is known.
    voxel_size
        In mm.
    r2star : (nx, ny, nz) float32 array or None
        Effective transverse relaxation rate, in 1/s.
    contrast
        Susceptibility above the surroundings, in ppm.
    radius
        Of the widest vein, in mm.
    length
        Of the shortest one, in mm.

    Returns
    -------
    likeness : (nx, ny, nz) float32 array
        Vesselness, 0 to 1.
    veins : (nx, ny, nz) bool array
        Voxels of veins.

    """
    middle = float(np.cbrt(np.prod(voxel_size)))
    radii = np.geomspace(max(radius / 4, middle / 2), max(radius, middle), 4)
    likeness = vesselness(chi, mask, voxel_size, radii.tolist(), contrast / 4)
    excess = chi - _smooth_inside(chi, mask, voxel_size)
    likely = mask & (excess > contrast / 2) & (likeness > _LIKELY)
    likely &= ~_bulky(chi, mask, voxel_size, contrast / 2, max(radius, middle) + middle)
    if r2star is not None and mask.any():
        likely &= r2star > np.median(r2star[mask]) + _VEIN_R2STAR_EXCESS
    sure = likely & (excess > contrast) & (likeness > _SURE)
    if not sure.any():
        return likeness, sure
    reach = [2 * round(radius / d) + 1 for d in voxel_size]
    highest = ndimage.maximum_filter(np.where(sure, excess, np.float32(0)), size=reach)
    grown = likely & (excess > highest / 2) & dilate(sure, radius, voxel_size)
    return likeness, _long(grown, sure, voxel_size, length)


def core_of(veins: Mask) -> Mask:
    """Voxels of a vein whose six neighbours are the vein's too: they hold nothing but blood.

    A voxel at the rim is part tissue, and so is any voxel of a vein that is one or two voxels wide.
    """
    return np.asarray(ndimage.binary_erosion(veins, ndimage.generate_binary_structure(3, 1)))


def _smooth_inside(chi: Volume, mask: Mask, voxel_size: Triple) -> Volume:
    sigma = [_SURROUNDINGS_SIGMA_MM / d for d in voxel_size]
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=3.0)
    total = ndimage.gaussian_filter(np.where(mask, chi, np.float32(0)), sigma, truncate=3.0)
    return np.asarray(total / np.maximum(weight, np.float32(1e-3)))


def _bulky(chi: Volume, mask: Mask, voxel_size: Triple, contrast: float, radius: float) -> Mask:
    # what is so wide that a ball of the radius fits in, and the voxels at its rim
    bright = mask & (chi > contrast + (np.median(chi[mask]) if mask.any() else 0))
    inner = erode(bright, radius, voxel_size)
    return dilate(inner, radius + 2 * max(voxel_size), voxel_size) if inner.any() else inner


def _long(grown: Mask, sure: Mask, voxel_size: Triple, length: float) -> Mask:
    # connected parts that hold sure voxels and are long: a line of length L has a variance L^2 / 12
    parts, count = ndimage.label(grown, _CONNECTIVITY)
    kept = np.zeros(count + 1, bool)
    kept[parts[sure & grown]] = True
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        if kept[number]:
            points = np.argwhere(parts[box] == number) * voxel_size
            spread = np.cov(points.T) if len(points) > 1 else np.zeros((3, 3))
            kept[number] = np.sqrt(12 * np.linalg.eigvalsh(spread)[-1]) >= length
    kept[0] = False
    return np.asarray(kept[parts])
