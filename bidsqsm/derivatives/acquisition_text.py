"""The acquisition in words: a sentence for the methods text, rows for the report's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

_TIMES_SIGN = ' \u00d7 '

#: What the consensus asks for, as a label and the metadata that tell it.
_CONSENSUS_ITEMS = {
    'vendor': ('Manufacturer',),
    'scanner model': ('ManufacturersModelName',),
    'scanner software': ('SoftwareVersions',),
    'receive coil': ('ReceiveCoilName',),
    'sequence type': ('PulseSequenceType', 'ScanningSequence', 'SequenceName'),
    'repetition time': ('RepetitionTime',),
    'flip angle': ('FlipAngle',),
    'acquired voxel size': ('AcquisitionVoxelSize',),
    'receiver bandwidth': ('PixelBandwidth',),
    'readout polarity': ('ReadoutPolarity',),
    'flow compensation': ('FlowCompensation',),
    'acceleration': ('ParallelReductionFactorInPlane', 'ParallelAcquisitionTechnique'),
    'partial Fourier': ('PartialFourier',),
}

#: Items that a text says elsewhere: at its start, or once for all runs.
_ITEMS_TOLD_ELSEWHERE = (
    'field strength',
    'vendor',
    'scanner model',
    'centre frequency',
    'orientation',
)


def describe_acquisition(provenance: Mapping[str, Any]) -> str:
    """Say in a few sentences how a run was measured, and what its metadata do not record."""
    found = provenance['Acquisition']
    known = dict(rows(found))
    scanner = [known[label] for label in ('vendor', 'scanner model') if label in known]
    extra = {'scanner software': 'software', 'receive coil': 'receive coil'}
    scanner += [f'{word} {known[label]}' for label, word in extra.items() if label in known]
    where = f' ({", ".join(scanner)})' if scanner else ''
    number = len(_listed(found.get('EchoTime')))
    echoes = 'Multi-echo' if number > 1 else 'Single-echo'
    text = f'{echoes} gradient-echo data were acquired at {known["field strength"]}{where}'
    details = [
        f'{label} {value}'
        for label, value in known.items()
        if label not in (*_ITEMS_TOLD_ELSEWHERE, *extra)
    ]
    text += f': {"; ".join(details)}.'
    missing = missing_items(found)
    if missing:
        text += f' Not recorded in the metadata: {", ".join(missing)}.'
    return text


def rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and value of everything known of an acquisition, in the order of the consensus."""
    cells = [
        ('field strength', _number(found.get('MagneticFieldStrength'), 'T')),
        ('centre frequency', _number(found.get('ImagingFrequency'), 'MHz', 7)),
        ('vendor', text_of(found.get('Manufacturer'))),
        ('scanner model', text_of(found.get('ManufacturersModelName'))),
        ('scanner software', text_of(found.get('SoftwareVersions'))),
        ('receive coil', text_of(found.get('ReceiveCoilName'))),
        ('sequence type', _first(found, _CONSENSUS_ITEMS['sequence type'])),
        ('echo times', echo_times(_listed(found.get('EchoTime')))),
        ('repetition time', _number(found.get('RepetitionTime'), 'ms', scale=1000)),
        ('flip angle', _number(found.get('FlipAngle'), '°')),
        ('field of view', _field_of_view(found)),
        ('matrix', product_of(found.get('MatrixSize'))),
        ('voxel size', product_of(found.get('VoxelSize'), ' mm')),
        ('acquired voxel size', product_of(found.get('AcquisitionVoxelSize'), ' mm')),
        ('receiver bandwidth', _number(found.get('PixelBandwidth'), 'Hz/pixel')),
        ('readout polarity', text_of(found.get('ReadoutPolarity'))),
        ('flow compensation', _yes_no(found.get('FlowCompensation'))),
        ('acceleration', _acceleration(found)),
        ('partial Fourier', text_of(found.get('PartialFourier'))),
        ('orientation', _orientation(found)),
        ('receive channels', _channels(found.get('NumberOfReceiveChannels'))),
        ('body', _body(found)),
    ]
    return [(label, value) for label, value in cells if value]


