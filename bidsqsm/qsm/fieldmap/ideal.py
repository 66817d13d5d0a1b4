"""Separation of water and fat."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From, OneOf
from bidsqsm.qsm.fieldmap.field_result import FieldFit
from bidsqsm.qsm.fieldmap.separate import SeparationEchoes, separate
from bidsqsm.qsm.fieldmap.spectrum import SPECTRA, check_echoes, fat_signal
from bidsqsm.qsm.grid import Grid, Mask, Volume

LOGGER = logging.getLogger(__name__)
CUBES = (2.0, 2.0, 2.0)  # mm, where no grid is given


def ideal(
    unwrapped: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    imaging_frequency: float,
    grid: Grid | None = None,
    phase_sign: int = 0,
    *,
    peaks: Annotated[str, OneOf(tuple(SPECTRA))] = 'six',
    smoothness_weight: Annotated[float, Between(0, 100)] = 0.2,
    offset_width: Annotated[float, From(0, 100)] = 5.0,
    max_iter: Annotated[int, Between(0, 1000)] = 30,
) -> FieldFit:
    r"""Water-fat separation with R2* and the spectrum of fat (IDEAL).

    .. math:: S(t) = e^{i\phi_0} \left( W + F \sum_p a_p e^{2\pi i f_p t} \right)
              e^{2\pi i \psi t - R_2^* t}

    [dixon1984]_, [reeder2004]_, with the peaks :math:`f_p` of fat and the decay [yu2008]_. Fat
    resonates lower than water (3.4 ppm at its main peak) wherever the phase grows with the field.
    Each voxel alone could as well be fat in another field, so the field :math:`\psi` is looked
    for in all of space at once, as in [hernando2010]_ and [dong2015]_: of all fields within one
    period of the echoes, those are taken whose misfit and steps between neighbours are smallest
    together, on blocks of 2 mm, by message passing over trees [kolmogorov2006]_. From there each
    voxel is fitted with one phase for water and fat [bydder2011]_. That phase is smoothed and
    held in a second fit, which gives the field the noise of an ordinary fit. The unwrapping of
    the phase that is given does not matter.

    Parameters
    ----------
    unwrapped : (n_echoes, nx, ny, nz) float32 array
        Phase in rad, unwrapped or not, of three echoes or more.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Voxels to fit; others are zero in the result.
    echo_times
        Echo times in s, at any distances.
    imaging_frequency
        Frequency of the scanner in MHz, so that Hz over MHz is ppm.
    grid
        Voxel size; cubes of 2 mm where None.
    phase_sign
        +1 where the phase grows with the field, -1 where it falls; 0 to tell by the spectrum of
        fat, which fits worse backwards (taken as +1 where there is no fat or ``peaks`` is one).
    peaks
        Spectrum of fat: ``six`` peaks, or the main one.
    smoothness_weight
        Weight of the smoothness of the field: what a step by the shift of fat over 2 mm costs,
        where 1 is to leave all signal of a voxel unexplained.
    offset_width
        Width in mm of the smoothing of the phase at echo time zero; 0 to fit it in each voxel.
    max_iter
        Iterations after which to stop regardless: sweeps of the search, and steps of the fit in
        each voxel.

    Returns
    -------
    fit
        Total field (ppm, with the sign of the phase), its noise (ppm), relative residual of the
        phase, offset (rad); water, fat (unit of the magnitude), fat fraction, R2* (1/s).

    References
    ----------
    .. [dixon1984] Dixon, Radiology 153:189-194 (1984). doi:10.1148/radiology.153.1.6089263
    .. [reeder2004] Reeder et al., Magn Reson Med 51:35-45 (2004). doi:10.1002/mrm.10675
    .. [yu2008] Yu et al., Magn Reson Med 60:1122-1134 (2008). doi:10.1002/mrm.21737
    .. [hernando2010] Hernando et al., Magn Reson Med 63:79-90 (2010). doi:10.1002/mrm.22177
    .. [dong2015] Dong et al., IEEE Trans Med Imaging 34:531-540 (2015).
       doi:10.1109/TMI.2014.2361764
    .. [kolmogorov2006] Kolmogorov, IEEE Trans Pattern Anal Mach Intell 28:1568-1583 (2006).
       doi:10.1109/TPAMI.2006.200
    .. [bydder2011] Bydder et al., Magn Reson Imaging 29:216-221 (2011).
       doi:10.1016/j.mri.2010.08.011

    Examples
    --------
    >>> import numpy as np
    >>> times = np.array([0.0012, 0.0028, 0.0044, 0.0060])
    >>> mask = np.ones((8, 8, 8), bool)
    >>> main = np.exp(-2j * np.pi * 3.4 * 127.74 * times)  # 3.4 ppm below water
    >>> signal = (0.7 + 0.3 * main)[:, None, None, None] * mask
    >>> phase, magnitude = np.angle(signal).astype('f4'), 100 * np.abs(signal).astype('f4')
    >>> fit = ideal(phase, magnitude, mask, times.tolist(), 127.74, peaks='one')
    >>> round(float(fit.fat_fraction.mean()), 2)
    0.3

    """
    check_echoes(echo_times, imaging_frequency, peaks)
    grid = grid or Grid(mask.shape, CUBES)
    found, sign = separate(
        SeparationEchoes(unwrapped, magnitude, mask, echo_times, imaging_frequency, grid),
        fat_signal(echo_times, imaging_frequency, peaks),
        phase_sign or (0 if peaks == 'six' else 1),
        weight=smoothness_weight,
        offset_width=offset_width,
        max_iter=max_iter,
    )
    water, fat = np.maximum(found.water, 0), np.maximum(found.fat, 0)
    total = water + fat
    share = np.divide(fat, total, out=np.zeros_like(fat), where=total > 0)
    LOGGER.info('ideal: fat is %.1f %% of the signal', 100 * fat.sum() / max(total.sum(), 1e-30))
    to_ppm = np.float32(1 / imaging_frequency)
    return FieldFit(
        found.field * (sign * to_ppm),
        found.spread * to_ppm,
        found.turned,
        sign * found.offset,
        water,
        fat,
        share,
        found.rate,
        sign,
    )
