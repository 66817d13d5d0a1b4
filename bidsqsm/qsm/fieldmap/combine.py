"""From a voxel-wise line fit to the field in ppm with its noise and residual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.fieldmap.field_result import FieldFit
from bidsqsm.qsm.fieldmap.line_fit import fit_lines
from bidsqsm.qsm.fieldmap.noise import noise_from_misfit, noise_from_neighbours
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.units import TURN_RAD


def field_from_echoes(
    unwrapped: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    imaging_frequency: float,
    *,
    free_offset: bool,
    newton_steps: int,
) -> FieldFit:
    """Fit the echoes and turn rad/s into ppm (see :mod:`bidsqsm.qsm.fieldmap.line_fit`)."""
    free_offset = free_offset and len(echo_times) > 2
    rate, offset, misfit, information = (np.zeros(mask.shape, np.float32) for _ in range(4))
    times = np.asarray(echo_times, np.float32)
    fit_lines(
        unwrapped,
        magnitude,
        mask,
        times,
        free_offset,
        newton_steps,
        rate,
        offset,
        misfit,
        information,
    )
    used = information > 0
    freedom = len(echo_times) - 1 - free_offset
    if freedom and used.any():
        sigma = noise_from_misfit(misfit, used, freedom)
    else:
        sigma = noise_from_neighbours(magnitude[0], mask)
    to_ppm = np.float32(1 / (TURN_RAD * imaging_frequency))
    noise = np.zeros(mask.shape, np.float32)
    noise[used] = sigma / np.sqrt(information[used])
    power = np.asarray(np.sum(magnitude**2, axis=0, dtype=np.float32))
    residual = np.zeros(mask.shape, np.float32)
    residual[used] = np.sqrt(misfit[used] / power[used])
    return FieldFit(rate * to_ppm, noise * to_ppm, residual, offset)
