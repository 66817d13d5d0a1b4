"""What the field and the signal of people hold beside the field of one susceptibility: the switches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


def _size(unit: str, size: float, about: str, source: str, *, people: bool = True) -> Any:
    metadata = {'unit': unit, 'size': size, 'about': about, 'source': source, 'people': people}
    return dataclasses.field(default=0.0, metadata=metadata)


@dataclass(frozen=True)
class ModelErrors:
    """Sizes of all that a dipole inversion does not model; a head without any has zeros.

    Each field's metadata is its row of the documentation: unit, size that people have, what it is,
    where the size is from, and whether :data:`PEOPLE` holds it.

    Examples
    --------
    >>> errors = ModelErrors(anisotropy=0.016)
    >>> errors.any, ModelErrors().any
    (True, False)

    """

    anisotropy: float = _size(
        'ppm',
        0.016,
        'susceptibility of white matter along its fibres less that across, as a tensor',
        'Liu 2010, doi:10.1002/mrm.22482; 0.014 to 0.019 by torque: van Gelderen 2015, '
        'doi:10.1002/mrm.25524',
    )
    lorentz: float = _size(
        'ppm',
        0.015,
        'susceptibility of the long structures of white matter, whose water sees a cylinder of '
        'Lorentz and not a sphere: a shift by sin^2 of the angle of fibre and field',
        'He & Yablonskiy 2009, doi:10.1073/pnas.0904899106',
    )
    myelin: float = _size(
        'ppm',
        0.1,
        'susceptibility of the myelin sheath: the frequency of white matter moves with the echo '
        'time, as the water in the sheath decays before that in the axon and around it',
        'Wharton & Bowtell 2012, doi:10.1073/pnas.1211075109',
    )
    exchange: float = _size(
        'ppm',
        0.002,
        'shift of water that exchanges with macromolecules, half as large in gray matter',
        'Zhong 2008, doi:10.1016/j.neuroimage.2008.01.061; Shmueli 2011, doi:10.1002/mrm.22604',
    )
    unexplained: float = _size(
        'share',
        0.17,
        "random field with a spectrum like that of the tissue's susceptibility, as a share of it: "
        'what the rest leaves of the power that real local fields have on the magic-angle cone',
        'measured on the magic-angle cone of local fields of people at 3 T; no mechanism is claimed',
    )
    flow: float = _size(
        'rad',
        1.0,
        'phase of the fastest arterial blood along the readout in the last echo; it grows with the '
        'echo time, and in veins it is a fifth',
        'Xu 2014, doi:10.1002/mrm.24937',
    )
    breathing: float = _size(
        'Hz',
        0.6,
        'amplitude of the field as the chest moves, at 3 T: ghosts that grow with the echo time',
        'Van de Moortele 2002, doi:10.1002/mrm.10145',
    )
    drift: float = _size(
        'Hz',
        4.0,
        'change of the field from the first to the last line of the scan',
        'Foerster 2005, doi:10.1002/mrm.20695',
    )
    motion: float = _size(
        'mm',
        0.15,
        'amplitude of the head as it nods with the breath during the scan: ghosts in all echoes',
        'Zaitsev 2015, doi:10.1002/jmri.24850',
    )
    echo_motion: float = _size(
        'mm',
        0.5,
        'way of the head from the first echo to the last, where echoes are scans of their own',
        'Zaitsev 2015, doi:10.1002/jmri.24850',
        people=False,
    )
    partial_fourier: float = _size(
        'share',
        0.125,
        'of the first phase-encoded lines that are left out and taken as zero',
        'McGibney 1993, doi:10.1002/mrm.1910300109',
    )
    kspace_filter: float = _size(
        'share',
        0.2,
        "of each axis of k-space over which the scanner's filter falls to zero, as a cosine",
        'Bernstein 2001, doi:10.1002/jmri.1183',
    )
    gibbs: float = _size(
        'switch',
        1.0,
        'voxels are what the cut of k-space leaves, with its ringing, and not means',
        'Gallagher 2008, doi:10.2214/AJR.07.2874',
    )
    fat_shift: float = _size(
        'mm',
        1.5,
        'displacement of fat along the readout',
        'Hood 1999, doi:10.1148/radiographics.19.2.g99mr07357',
    )
    marrow: float = _size(
        'share',
        0.4,
        "of fat in the skull's marrow, 4 to 8 mm outside the brain",
        'Hood 1999, doi:10.1148/radiographics.19.2.g99mr07357',
    )
    fringe: float = _size(
        'mm',
        30.0,
        'distance of two points where combined coils cancel, between which the phase has an open '
        'fringe',
        'Robinson 2017, doi:10.1002/nbm.3601',
        people=False,
    )
    slice_offsets: float = _size(
        'rad',
        0.5,
        'standard deviation of a phase that each slice has of its own, the same in all echoes: '
        '2-D scans and EPI',
        'Wei 2017, doi:10.1002/nbm.3501',
        people=False,
    )

    def __post_init__(self) -> None:
        for name, size in dataclasses.asdict(self).items():
            if not 0 <= size < float('inf'):
                raise ValueError(f'{name} must be 0 or more, got {size}')
            most = 0.45 if name == 'partial_fourier' else 1.0
            if MODEL_ERRORS[name].metadata['unit'] == 'share' and size > most:
                raise ValueError(f'{name} is a share of at most {most}, got {size}')

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return self != ModelErrors()


MODEL_ERRORS = {field.name: field for field in dataclasses.fields(ModelErrors)}
#: What every scan of a person holds
PEOPLE = ModelErrors(
    **{
        name: field.metadata['size']
        for name, field in MODEL_ERRORS.items()
        if field.metadata['people']
    }
)
#: Mixtures by their name on the command line
REALISM = {'plain': ModelErrors(), 'people': PEOPLE}


def unit_of(name: str) -> str:
    """Unit of the size of a model error."""
    unit: str = MODEL_ERRORS[name].metadata['unit']
    return unit


def model_errors(realism: str, changes: Iterable[str] = ()) -> ModelErrors:
    """Read a mixture and changes to it.

    Parameters
    ----------
    realism
        A key of :data:`REALISM`.
    changes
        Such as ``anisotropy`` (the size that people have) or ``drift:2``; 0 switches off.

    Examples
    --------
    >>> model_errors('plain', ['drift:2', 'gibbs']).drift
    2.0

    """
    if realism not in REALISM:
        raise ValueError(f'no realism {realism!r}; there are: {", ".join(REALISM)}')
    sizes = {}
    for change in changes:
        name, _, size = change.partition(':')
        if name not in MODEL_ERRORS:
            raise ValueError(f'no model error {name!r}; there are: {", ".join(MODEL_ERRORS)}')
        try:
            sizes[name] = float(size) if size else MODEL_ERRORS[name].metadata['size']
        except ValueError:
            raise ValueError(f'{change!r}: the size must be a number ({unit_of(name)})') from None
    return dataclasses.replace(REALISM[realism], **sizes)
