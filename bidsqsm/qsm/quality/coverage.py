"""Quality of the masks: size, rim, and what of the brain is lost on the way."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, bounding_box
from bidsqsm.qsm.mask_overlap import dice
from bidsqsm.qsm.masking.distance import distance_to
from bidsqsm.qsm.operators import inner_voxels
from bidsqsm.qsm.quality.maps import Maps, ratio, steepness

_SMOOTHING_MM = 4.0
_DARK, _BRIGHT = 0.25, 0.8  # of the median magnitude
_BESIDE, _WITHIN = 3.0, 6.0  # mm outside and inside the rim


def mask_volume(maps: Maps) -> dict[str, float]:
    """Volume of the brain mask, in ml."""
    assert maps.brain_mask is not None
    millilitres = np.prod(maps.grid.voxel_size) / 1000
    return {'mask_volume': float(np.count_nonzero(maps.brain_mask) * millilitres)}


def mask_roughness(maps: Maps) -> dict[str, float]:
    """Surface of the mask over that of the smoothed mask, less one."""
    assert maps.qsm_mask is not None
    # a finer scale than the voxels would show their corners
    fine = max(1.0, 0.8 * max(maps.grid.voxel_size))
    rough = ratio(
        _surface(maps.qsm_mask, maps, fine), _surface(maps.qsm_mask, maps, _SMOOTHING_MM)
    )
    return {'mask_roughness': rough - 1}


def _surface(mask: Mask, maps: Maps, width: float) -> float:
    """Mean area (mm^2) of the level sets of a mask smoothed over a width (mm): the integral of its slope."""
    # as far as the filter reaches, and on to where the slope is zero
    margin = [int(np.ceil(4 * width / d)) + 2 for d in maps.grid.voxel_size]
    room = np.pad(mask[bounding_box(mask)].astype(np.float32), [(m, m) for m in margin])
    smooth = ndimage.gaussian_filter(room, [width / d for d in maps.grid.voxel_size])
    area = steepness(smooth, maps).sum(dtype=float) * np.prod(maps.grid.voxel_size)
    return float(area)


def mask_brightness(maps: Maps) -> dict[str, float]:
    """Dark voxels in the brain mask and bright ones just outside it, in percent."""
    assert maps.brain_mask is not None
    strength = maps.combined
    middle = float(np.median(strength[maps.brain_mask]))
    dark = float(np.mean(strength[maps.brain_mask] < _DARK * middle))
    away = distance_to(maps.brain_mask, maps.grid.voxel_size, _BESIDE)
    beside = (away > 0) & (away <= _BESIDE)
    rim = (maps.brain_depth > 0) & (maps.brain_depth <= _WITHIN)
    if not (beside.any() and rim.any()):
        return {'mask_dark': 100 * dark, 'mask_missed': float('nan')}
    limit = _BRIGHT * float(np.median(strength[rim]))
    return {'mask_dark': 100 * dark, 'mask_missed': 100 * float(np.mean(strength[beside] > limit))}


def mask_cut(maps: Maps) -> dict[str, float]:
    """Share of the surface of the brain mask that lies on a face of the image, in percent."""
    assert maps.brain_mask is not None
    surface = maps.brain_mask & ~inner_voxels(maps.brain_mask)
    faces = np.ones_like(surface)
    faces[1:-1, 1:-1, 1:-1] = False
    return {'mask_cut': 100 * float(np.mean(faces[surface]))}


def coverage_lost(maps: Maps) -> dict[str, float]:
    """What of the brain mask is lost before and after the background is removed, in percent."""
    assert maps.brain_mask is not None
    assert maps.qsm_mask is not None
    support = maps.qsm_mask if maps.support is None else maps.support
    whole = np.count_nonzero(maps.brain_mask)
    first = np.count_nonzero(maps.brain_mask & ~support)
    last = np.count_nonzero(maps.brain_mask & support & ~maps.qsm_mask)
    return {'lost_to_phase': 100 * first / whole, 'lost_to_background': 100 * last / whole}


def registration_overlap(maps: Maps) -> dict[str, float]:
    """Dice coefficient of the template's brain and that of the run."""
    assert maps.template_mask is not None
    own = maps.brain_mask if maps.magnitude_mask is None else maps.magnitude_mask
    assert own is not None
    return {'registration_overlap': dice(own, maps.template_mask)}
