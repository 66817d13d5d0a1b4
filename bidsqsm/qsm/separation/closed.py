"""Separation of sources voxel by voxel."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.separation.sources import Sources, rates_of, split


def closed(
    chi: Volume,
    r2prime: Volume | None,
    mask: Mask,
    grid: Grid,
    field_strength: float,
    *,
    r2star: Volume | None = None,
    paramagnetic: Annotated[float, Between(1, 2000)] = 137.0,
    diamagnetic: Annotated[float, Between(1, 2000)] = 137.0,
    ratio: Annotated[float, Between(1, 20)] = 1.91,
) -> Sources:
    r"""Separation of sources in closed form.

    Sources of both signs add up in the rate, and cancel in the susceptibility [shin2021]_:

    .. math:: R_2' = D_r^+ \chi^+ + D_r^- |\chi^-|, \quad \chi = \chi^+ - |\chi^-|

    are two equations for two unknowns in every voxel. Neither part may be negative: where R2' is
    too small for the susceptibility, the voxel holds one kind of source. The sum of both parts is
    the susceptibility map.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, zero where there are no sources.
    r2prime : (nx, ny, nz) float32 array, optional
        R2' in 1/s; None to take R2* over ``ratio`` for it [dimov2022]_.
    mask : (nx, ny, nz) bool array
        Voxels that have a susceptibility.
    grid
        Voxel size and field direction.
    field_strength
        B0 in T.
    r2star : (nx, ny, nz) float32 array, optional
        R2* in 1/s, where there is no R2'.
    paramagnetic, diamagnetic
        Relaxivity :math:`D_r^+` of paramagnetic and :math:`D_r^-` of diamagnetic sources in 1/s per
        ppm at 3 T; both grow with B0.
    ratio
        R2* over R2', used where R2' was not measured.

    Returns
    -------
    sources : Sources
        Both parts in ppm, with their signs.

    References
    ----------
    .. [shin2021] Shin et al., NeuroImage 240:118371 (2021).
       doi:10.1016/j.neuroimage.2021.118371
    .. [dimov2022] Dimov et al., J Neuroimaging 32:852-859 (2022). doi:10.1111/jon.13014

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> r2prime = 137 * 0.3 * sphere.inside  # 0.2 ppm of iron and -0.1 ppm of myelin
    >>> iron, myelin = closed(sphere.chi, r2prime, sphere.mask, sphere.grid, field_strength=3.0)
    >>> round(float(iron[12, 12, 12]), 2), round(float(myelin[12, 12, 12]), 2)
    (0.2, -0.1)

    """
    relaxivities = (paramagnetic, diamagnetic)
    return split(chi, rates_of(r2prime, r2star, mask, field_strength, relaxivities, ratio), mask)
