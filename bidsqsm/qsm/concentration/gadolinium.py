"""Contrast agent from its susceptibility."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.concentration.relation import concentration_of
from bidsqsm.qsm.grid import Mask, Volume

#: Law of Curie for seven unpaired electrons (spin 7/2, g = 2) at 37 degrees C, in ppm per mmol/L
PPM_PER_GADOLINIUM = 0.319


def gadolinium(
    chi: Volume,
    mask: Mask,
    *,
    coefficient: Annotated[float, Between(0, 10)] = PPM_PER_GADOLINIUM,
    baseline: Annotated[float, Between(-10, 10)] = 0.0,
) -> Volume:
    r"""Gadolinium in mmol/L, linear in susceptibility.

    .. math:: [Gd] = (\chi - \chi_0) / c, \qquad
       c = \frac{\mu_0 N_A g^2 \mu_B^2 S (S + 1)}{3 k T}, \quad S = 7/2

    The agent changes the field in proportion to its concentration, while signal and relaxation
    saturate [derochefort2008]_. The law of Curie gives 0.319 ppm per mmol/L at body temperature and
    0.333 at 24 degrees C; a phantom on 15 scanners gave 0.350 [deh2019]_. What tissue and blood have
    without the agent must be known as the baseline, such as from a scan before the injection.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, with the agent in place.
    mask : (nx, ny, nz) bool array
        Where it is known; the result is zero elsewhere.
    coefficient
        Susceptibility c per concentration, in ppm per mmol/L of the agent.
    baseline
        Susceptibility :math:`\chi_0` at no concentration, in ppm, relative to the same reference
        as the map: that without the agent.

    Returns
    -------
    gadolinium : (nx, ny, nz) float32 array
        In mmol/L; negative below the baseline.

    References
    ----------
    .. [derochefort2008] de Rochefort et al., Med Phys 35:5328-5339 (2008).
       doi:10.1118/1.3002309
    .. [deh2019] Deh et al., Magn Reson Med 81:1229-1236 (2019). doi:10.1002/mrm.27410

    Examples
    --------
    >>> import numpy as np
    >>> chi, mask = np.full((2, 2, 2), 0.638, 'f4'), np.ones((2, 2, 2), bool)
    >>> round(float(gadolinium(chi, mask).mean()), 2)  # mmol/L
    2.0

    """
    return concentration_of(chi, mask, coefficient, baseline)
