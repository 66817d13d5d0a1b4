"""Quality of the phase and of the total field."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.masking.reliable_voxels import QUALITY_LIMIT
from bidsqsm.qsm.operators import inner_voxels
from bidsqsm.qsm.quality.maps import Maps, detail_noise, steepness
from bidsqsm.qsm.quality.wraps import residual_wraps

_SIGNAL = 5.0  # times the noise, where the phase is good to 0.2 rad
PPB = 1000.0  # in a ppm


def unreliable_voxels(maps: Maps) -> dict[str, float]:
    """Share of the brain with a poor phase, in percent."""
    assert maps.quality is not None
    assert maps.brain_mask is not None
    return {
        'unreliable_voxels': 100 * float(np.mean(maps.quality[maps.brain_mask] < QUALITY_LIMIT))
    }


def wraps_left(maps: Maps) -> dict[str, float]:
    """Share of the mask beside a jump of the unwrapped phase of any echo, in percent.

    In voxels without signal the turns are those of noise, and do not matter.
    """
    assert maps.unwrapped is not None
    assert maps.magnitude is not None
    assert maps.qsm_mask is not None
    jumps = np.zeros_like(maps.qsm_mask)
    for phase, magnitude, noise in zip(
        maps.unwrapped, maps.magnitude, maps.echo_noise, strict=True
    ):
        jumps |= residual_wraps(phase, maps.qsm_mask & (magnitude > _SIGNAL * noise))
    return {'residual_wraps': 100 * float(np.mean(jumps[maps.qsm_mask]))}


def fit_residual(maps: Maps) -> dict[str, float]:
    """Median and 95th percentile of the residual of the fit, in percent."""
    assert maps.residual is not None
    inside = 100 * maps.residual[maps.qsm_mask]
    return {
        'fit_residual': float(np.median(inside)),
        'fit_residual_p95': float(np.percentile(inside, 95)),
    }


def field_noise(maps: Maps) -> dict[str, float]:
    """Median of the noise that the fit predicts, in ppb."""
    assert maps.noise is not None
    return {'field_noise': PPB * float(np.median(maps.noise[maps.qsm_mask]))}


def field_noise_seen(maps: Maps) -> dict[str, float]:
    """Noise in the finest detail of the total field, in ppb."""
    assert maps.total_field is not None
    assert maps.qsm_mask is not None
    return {'field_noise_seen': PPB * detail_noise(maps.total_field, maps.qsm_mask)}


def field_range(maps: Maps) -> dict[str, float]:
    """1st to 99th percentile of the total field in the brain, in ppm."""
    assert maps.total_field is not None
    low, high = np.percentile(maps.total_field[maps.brain_mask], (1, 99))
    return {'field_range': float(high - low)}


def field_gradient(maps: Maps) -> dict[str, float]:
    """95th percentile of the gradient of the total field, in ppb/mm."""
    assert maps.total_field is not None
    assert maps.qsm_mask is not None
    inner = inner_voxels(maps.qsm_mask)
    if not inner.any():
        return {'field_gradient': float('nan')}
    steep = steepness(maps.total_field, maps)
    return {'field_gradient': PPB * float(np.percentile(steep[inner], 95))}
