"""Iron of brain tissue from its susceptibility."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.concentration.brain_iron import PPM_PER_IRON
from bidsqsm.qsm.concentration.relation import concentration_of
from bidsqsm.qsm.grid import Mask, Volume


def iron(
    chi: Volume,
    mask: Mask,
    *,
    coefficient: Annotated[float, Between(0, 1)] = PPM_PER_IRON,
    baseline: Annotated[float, Between(-1, 1)] = 0.0,
) -> Volume:
    r"""Iron in mg per kg of wet tissue, linear in susceptibility.

    .. math:: [Fe] = (\chi - \chi_0) / c

    The slope c was measured in the gray matter of brains post mortem against mass spectrometry
    [langkammer2012]_. It holds where iron is what changes susceptibility: in deep gray matter, not
    in white matter, whose myelin is diamagnetic, nor in veins, bleeds or calcifications. The map is
    relative to a reference, hence so is the iron: with a baseline of zero, it is what a voxel has
    beyond tissue at the reference.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Where it is known; the result is zero elsewhere.
    coefficient
        Susceptibility c per concentration, in ppm per mg/kg of wet tissue.
    baseline
        Susceptibility :math:`\chi_0` at no concentration, in ppm, relative to the same reference
        as the map: that of tissue without iron.

    Returns
    -------
    iron : (nx, ny, nz) float32 array
        In mg/kg wet weight; negative below the baseline.

    References
    ----------
    .. [langkammer2012] Langkammer et al., NeuroImage 62:1593-1599 (2012).
       doi:10.1016/j.neuroimage.2012.05.049

    Examples
    --------
    >>> import numpy as np
    >>> chi = np.float32([[[0.0, 0.089, -0.0089]]])
    >>> iron(chi, np.ones(chi.shape, bool)).round(3).ravel().tolist()
    [0.0, 100.0, -10.0]

    """
    return concentration_of(chi, mask, coefficient, baseline)
