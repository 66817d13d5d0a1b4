"""Susceptibility of blood and what it says of oxygen."""

from __future__ import annotations


def saturation(
    excess: float, hematocrit: float, deoxygenation: float, oxygenated: float = 0.0
) -> float:
    r"""Oxygen saturation of blood, from its susceptibility.

    .. math:: S_v O_2 = 1 - \frac{\Delta\chi - \chi_{oxy}}{\chi_{do} Hct}

    Parameters
    ----------
    excess
        Susceptibility :math:`\Delta\chi` of the blood less that of the tissue around it, in ppm (SI).
    hematocrit
        Share :math:`Hct` of red cells in the blood.
    deoxygenation
        Difference :math:`\chi_{do}` between wholly deoxygenated and wholly oxygenated red cells, in
        ppm (SI).
    oxygenated
        The same excess :math:`\chi_{oxy}` of blood that is wholly oxygenated, in ppm (SI).

    Returns
    -------
    saturation
        From 0 (no oxygen) to 1; beyond these where the susceptibility is not that of blood.

    Examples
    --------
    >>> round(saturation(0.4746, hematocrit=0.4, deoxygenation=3.39), 3)
    0.65

    """
    return 1 - (excess - oxygenated) / (deoxygenation * hematocrit)


def extraction(venous: float, arterial: float) -> float:
    """Share of the arterial oxygen that the tissue took: 1 - SvO2 / SaO2.

    Examples
    --------
    >>> round(extraction(0.65, arterial=0.98), 3)
    0.337

    """
    return 1 - venous / arterial
