"""Susceptibility of the iron that deep gray matter gathers over life."""

from __future__ import annotations

import math

#: Iron of Hallgren & Sourander (1958) in mg per 100 g wet weight: plateau, rate per year, start
_IRON = {
    'pallidum': (21.41, 0.09, 0.37),
    'putamen': (14.62, 0.04, 0.46),
    'caudate': (9.66, 0.05, 0.33),
}
#: Susceptibility of iron in gray matter, in ppm per mg/kg of wet tissue
PPM_PER_IRON = 0.00089

#: Structures whose iron has a published law
IRON_STRUCTURES = tuple(_IRON)


def chi_of_iron(structure: str, age: float) -> float:
    r"""Susceptibility of the non-haem iron of a structure.

    .. math:: \chi = 0.89\,\text{ppb} \cdot [Fe], \quad [Fe] = a (1 - e^{-b t}) + c

    with the iron in micrograms per gram of wet tissue [hallgren1958]_ and its susceptibility
    measured post mortem [langkammer2012]_.

    Parameters
    ----------
    structure
        One of :data:`IRON_STRUCTURES`.
    age
        In years.

    Returns
    -------
    chi
        In ppm; what else the tissue holds is not in it.

    References
    ----------
    .. [hallgren1958] Hallgren and Sourander, J Neurochem 3:41-51 (1958).
       doi:10.1111/j.1471-4159.1958.tb12607.x
    .. [langkammer2012] Langkammer et al., NeuroImage 62:1593-1599 (2012).
       doi:10.1016/j.neuroimage.2012.05.049

    Examples
    --------
    >>> round(chi_of_iron('pallidum', 50), 3)
    0.192

    """
    plateau, rate, start = _IRON[structure]
    in_mg_per_kg = 10.0  # of mg per 100 g
    return in_mg_per_kg * PPM_PER_IRON * (plateau * (1 - math.exp(-rate * age)) + start)