def missing_items(found: Mapping[str, Any]) -> list[str]:
    """What the consensus asks for and the metadata do not tell."""
    return [
        label for label, keys in _CONSENSUS_ITEMS.items() if not any(key in found for key in keys)
    ]


def echo_times(times: Sequence[float]) -> str:
    """Write echo times (s) as TE1:dTE:TEmax in ms where they are equally spaced, else one by one.

    Examples
    --------
    >>> echo_times([0.004, 0.010, 0.016])
    'TE1:ΔTE:TEmax 4:6:16 ms (3 echoes)'
    >>> echo_times([0.02])
    '20 ms (1 echo)'

    """
    if not times:
        return ''
    ms = [1000 * time for time in times]
    steps = [b - a for a, b in pairwise(ms)]
    if len(ms) > 2 and max(steps) - min(steps) <= 0.02 * max(steps):
        mean = sum(steps) / len(steps)
        return f'TE1:ΔTE:TEmax {ms[0]:.4g}:{mean:.4g}:{ms[-1]:.4g} ms ({len(ms)} echoes)'
    listed = ', '.join(f'{time:.4g}' for time in ms)
    return f'{listed} ms ({len(ms)} echo{"es" if len(ms) > 1 else ""})'


def _body(found: Mapping[str, Any]) -> str:
    scale = found.get('BodyScale')
    if not isinstance(scale, int | float):
        return ''
    what = {'none': 'no head'}.get(text_of(found.get('Body')), text_of(found.get('Body')))
    return f"{what}, lengths of the methods {scale:.3g} times those for an adult's head"


def _listed(value: Any) -> list[float]:
    if value is None:
        return []
    return [float(v) for v in (value if isinstance(value, list | tuple) else [value])]


def _number(value: Any, unit: str, digits: int = 4, *, scale: float = 1) -> str:
    # a value that varies over echoes or runs comes as a list
    if value is None or isinstance(value, str):
        return text_of(value)
    text = ', '.join(f'{scale * number:.{digits}g}' for number in dict.fromkeys(_listed(value)))
    return f'{text}{"" if unit == "°" else " "}{unit}'


def text_of(value: Any) -> str:
    """A value of the metadata as text; one that varies over echoes or runs comes as a list."""
    if isinstance(value, list | tuple):
        return ', '.join(dict.fromkeys(f'{v}' for v in value))
    return '' if value is None else f'{value}'.strip()


def _yes_no(value: Any) -> str:
    return {True: 'yes', False: 'no'}[value] if isinstance(value, bool) else text_of(value)


def _first(found: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((text_of(found[key]) for key in keys if key in found), '')


def product_of(values: Any, unit: str = '') -> str:
    """Sizes along the axes, with a cross between them."""
    return _TIMES_SIGN.join(f'{value:.4g}' for value in _listed(values)) + unit if values else ''


def _field_of_view(found: Mapping[str, Any]) -> str:
    size, matrix = _listed(found.get('VoxelSize')), _listed(found.get('MatrixSize'))
    return product_of([n * d for n, d in zip(matrix, size, strict=True)], ' mm') if matrix else ''


def _acceleration(found: Mapping[str, Any]) -> str:
    keys = ('ParallelReductionFactorInPlane', 'ParallelReductionFactorOutOfPlane')
    factors = _TIMES_SIGN.join(f'{found[key]}' for key in keys if key in found)
    technique = text_of(found.get('ParallelAcquisitionTechnique'))
    return ' '.join(filter(None, [technique, factors and f'factor {factors}']))


def _orientation(found: Mapping[str, Any]) -> str:
    direction, angle = _listed(found.get('B0Direction')), found.get('TiltAngle')
    if not direction or angle is None:
        return ''
    if angle < 0.5:
        return 'straight: B0 along an image axis'
    components = ', '.join(f'{b:.3f}' for b in direction)
    return f'oblique: B0 at {angle:.1f}° from the nearest image axis, ({components}) in voxel axes'


def _channels(number: Any) -> str:
    if not number:
        return ''
    return 'combined' if number == 1 else f'{number}, uncombined'
