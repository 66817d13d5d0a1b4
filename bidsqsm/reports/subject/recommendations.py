"""An acquisition held against what the consensus on QSM recommends, item by item.

The consensus is [bilgic2024]_. It asks for an early first echo, a last one near the T2* of what is
looked at and coverage of the brain without figures; those here are common practice and marked so.
What still counts as ``partly`` is common practice throughout.

.. [bilgic2024] doi:10.1002/mrm.30006
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from bidsqsm.derivatives.acquisition_text import product_of, text_of
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.qsm.phase.terms import PhaseFilter
from bidsqsm.reports.subject.echo_recommendations import (
    first_echo,
    last_echo,
    number_of_echoes,
    readout,
    spacing,
)
from bidsqsm.reports.subject.recommendation import (
    MET,
    MISSED,
    NOT_RECORDED,
    PARTLY,
    UNKNOWN,
    Advice,
    Known,
)

VOXEL = (1.05, 1.5)  # mm, edge of a cube of the same volume: as recommended, and still fair
ANISOTROPY = (1.25, 2.0)  # longest over shortest edge
COVERAGE = (120.0, 64.0)  # mm along the main field: a whole brain, and a slab with the nuclei
STRAIGHT_DEGREES = 3.0
PARTIAL_FOURIER = 0.75  # of k-space


def advise(acquisition: Known, decisions: RunFacts, metadata: Known) -> list[Advice]:
    """Hold an acquisition against the recommendations.

    Parameters
    ----------
    acquisition
        See :func:`bidsqsm.derivatives.sidecars.acquisition`.
    decisions
        What each step decided from the data.
    metadata
        The merged sidecars of the run.

    Returns
    -------
    advice
        Items that apply, in the order of the acquisition. What neither metadata nor data tell is
        ``unknown`` and never ``met``.

    """
    everything = {**metadata, **acquisition}
    rows = [judge(everything, decisions) for judge in _ITEMS]
    rows.insert(1, _field_strength(everything, recorded='ImagingFrequency' in metadata))
    return [row for row in rows if row is not None]


def count(advice: Sequence[Advice]) -> dict[str, int]:
    """Number of items of each verdict."""
    return {
        verdict: sum(row.verdict == verdict for row in advice)
        for verdict in (MET, PARTLY, MISSED, UNKNOWN)
    }


def _sequence(known: Known, _: RunFacts) -> Advice:
    kind = text_of(known.get('MRAcquisitionType'))
    verdict = {'3D': MET, '2D': MISSED}.get(kind.upper(), UNKNOWN)
    return Advice(
        'Excitation',
        verdict,
        kind or NOT_RECORDED,
        '3D',
        'Slices that are excited one by one have gaps, thick profiles and a phase of their own.',
    )


def _field_strength(known: Known, *, recorded: bool) -> Advice:
    strength, frequency = known['MagneticFieldStrength'], known['ImagingFrequency']
    found = f'{strength:.4g} T' + (f', {frequency:.7g} MHz' if recorded else '')
    return Advice(
        'Field strength',
        MET if recorded else PARTLY,
        found,
        'with the centre frequency (ImagingFrequency)',
        'Magnets that are called 3 T have 2.89 to 3 T: without the frequency, susceptibility may be '
        'off by as much.',
    )


def _voxel(known: Known, _: RunFacts) -> Advice:
    size = _measured(known)
    edge = float(np.cbrt(np.prod(size)))
    scale = _scale(known)
    verdict = MET if edge <= VOXEL[0] * scale else PARTLY if edge <= VOXEL[1] * scale else MISSED
    return Advice(
        'Voxel size',
        verdict,
        product_of(size, ' mm'),
        f'{scale:.3g} mm or less',
        'In large voxels the fields of small structures cancel: nuclei and veins lose '
        'susceptibility.',
    )


def _shape(known: Known, _: RunFacts) -> Advice:
    size = _measured(known)
    ratio = float(max(size) / min(size))
    verdict = MET if ratio <= ANISOTROPY[0] else PARTLY if ratio <= ANISOTROPY[1] else MISSED
    return Advice(
        'Shape of the voxels',
        verdict,
        f'{ratio:.2g} : 1',
        'isotropic (1 : 1)',
        'Thick slices lose the fields across them, more of some structures than of others.',
    )


def _coverage(known: Known, _: RunFacts) -> Advice | None:
    matrix, size, b0 = (known.get(key) for key in ('MatrixSize', 'VoxelSize', 'B0Direction'))
    if not (matrix and size and b0) or known.get('Body') == 'none':
        return None
    whole, slab = (length * _scale(known) for length in COVERAGE)
    axis = int(np.argmax(np.abs(b0)))
    length = matrix[axis] * size[axis]
    verdict = MET if length >= whole else PARTLY if length >= slab else MISSED
    return Advice(
        'Coverage',
        verdict,
        f'{length:{".0f" if length >= 100 else ".3g"}} mm along the main field',
        f'the whole brain: {whole:.3g} mm or more',
        'Near the faces of a slab neither background nor susceptibility can be told well, and the '
        'whole brain cannot serve as reference.',
        practice=True,
    )


def _orientation(known: Known, decisions: RunFacts) -> Advice | None:
    angle = known.get('TiltAngle')
    # several orientations need heads that are turned
    if angle is None or decisions['joint'].orientations:
        return None
    found = f'{angle:.1f}° from an axis of the image'
    return Advice(
        'Orientation',
        MET if angle <= STRAIGHT_DEGREES else PARTLY,
        found,
        'straight, not oblique',
        'The tilt is taken into account here; other software may not know of it.',
    )


def _partial_fourier(known: Known, _: RunFacts) -> Advice:
    value, found = known.get('PartialFourier'), text_of(known.get('PartialFourier'))
    verdict = UNKNOWN
    if isinstance(value, int | float) and 0 < value <= 1:
        verdict = MET if value == 1 else PARTLY if value >= PARTIAL_FOURIER else MISSED
    elif not found and _options(known) & {'PFF', 'PFP'}:
        verdict, found = PARTLY, 'yes, by ScanOptions'
    return Advice(
        'Partial Fourier',
        verdict,
        found or NOT_RECORDED,
        'none (1)',
        'What is not measured is guessed from a phase that is taken to be smooth.',
    )


def _flow(known: Known, _: RunFacts) -> Advice:
    value = known.get('FlowCompensation')
    verdict, found = UNKNOWN, text_of(value)
    if isinstance(value, bool):
        verdict, found = (MET, 'yes') if value else (PARTLY, 'no')
    elif not found and 'FC' in _options(known):
        verdict, found = MET, 'yes, by ScanOptions'
    return Advice(
        'Flow compensation',
        verdict,
        found or NOT_RECORDED,
        'yes, of the first echo at least',
        'Blood that moves has a phase that is none of its susceptibility.',
    )


def _filter(_: Known, decisions: RunFacts) -> Advice:
    seen = decisions['phase'].filtered or PhaseFilter()
    verdict = UNKNOWN if seen.found is None else MISSED if seen.found else MET
    if 'cannot be told' in (seen.sentence or ''):
        verdict = UNKNOWN
    words = {MISSED: 'high-pass filtered', MET: 'not filtered, by the data'}
    return Advice(
        'Phase images',
        verdict,
        words.get(verdict, 'not known'),
        'unfiltered',
        'A high-pass filter, as for SWI, takes the field of large structures away for good.',
    )


def _coils(known: Known, _: RunFacts) -> Advice:
    number = known.get('NumberOfReceiveChannels', 1)
    method = text_of(known.get('CoilCombinationMethod'))
    if number > 1:
        verdict, found = MET, f'{number} channels, combined by bidsqsm'
    elif method:
        sum_of_squares = any(word in method.lower() for word in ('sos', 'squares'))
        verdict, found = (PARTLY if sum_of_squares else MET), f'on the scanner: {method}'
    else:
        verdict, found = UNKNOWN, f'on the scanner, {NOT_RECORDED} how'
    return Advice(
        'Coil combination',
        verdict,
        found,
        'with the phase offsets of the channels matched',
        'Channels that are added as they are cancel each other: fringes end inside the head.',
    )


_ITEMS: tuple[Callable[[Known, RunFacts], Advice | None], ...] = (
    _sequence,
    number_of_echoes,
    spacing,
    first_echo,
    last_echo,
    readout,
    _voxel,
    _shape,
    _coverage,
    _orientation,
    _partial_fourier,
    _flow,
    _filter,
    _coils,
)


def _scale(known: Known) -> float:
    """Lengths of the body over those of an adult."""
    scale = known.get('BodyScale', 1.0)
    return float(scale) if isinstance(scale, int | float) else 1.0


def _options(known: Known) -> set[str]:
    """Codes of DICOM's scan options, such as FC for flow compensation."""
    return set(re.findall('[A-Z]+', text_of(known.get('ScanOptions'))))


def _measured(known: Known) -> list[float]:
    """Voxel size in mm as it was acquired where that is told, else as stored."""
    acquired = known.get('AcquisitionVoxelSize')
    if isinstance(acquired, list | tuple) and len(acquired) == 3:
        sizes = [float(size) for size in acquired if isinstance(size, int | float) and size > 0]
        if len(sizes) == 3:
            return sizes
    return [float(size) for size in known['VoxelSize']]
