"""Quality of the susceptibility map: noise, streaks, fidelity to the field, sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from bidsqsm.qsm.background.spheres import sphere_that_fits
from bidsqsm.qsm.forward import PADDING
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel, sphere_weights
from bidsqsm.qsm.quality.field import PPB
from bidsqsm.qsm.quality.maps import Maps, detail_noise, ratio
from bidsqsm.qsm.r2star_contrast import correlation_with_r2star
from bidsqsm.qsm.window import Window

_CONE = 0.1  # of the kernel
_BAND = (0.02, 0.3)  # cycles/mm: between the shape of the brain and the noise
_SHELL = 0.01  # cycles/mm
_SPHERE = 5.0  # mm
_TRIM = 0.5  # percent of the voxels at either end, where vessels are
_SUSCEPTIBILITY_RIM_MM = 6.0  # mm: beside air R2* is high for another reason


def chi_spread(maps: Maps) -> dict[str, float]:
    """Standard deviation of the map and noise in its finest detail, in ppb."""
    assert maps.chi is not None
    assert maps.qsm_mask is not None
    return {
        'chi_sd': PPB * float(np.std(maps.chi[maps.qsm_mask], dtype=float)),
        'chi_noise': PPB * detail_noise(maps.chi, maps.qsm_mask),
    }


def streaking(maps: Maps) -> dict[str, float]:
    """Energy near the cone where the kernel vanishes over that elsewhere, shell by shell."""
    assert maps.chi is not None
    assert maps.qsm_mask is not None
    window = _window(maps.qsm_mask, maps.grid)
    energy = np.abs(fft.rfftn(_centred(maps.chi, window))) ** 2
    k = window.grid.frequencies()
    size = np.sqrt(k[0] ** 2 + k[1] ** 2 + k[2] ** 2)
    band = (size >= _BAND[0]) & (size < _BAND[1])
    shell = ((size[band] - _BAND[0]) / _SHELL).astype(int)
    near = np.abs(dipole_kernel(window.grid)[band]) < _CONE
    ratios, weights = [], []
    for number in range(shell.max() + 1):
        inner, outer = (energy[band][(shell == number) & part] for part in (near, ~near))
        if inner.size and outer.size and outer.mean() > 0:
            ratios.append(inner.mean(dtype=float) / outer.mean(dtype=float))
            weights.append(inner.size)
    if not ratios:
        return {'streaking': float('nan')}
    return {'streaking': float(np.exp(np.average(np.log(ratios), weights=weights)))}


@dataclass(frozen=True)
class _HighPass:
    """A volume less its mean over spheres, where a whole sphere lies in the mask."""

    sphere: Volume
    fits: Mask

    def __call__(self, volume: Volume) -> Volume:
        filtered: Volume = (volume - convolve(volume, self.sphere))[self.fits]
        return filtered


def inversion_misfit(maps: Maps) -> dict[str, float]:
    """What the field of the map leaves of the total field: in percent of it, and over the noise.

    A field from outside the mask is its own mean over any sphere inside [schweser2011]_, so that
    the comparison needs no background removal and holds for maps made in one step too.

    References
    ----------
    .. [schweser2011] Schweser et al., NeuroImage 54:2789-2807 (2011).
       doi:10.1016/j.neuroimage.2010.10.070

    """
    assert maps.chi is not None
    assert maps.total_field is not None
    assert maps.qsm_mask is not None
    window = _window(maps.qsm_mask, maps.grid)
    radius = max(_SPHERE, *maps.grid.voxel_size)
    try:
        high_pass = _HighPass(*sphere_that_fits(window, radius))
    except ValueError:  # no sphere fits into so small a mask
        return {'inversion_misfit': float('nan'), 'misfit_to_noise': float('nan')}
    total = window.cut(maps.total_field)
    left = total - convolve(_centred(maps.chi, window), dipole_kernel(window.grid))
    # outside the mask neither is known; no sphere reaches there
    left *= window.cut_mask()
    misfit = _trimmed_rms(high_pass(left))
    found = {'inversion_misfit': 100 * ratio(misfit, _trimmed_rms(high_pass(total)))}
    if maps.noise is not None:
        weights = sphere_weights(radius, maps.grid.voxel_size)
        middle = float(weights[tuple(n // 2 for n in weights.shape)])
        gain = 1 - 2 * middle + float(np.sum(weights**2))
        noise = window.cut(maps.noise)[high_pass.fits].astype(float)
        expected = np.sqrt(gain) * _trimmed_rms(noise)
        found['misfit_to_noise'] = ratio(misfit, float(expected))
    return found


def chi_r2star_correlation(maps: Maps) -> dict[str, float]:
    """Rank correlation of susceptibility and R2* where R2* stands out of its surroundings most."""
    assert maps.chi is not None
    assert maps.r2star is not None
    assert maps.qsm_mask is not None
    found = correlation_with_r2star(
        maps.chi, maps.r2star, maps.qsm_mask, maps.qsm_depth > _SUSCEPTIBILITY_RIM_MM, maps.grid
    )
    return {'chi_r2star_correlation': found}


def _window(mask: Mask, grid: Grid) -> Window:
    return Window.around(mask, grid, PADDING)


def _centred(chi: Volume, window: Window) -> Volume:
    values = window.cut(chi)
    inside = window.cut_mask()
    values[inside] -= values[inside].mean(dtype=float)
    return values


def _trimmed_rms(values: Volume) -> float:
    low, high = np.percentile(values, (_TRIM, 100 - _TRIM))
    usual = values[(values >= low) & (values <= high)].astype(float)
    return float(np.sqrt(np.mean(usual**2)))
