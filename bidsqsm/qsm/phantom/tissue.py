"""What each tissue is worth: susceptibility, relaxation and density, and how age and disease move them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bidsqsm.qsm.concentration.brain_iron import IRON_STRUCTURES, chi_of_iron
from bidsqsm.qsm.grid import Volume

NUCLEI = (
    'caudate',
    'putamen',
    'pallidum',
    'thalamus',
    'substantia_nigra',
    'red_nucleus',
    'subthalamic_nucleus',
    'dentate_nucleus',
)
DIAGNOSES = ('control', 'parkinson')

#: Linear change with age where no exponential law is published, ppm per year
_DRIFT = {
    'thalamus': -0.0002,
    'substantia_nigra': 0.0005,
    'red_nucleus': 0.0006,
    'subthalamic_nucleus': 0.0003,
    'dentate_nucleus': 0.0007,
}
#: What the diagnosis adds to a nucleus, ppm
_DISEASE = {
    'parkinson': {'substantia_nigra': 0.035, 'red_nucleus': 0.012, 'pallidum': 0.006},
    'control': {},
}
_REFERENCE_AGE = 50.0
_FIBRES = -0.014  # ppm, in every nucleus
AIR_CHI = 9.2  # relative to tissue
BONE_CHI = -2.1


@dataclass(frozen=True)
class Tissue:
    """Susceptibility (ppm, water = 0), R2* = r2 + B0 / 3 T * dephasing (1/s), T1 (s), proton density.

    ``diamagnetic`` is the part of the susceptibility that is not positive (ppm), the rest is
    paramagnetic.
    """

    chi: float
    r2: float
    dephasing: float
    t1: float
    density: float
    diamagnetic: float = 0.0

    def r2star(self, field_strength: float) -> float:
        """R2* at a field strength, in 1/s; the part due to susceptibility grows with the field."""
        return self.r2 + self.dephasing * field_strength / 3

    def without_iron(self) -> Tissue:
        """The tissue with its diamagnetic sources alone, and with R2 for R2*."""
        return replace(self, chi=self.diamagnetic, dephasing=0.0)


#: Order of the tissues in the tables that the sampling kernel reads
TISSUES: dict[str, Tissue] = {
    'air': Tissue(AIR_CHI, 1.0, 0.0, 1.0, 0.0),
    'white_matter': Tissue(-0.030, 13.0, 8.0, 0.85, 0.70, -0.042),
    'gray_matter': Tissue(0.020, 11.0, 6.0, 1.35, 0.82, -0.012),
    'csf': Tissue(0.0, 1.0, 1.0, 4.2, 1.0),
    'bone': Tissue(BONE_CHI, 200.0, 50.0, 0.4, 0.08, BONE_CHI),
    'fat': Tissue(0.2, 20.0, 8.0, 0.37, 0.9),
    'muscle': Tissue(0.0, 28.0, 5.0, 1.4, 0.75),
    'vein': Tissue(0.190, 15.0, 32.0, 1.7, 0.85),
    'calcification': Tissue(-0.9, 30.0, 70.0, 1.0, 0.45, -0.9),
    'microbleed': Tissue(0.9, 25.0, 110.0, 1.2, 0.7),
}

_CHI_AT_50 = {
    'caudate': 0.044,
    'putamen': 0.052,
    'pallidum': 0.125,
    'thalamus': 0.016,
    'substantia_nigra': 0.110,
    'red_nucleus': 0.100,
    'subthalamic_nucleus': 0.095,
    'dentate_nucleus': 0.115,
}


def nucleus_chi(name: str, age: float, diagnosis: str = 'control') -> float:
    """Mean susceptibility of a nucleus, in ppm relative to water.

    Caudate, putamen and pallidum follow the iron of Hallgren & Sourander
    (doi:10.1111/j.1471-4159.1958.tb12607.x) through 0.89 ppb per microgram of iron per gram
    (doi:10.1016/j.neuroimage.2012.05.049); the others change linearly.

    Examples
    --------
    >>> round(nucleus_chi('pallidum', 50), 3)
    0.125
    >>> nucleus_chi('putamen', 70) > nucleus_chi('putamen', 30)
    True

    """
    if diagnosis not in DIAGNOSES:
        raise ValueError(f'no diagnosis {diagnosis!r}; there are: {", ".join(DIAGNOSES)}')
    if name in IRON_STRUCTURES:
        aged = chi_of_iron(name, age) - chi_of_iron(name, _REFERENCE_AGE)
    else:
        aged = _DRIFT[name] * (age - _REFERENCE_AGE)
    return _CHI_AT_50[name] + aged + _DISEASE[diagnosis].get(name, 0.0)


def nucleus(chi: float) -> Tissue:
    """Tissue of a nucleus whose iron gives it this susceptibility: 140 1/s per ppm at 3 T.

    The fibres in it are a third as diamagnetic as white matter.
    """
    relaxation = 13.0, 3.0 + 140.0 * (chi + 0.01), 1.30 - 1.5 * max(chi, 0)
    return Tissue(chi, *relaxation, 0.78, _FIBRES)


def spoiled_signal(tissue: Tissue, flip_angle: float, repetition_time: float) -> float:
    """Steady state of a spoiled gradient echo at TE = 0; flip angle in degrees, times in s."""
    e1 = math.exp(-repetition_time / tissue.t1)
    flip = math.radians(flip_angle)
    return tissue.density * math.sin(flip) * (1 - e1) / (1 - e1 * math.cos(flip))


def inversion_signal(tissue: Tissue, inversion_time: float = 0.9, cycle: float = 2.3) -> float:
    """T1-weighted signal of an inversion-prepared gradient echo, in units of proton density."""
    recovered = 1 - 2 * math.exp(-inversion_time / tissue.t1) + math.exp(-cycle / tissue.t1)
    return tissue.density * abs(recovered)


def table(
    field_strength: float, signal: dict[str, float], tissues: Mapping[str, Tissue] = TISSUES
) -> Volume:
    """Rows of (chi ppm, R2* 1/s, signal) in the order of :data:`TISSUES`, float32."""
    rows = [(t.chi, t.r2star(field_strength), signal[n]) for n, t in tissues.items()]
    return np.array(rows, np.float32)
