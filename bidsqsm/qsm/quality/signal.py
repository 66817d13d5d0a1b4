"""Quality of the magnitude: noise, contrast, ghosts, sharpness, echoes that moved."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Volume, bounding_box
from bidsqsm.qsm.masking.brain import otsu
from bidsqsm.qsm.masking.distance import distance_to
from bidsqsm.qsm.masking.morphology import dilate
from bidsqsm.qsm.quality.maps import Maps, detail_noise, ratio
from bidsqsm.qsm.units import MAD_TO_SD

_RAYLEIGH = np.sqrt(np.log(100) / np.log(2))  # 99th percentile over the median
_NUCLEUS_RING_MM = (2.0, 5.0)  # mm from a nucleus
_AIR_DISTANCE_MM = 8.0  # mm from the head


def snr(maps: Maps) -> dict[str, float]:
    """Median magnitude in the brain over the noise, for each echo."""
    assert maps.magnitude is not None
    assert maps.brain_mask is not None
    levels = [float(np.median(echo[maps.brain_mask])) for echo in maps.magnitude]
    pairs = zip(levels, maps.echo_noise, strict=True)
    return {f'snr_echo{n}': ratio(level, sd) for n, (level, sd) in enumerate(pairs, start=1)}


def cnr(maps: Maps) -> dict[str, float]:
    """Contrast of the nuclei with the tissue around them over the noise, for each echo."""
    assert maps.magnitude is not None
    assert maps.brain_mask is not None
    assert maps.nuclei is not None
    away = distance_to(maps.nuclei, maps.grid.voxel_size, _NUCLEUS_RING_MM[1])
    around = (away >= _NUCLEUS_RING_MM[0]) & (away <= _NUCLEUS_RING_MM[1]) & maps.brain_mask
    inside = maps.nuclei & maps.brain_mask
    if not (around.any() and inside.any()):
        return {}
    contrasts = [
        abs(float(np.median(echo[inside])) - float(np.median(echo[around])))
        for echo in maps.magnitude
    ]
    pairs = zip(contrasts, maps.echo_noise, strict=True)
    return {f'cnr_echo{n}': ratio(contrast, sd) for n, (contrast, sd) in enumerate(pairs, start=1)}


def ghosting(maps: Maps) -> dict[str, float]:
    """Spread of the magnitude in the air, relative to that of pure noise; NaN where it is zero."""
    assert maps.magnitude is not None
    smooth = ndimage.gaussian_filter(maps.combined, [3 / d for d in maps.grid.voxel_size])
    # noise is even when smoothed: far below the threshold that parts head from air
    head = smooth > 0.5 * otsu(smooth.ravel())
    values = maps.magnitude[0][~dilate(head, _AIR_DISTANCE_MM, maps.grid.voxel_size)]
    if values.size < 1000 or not (middle := float(np.median(values))) > 0:
        return {'ghosting': float('nan')}
    return {'ghosting': float(np.percentile(values, 99)) / middle / float(_RAYLEIGH)}


def sharpness(maps: Maps) -> dict[str, float]:
    """How much of the change from voxel to voxel but one there is from voxel to voxel already.

    Mean squares of the differences in the combined magnitude inside the brain, less those that noise
    makes, over the three axes: a quarter for what is smooth, a half for edges as sharp as the voxels.
    """
    assert maps.brain_mask is not None
    box = bounding_box(maps.brain_mask)
    volume, inside = maps.combined[box].astype(float), maps.brain_depth[box] > 2
    noise = 2 * detail_noise(volume, inside) ** 2
    near, far = (_mean_square_step(volume, inside, steps) - noise for steps in (1, 2))
    return {'sharpness': ratio(near, far)}


def _mean_square_step(volume: Volume, mask: Mask, steps: int) -> float:
    """Mean square of the differences between voxels so many steps apart, along all axes."""
    total, number = 0.0, 0
    for axis in range(3):
        along, inside = np.moveaxis(volume, axis, 0), np.moveaxis(mask, axis, 0)
        both = inside[steps:] & inside[:-steps]
        total += float(np.sum((along[steps:] - along[:-steps])[both] ** 2))
        number += int(np.count_nonzero(both))
    return total / number if number else float('nan')


def decay_misfit(maps: Maps) -> dict[str, float]:
    """Median misfit of the decay, in percent of S0."""
    assert maps.decay_misfit is not None
    assert maps.brain_mask is not None
    fitted = maps.brain_mask & (maps.decay_misfit > 0)
    value = 100 * float(np.median(maps.decay_misfit[fitted])) if fitted.any() else float('nan')
    return {'decay_misfit': value}


def echo_shift(maps: Maps) -> dict[str, float]:
    """Largest displacement from one echo to the next, in mm; needs three echoes.

    The logarithm of the magnitude falls linearly with the echo time; what an echo deviates from
    the line in proportion to the gradient of the image is its displacement. A drift proportional
    to the echo time cannot be told from decay and does not show.
    """
    assert maps.magnitude is not None
    assert maps.brain_mask is not None
    times = np.asarray(maps.echo_times)
    if times.size < 3:
        return {}
    box = bounding_box(maps.brain_mask)
    inside = maps.brain_depth[box] > 4
    signal = maps.magnitude[(slice(None), *box)]
    bright = signal.min(axis=0) > 0.2 * np.median(signal[-1][maps.brain_mask[box]])
    inside &= bright
    if np.count_nonzero(inside) < 1000 or min(inside.shape) < 2:
        return {'echo_shift': float('nan')}
    smooth = [ndimage.gaussian_filter(np.log(np.maximum(echo, 1e-6)), 0.8) for echo in signal]
    slopes = np.stack(
        [
            np.gradient(np.mean(smooth, axis=0), d, axis=axis)[inside]
            for axis, d in enumerate(maps.grid.voxel_size)
        ]
    )
    line = np.stack([np.ones_like(times), times], axis=1)
    off_line = np.eye(times.size) - line @ np.linalg.pinv(line)
    deviations = off_line @ np.stack([echo[inside] for echo in smooth])
    terms = np.vstack([-slopes, np.ones_like(slopes[:1])]).astype(float)
    products = terms @ terms.T
    moved = np.stack([_displacement(terms, products, deviation) for deviation in deviations])
    return {'echo_shift': float(np.linalg.norm(np.diff(moved, axis=0), axis=1).max())}


def _displacement(terms: Volume, products: Volume, deviation: Volume) -> Volume:
    """Move (mm) that explains a deviation as minus its product with the slopes, outliers left out.

    ``terms`` are the negative slopes and ones, ``products`` the sums of their products.
    """
    found: Volume = np.zeros(4)
    for _ in range(3):
        rest = np.abs(deviation - found @ terms)
        odd = np.flatnonzero(rest > 3 * MAD_TO_SD * np.median(rest) + 1e-12)
        part = terms[:, odd]
        # sums over the usual ones: over all, less those over the few that are not
        normal = products - part @ part.T
        found = np.linalg.lstsq(normal, terms @ deviation - part @ deviation[odd], rcond=None)[0]
    return np.asarray(found[:3])
