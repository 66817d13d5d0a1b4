"""All steps of phase preparation, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.phase.bipolar import (
    estimate_parity,
    readout_parities,
    remove_parity,
    same_direction,
)
from bidsqsm.qsm.phase.chopper import detect_alternation, undo_alternation
from bidsqsm.qsm.phase.difference import Unwrapper, signal_mask
from bidsqsm.qsm.phase.filter_check import is_filtered
from bidsqsm.qsm.phase.offset import remove_offset
from bidsqsm.qsm.phase.terms import Alternation, PhaseFilter, ReadoutPhase, ReceivePhase

Wish = Literal['auto', 'yes', 'no']


class Prepared(NamedTuple):
    """Phase ready for unwrapping, and what was done to it.

    Attributes
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    alternation, bipolar, filtered, offset
        What was found and what was removed.
    warnings
        Sentences for the person who runs this.

    """

    phase: Volume
    alternation: Alternation
    bipolar: ReadoutPhase
    filtered: PhaseFilter
    offset: ReceivePhase
    warnings: list[str]


def prepare(
    phase: Volume,
    magnitude: Volume,
    mask: Mask | None,
    echo_times: Sequence[float],
    grid: Grid,
    *,
    alternation: Wish = 'auto',
    bipolar: Wish = 'auto',
    offset: Wish = 'auto',
    readout: Literal['monopolar', 'bipolar'] | None = None,
    echo_numbers: Sequence[int] = (),
    unwrap: Unwrapper | None = None,
) -> Prepared:
    """Undo a sign that alternates over slices, then remove readout and receive phase.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad; voxels that are not finite count as unknown and become zero.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit, nowhere below zero.
    mask : (nx, ny, nz) bool array or None
        The head; where None, the voxels with signal.
    echo_times
        Echo times in s, ascending.
    grid
        Voxel size.
    alternation, bipolar, offset
        Whether to remove the effect: ``auto`` decides by the data, ``yes`` removes it whatever
        its size (an alternation: along the last axis), ``no`` leaves it.
    readout
        What the metadata says of the readout; data that disagrees gives a warning.
    echo_numbers
        Place of each echo in the train, counted from 1, where some are missing.
    unwrap
        Method of the step ``unwrap``; ROMEO where None.

    Returns
    -------
    prepared

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> phase, magnitude, echo_times, _ = sphere.echoes((0.004, 0.008, 0.012))
    >>> prepared = prepare(phase + 0.5, magnitude, sphere.mask, echo_times, sphere.grid)

    The phase at echo time zero, here 0.5 rad, is gone:

    >>> bool(np.median(abs(prepared.phase - phase)[:, sphere.mask]) < 0.1)
    True

    """
    _check(phase, magnitude, echo_times)
    known = np.isfinite(phase).all(axis=0) & np.isfinite(magnitude).all(axis=0)
    warnings = []
    if not known.all():
        warnings.append(f'{int(np.sum(~known))} voxels are not finite in phase or magnitude.')
        phase, magnitude = np.where(known, phase, 0), np.where(known, magnitude, 0)
    mask = (signal_mask(magnitude[0]) if mask is None else mask) & known
    if not mask.any():
        raise ValueError('the mask is empty, expected the head; check mask and magnitude')
    phase, sign = _alternation(phase, magnitude, echo_times, alternation)
    parities = readout_parities(echo_times, echo_numbers)
    phase, directions = _bipolar(
        phase, magnitude, mask, echo_times, grid, bipolar, readout, parities, unwrap
    )
    found, sentence = is_filtered(phase, magnitude, mask, echo_times, grid)
    # echoes of one direction even then: what is left of the readout phase would count several times
    alternating = readout == 'bipolar' or bool(directions.removed)
    if offset == 'no':
        receive = ReceivePhase(removed=False, sentence='Receive phase left in, as asked.')
    else:
        second = same_direction(parities) if alternating else 1
        phase, _, receive = remove_offset(
            phase, magnitude, mask, echo_times, grid, second=second, unwrap=unwrap
        )
    if directions.warning is not None:
        warnings.append(directions.warning)
    if receive.warning is not None:
        warnings.append(receive.warning)
    filtered = PhaseFilter(found=found, sentence=sentence)
    return Prepared(phase, sign, directions, filtered, receive, warnings)


def _check(phase: Volume, magnitude: Volume, echo_times: Sequence[float]) -> None:
    if phase.shape != magnitude.shape or phase.ndim != 4 or len(phase) != len(echo_times):
        raise ValueError(
            f'phase {phase.shape}, magnitude {magnitude.shape} and {len(echo_times)} echo times '
            'do not fit; expected (echoes, x, y, z) twice and one time for each echo'
        )
    if below := int(np.count_nonzero(magnitude < 0)):
        raise ValueError(f'the magnitude is below zero in {below} voxels, expected none')
    if any(b <= a for a, b in zip((0, *echo_times), echo_times, strict=False)):
        raise ValueError(
            f'echo times {list(echo_times)}, expected seconds, positive and ascending'
        )


def _alternation(
    phase: Volume, magnitude: Volume, echo_times: Sequence[float], wish: Wish
) -> tuple[Volume, Alternation]:
    if wish == 'no':
        return phase, Alternation(
            removed=False, sentence='Sign of slices left as it is, as asked.'
        )
    found = detect_alternation(phase, magnitude, echo_times)
    axes = found.axes if wish == 'auto' else (found.axes or (2,))
    steps = tuple(round(float(s), 3) for s in found.steps.real)
    facts = Alternation(removed=bool(axes), axes=tuple(axes), mean_steps=steps)
    if not axes:
        return phase, replace(facts, sentence='The sign does not alternate between slices.')
    names = ' and '.join('xyz'[axis] for axis in axes)
    sentence = (
        f'The sign alternated from voxel to voxel along {names} (as in real and imaginary images '
        'of GE) and was made even.'
    )
    return undo_alternation(phase, axes), replace(facts, sentence=sentence)


def _bipolar(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    grid: Grid,
    wish: Wish,
    readout: str | None,
    parities: Sequence[int],
    unwrap: Unwrapper | None,
) -> tuple[Volume, ReadoutPhase]:
    expected = wish == 'yes' or readout == 'bipolar'
    if wish == 'no':
        return phase, ReadoutPhase(removed=False, sentence='Readout phase left in, as asked.')
    if len(echo_times) > 1 and not any(parities):
        sentence = 'All echoes were read in one direction, those between them are missing.'
        return phase, ReadoutPhase(removed=False, sentence=sentence)
    if len(echo_times) < 3:
        sentence = 'Readout phase cannot be told from the field with fewer than three echoes.'
        warned = expected and len(echo_times) == 2
        warning = f'Bipolar readout: {sentence} It is left in.' if warned else None
        return phase, ReadoutPhase(removed=False, sentence=sentence, warning=warning)
    term = estimate_parity(phase, magnitude, mask, echo_times, grid, unwrap, parities=parities)
    removed = term.found or wish == 'yes'
    warning = f'The metadata says monopolar readout, the data bipolar. {term.sentence}'
    facts = ReadoutPhase(
        removed=removed,
        constant_rad=term.plane.constant,
        gradient_rad_per_mm=tuple(slope / grid.body_scale for slope in term.plane.gradient),
        across_head_rad=tuple(term.across),
        sentence=term.sentence + (' It was removed.' if removed else ''),
        warning=warning if term.found and readout == 'monopolar' else None,
    )
    return (remove_parity(phase, term, parities) if removed else phase), facts
