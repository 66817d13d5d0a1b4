"""Removal of the receive phase that all echoes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.phase.difference import Unwrapper, unwrapped_difference
from bidsqsm.qsm.phase.fringe_ends import near_fringe_ends
from bidsqsm.qsm.phase.slice_phase import UNEVEN_FIELD_RAD, SlicePhase, find_slice_phase
from bidsqsm.qsm.phase.smooth import smooth_phase
from bidsqsm.qsm.phase.terms import ReceivePhase
from bidsqsm.qsm.phase.wrap import subtract_wrapped, wrap

OFFSET_WIDTH_MM = 7.0  # of the smoothing


def remove_offset(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    grid: Grid,
    *,
    second: int = 1,
    unwrap: Unwrapper | None = None,
) -> tuple[Volume, Volume, ReceivePhase]:
    r"""Remove the phase at echo time zero, by MCPC-3D-S on combined data [eckstein2018]_.

    The phase that grew between two echoes is unwrapped and extrapolated back to time zero; what
    remains of the first echo is the offset, smoothed before it is removed from every echo:

    .. math:: \phi_0 = \phi_1 - \frac{TE_1}{TE_2 - TE_1} \, U(\phi_2 - \phi_1)

    Local fields cancel in it, so that smoothing has noise to remove and nothing to lose, but for
    slices with phases of their own, which are taken off before it and added again.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Where the offset is measured; it is removed everywhere.
    echo_times
        Echo times in s, ascending.
    grid
        Voxel size.
    second
        Index of the echo to compare with the first: of those of a bipolar readout one of the same
        direction, so that no difference between directions is extrapolated.
    unwrap
        Method of the step ``unwrap``; ROMEO where None.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    offset : (nx, ny, nz) float32 array
        What was removed, in rad, in [-pi, pi].
    facts
        Whether and how it was removed.

    References
    ----------
    .. [eckstein2018] Eckstein et al., Magn Reson Med 79:2996-3006 (2018). doi:10.1002/mrm.26963

    """
    if len(echo_times) < 2:
        nothing = np.zeros(phase.shape[1:], np.float32)
        return phase, nothing, _of_one_echo(phase[0], magnitude[0] * mask)
    first_time, interval = echo_times[0], echo_times[second] - echo_times[0]
    weight = np.where(mask, magnitude[0] * magnitude[second], np.float32(0))
    weight /= np.float32(max(float(weight.max()), 1e-30))
    grown = unwrapped_difference(phase[second] - phase[0], np.sqrt(weight), mask, interval, unwrap)
    raw = phase[0] - np.float32(first_time / interval) * grown
    slices = find_slice_phase(raw, weight)
    offset = smooth_phase(raw, weight, grid, OFFSET_WIDTH_MM)
    if slices is not None:
        rest = raw - slices.spread()
        slices = slices.refined(rest - smooth_phase(rest, weight, grid, OFFSET_WIDTH_MM), weight)
        offset = smooth_phase(raw - slices.spread(), weight, grid, OFFSET_WIDTH_MM)
        offset = wrap(offset + slices.spread())
    ends = near_fringe_ends(
        offset if slices is None else offset - slices.spread(), mask, grid, OFFSET_WIDTH_MM
    )
    if ends is not None:
        offset = np.where(ends, wrap(raw), offset)
    echoes = (1, second + 1)
    spread = _spread(offset[mask])
    sentence = (
        f'Receive phase removed (MCPC-3D-S, echoes {echoes[0]} and {echoes[1]}, '
        f'smoothed by {OFFSET_WIDTH_MM * grid.body_scale:g} mm); it varied by {spread:.2g} rad over the head.'
    )
    facts = ReceivePhase(removed=True, echoes=echoes, spread_rad=spread, sentence=sentence)
    if slices is not None:
        facts = _with_slices(
            facts, slices, 'alike in all echoes: this was removed with the receive phase.'
        )
    if ends is not None:
        facts = _with_fringes(facts, float(ends[mask].mean()))
    return subtract_wrapped(phase, offset), offset, facts


def _with_fringes(facts: ReceivePhase, share: float) -> ReceivePhase:
    sentence = (
        'The receive phase turns about lines within the head, where channels cancelled when they '
        f'were combined (open-ended fringes): near them, in {share:.1%} of the head, it was removed '
        'voxel by voxel, and the field is noisier there.'
    )
    said = sentence if facts.warning is None else f'{facts.warning} {sentence}'
    return replace(
        facts, fringe_ends=round(share, 4), sentence=f'{facts.sentence} {sentence}', warning=said
    )


def _of_one_echo(phase: Volume, magnitude: Volume) -> ReceivePhase:
    sentence = 'Receive phase not removed: one echo does not tell it from the field.'
    facts = ReceivePhase(removed=False, sentence=sentence)
    slices = find_slice_phase(phase, magnitude**2, least_rad=UNEVEN_FIELD_RAD)
    if slices is None:
        return facts
    return _with_slices(
        facts,
        slices,
        'which one echo does not tell from the field: field and susceptibility are wrong by it; '
        'acquire two echoes or more, or in 3-D.',
    )


def _with_slices(facts: ReceivePhase, slices: SlicePhase, end: str) -> ReceivePhase:
    size = slices.uneven_rad
    sentence = (
        f'Slices along {"xyz"[slices.axis]} have phases of their own, as 2-D, EPI and multiband '
        f'acquisitions give them (their steps change by {size:.2g} rad from slice to slice), {end}'
    )
    return replace(
        facts,
        slice_axis=slices.axis,
        slice_steps_rad=round(size, 3),
        sentence=f'{facts.sentence} {sentence}',
        warning=sentence,
    )


def _spread(phase: Volume) -> float:
    """Circular standard deviation in rad."""
    length = abs(np.mean(np.exp(1j * phase[:: max(1, phase.size // 200_000)])))
    return float(np.sqrt(-2 * np.log(max(float(length), 1e-9))))
