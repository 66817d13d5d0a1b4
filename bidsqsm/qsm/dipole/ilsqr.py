"""Least squares, less the streaks that can be told from it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.kspace.streaks import flatness, streaks
from bidsqsm.qsm.kspace.weighted_least_squares import fit
from bidsqsm.qsm.window import Window

#: What conditioning the fit divides by at least, so that it does not start in the noise
SMALLEST_DIVISOR = 0.15


def ilsqr(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    steps: Annotated[int, Between(0, 1000)] = 4,
    threshold: Annotated[float, Between(0, 2 / 3)] = 0.1,
    flat: Annotated[float, Between(0, 1)] = 0.5,
    border: Annotated[float, Between(0, 1)] = 0.7,
    gradient_tol: Annotated[float, Between(0, 1)] = 3e-2,
    max_iter: Annotated[int, Between(0, 10000)] = 60,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Least squares with estimation and removal of streaks (iLSQR).

    Some steps of weighted least squares give a first map with streaks,

    .. math:: \min_{\chi_0} \tfrac12 \|W (D\chi_0 - f)\|_2^2.

    A rough map without any, :math:`\operatorname{sgn}(D) f` in k-space (fast QSM), shows where
    there are no borders of tissues, :math:`W_G = 1`. What is uneven there and can come from the cone of
    small D alone, is taken for streaks and subtracted [li2015ilsqr]_:

    .. math:: \chi = \chi_0 - \arg\min_s \|W_G \nabla (\chi_0 - s)\|_2^2,
       \quad s(k) = 0 \text{ where } |D| \ge \delta

    W is zero outside the mask: there the field is unknown, not zero.

    Simplified: the paper has LSQR without conditioning and lowers W where the Laplacian of the phase
    is large; it brings the rough map to the contrast of the first one before it looks for borders. Both
    parts stop early by design, the fit after ``steps`` steps, the search for streaks at ``gradient_tol`` or
    after ``max_iter`` steps: later ones fit noise and take detail for streaks.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise, zero where the field is unknown; scaled to a
        mean of one where it is not zero, so that its unit does not matter. All ones if not given.
    steps
        Steps of the least squares; more fit the noise.
    threshold
        Magnitude :math:`\delta` of the dipole kernel up to which k-space is ill-conditioned
        (dimensionless): there it may hold streaks.
    flat
        Share of the voxels, those with the smallest differences in the rough map, that count fully
        as flat.
    border
        Share of the voxels, sorted likewise, from which on they count as borders; more than
        ``flat``.
    gradient_tol
        Share of its first size to which the gradient of the cost must fall, here the cost of the
        streaks. Small values take detail for streaks.
    max_iter
        Iterations after which to stop regardless, for the streaks.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [li2015ilsqr] Li et al., NeuroImage 108:111-122 (2015).
       doi:10.1016/j.neuroimage.2014.12.043

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = ilsqr(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    if flat >= border:
        raise ValueError(
            f'flat is {flat:g} and border {border:g}: choose a border that is more than flat'
        )
    window = Window.around(mask, grid, padding)
    local, dipole = window.cut(field), dipole_kernel(window.grid)
    trust = window.data_weight(weight_map)
    # chi_0: few steps of least squares, which fill the cone of small D with streaks
    spectrum = fit(local, trust, dipole, SMALLEST_DIVISOR, steps, 'ilsqr, fit')
    chi: Volume = fft.irfftn(spectrum, s=window.grid.shape, overwrite_x=True)
    # sgn(D) f divides by nothing and so has no streaks: its borders are those of tissues (W_G)
    rough = convolve(np.where(trust > 0, local, np.float32(0)), np.sign(dipole))
    # s: what makes flat places uneven with a spectrum in the cone |D| < delta alone
    chi -= streaks(
        chi,
        np.abs(dipole) < threshold,
        flatness(rough, window.cut_mask(), window.grid, (flat, border)),
        window.grid,
        tol=gradient_tol,
        max_iter=max_iter,
        name='ilsqr',
    )
    return window.restore(chi)
