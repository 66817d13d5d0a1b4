"""Separation of sources with the field in the data term."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import iterate
from bidsqsm.qsm.separation.descent import SourceDescent
from bidsqsm.qsm.separation.sources import Rates, Sources, rates_of, split
from bidsqsm.qsm.window import Window


def iterative(
    chi: Volume,
    r2prime: Volume | None,
    mask: Mask,
    grid: Grid,
    field_strength: float,
    *,
    local_field: Volume,
    weight_map: Volume | None = None,
    r2star: Volume | None = None,
    paramagnetic: Annotated[float, Between(1, 2000)] = 137.0,
    diamagnetic: Annotated[float, Between(1, 2000)] = 137.0,
    ratio: Annotated[float, Between(1, 20)] = 1.91,
    r2prime_weight: Annotated[float, Between(0, 100)] = 0.03,
    anchor: Annotated[float, Between(1e-4, 100)] = 0.2,
    smoothing: Annotated[float, From(0, 1)] = 5e-4,
    edge: Annotated[float, Between(1e-5, 10)] = 1e-2,
    tol: Annotated[float, Between(0, 1)] = 2e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 100,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Sources:
    r"""Separation of sources with the field in the data term.

    .. math:: \min_{\chi^\pm} \tfrac12 \|W (D (\chi^+ - |\chi^-|) - f)\|_2^2
       + \tfrac{\alpha}{2 \bar D_r^2} \|D_r^+ \chi^+ + D_r^- |\chi^-| - R_2'\|_2^2
       + \tfrac{\beta}{2} \|\chi^+ - |\chi^-| - \chi\|_2^2
       + \lambda \sum h(\nabla\chi^\pm)

    with neither part below zero [shin2021]_. The susceptibility map holds what the field does not
    tell: the directions in which D is small, and the zero. The length h of the gradients keeps noise
    down and edges sharp. Where R2' is too small for a
    susceptibility, the misfit is shared out between R2', the map and the field of the
    neighbourhood. Solved from the closed form on by accelerated projected gradients [beck2009]_.

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
    local_field : (nx, ny, nz) float32 array
        Local field f, in ppm.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise, zero where the field is unknown; its unit does
        not matter. All ones if not given.
    r2star : (nx, ny, nz) float32 array, optional
        R2* in 1/s, where there is no R2'.
    paramagnetic, diamagnetic
        Relaxivity :math:`D_r^+` of paramagnetic and :math:`D_r^-` of diamagnetic sources in 1/s per
        ppm at 3 T; both grow with B0.
    ratio
        R2* over R2', used where R2' was not measured.
    r2prime_weight
        Weight :math:`\alpha` of R2', in ppm, against the field.
    anchor
        Weight :math:`\beta` of the susceptibility map against the field.
    smoothing
        Weight :math:`\lambda` of the total variation of both parts, in ppm mm.
    edge
        Gradient in ppm/mm above which a change counts as an edge; below it, the variation is
        quadratic.
    tol
        Distance of the map to its limit, here of both parts together, as a share of them, at which to
        stop; the change at a step stands for it.
    max_iter
        Iterations after which to stop regardless.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    sources : Sources
        Both parts in ppm, with their signs.

    References
    ----------
    .. [shin2021] Shin et al., NeuroImage 240:118371 (2021).
       doi:10.1016/j.neuroimage.2021.118371
    .. [dimov2022] Dimov et al., J Neuroimaging 32:852-859 (2022). doi:10.1111/jon.13014
    .. [beck2009] Beck and Teboulle, SIAM J Imaging Sci 2:183-202 (2009). doi:10.1137/080716542

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> r2prime = 137 * 0.3 * sphere.inside  # 0.2 ppm of iron and -0.1 ppm of myelin
    >>> data = {'field_strength': 3.0, 'local_field': sphere.local_field}
    >>> iron, myelin = iterative(sphere.chi, r2prime, sphere.mask, sphere.grid, **data)
    >>> round(float(iron[12, 12, 12]), 2), round(float(myelin[12, 12, 12]), 2)
    (0.2, -0.1)

    """
    relaxivities = (paramagnetic, diamagnetic)
    rates = rates_of(r2prime, r2star, mask, field_strength, relaxivities, ratio)
    start = split(chi, rates, mask)
    window = Window.around(mask, grid, padding)
    inner = Rates(window.cut(rates.load), rates.paramagnetic, rates.diamagnetic)
    descent = SourceDescent(
        window.cut(chi),
        window.cut(local_field),
        window.data_weight(weight_map),
        inner,
        window.cut_mask(),
        window.grid,
        (r2prime_weight, anchor),
        smoothing,
        edge,
        (window.cut(start.paramagnetic), -window.cut(start.diamagnetic)),
    )
    iterate(descent.step, name='iterative', tol=tol, max_iter=max_iter)
    positive, negative = (window.restore(part) for part in descent.parts)
    return Sources(positive, np.negative(negative, out=negative))
