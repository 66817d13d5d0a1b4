"""Inversion of a perturbation field model with a prior for tissue and air."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.harmonic_field import anharmonic_field
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.krylov import conjugate_gradients
from bidsqsm.qsm.masking.head_mask import head_mask
from bidsqsm.qsm.spectra.total_field import spectra_behind
from bidsqsm.qsm.spectra.weight_laws import noise_ratio, note_weight
from bidsqsm.qsm.window import Window


def qsip(
    total_field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    magnitude: Volume | None = None,
    weight: Annotated[float | None, Between(0, 10)] = None,
    outside_spread: Annotated[float, Between(0, 1e6)] = 1.0,
    residual_tol: Annotated[float, Between(0, 1)] = 1e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 300,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Inversion of a perturbation field model (QSIP).

    .. math:: \min_\chi \tfrac12 \|W (D(\chi - \chi_0) - f_0)\|_2^2
              + \tfrac{\lambda^2}{2} \|(\chi - \chi_0) / s\|_2^2
              \quad \text{where} \quad \nabla^2 f_0 = \nabla^2 (f - D\chi_0)
              \text{ in the mask}

    The prior :math:`\chi_0` tells tissue from air, and what it makes of the field is expected rather
    than removed [poynton2015]_. What it misses of the field of sources outside is harmonic in the
    mask, and the Laplacian is blind to that; :math:`f_0` is the field of that Laplacian which
    vanishes at the edge. Around the prior chi may vary by s, one inside the mask and more outside of
    it, so that the choice of the edge is undone. Solved by conjugate gradients with chi in units of
    s.

    Simplified: the paper has the prior from an atlas of tissue and air that is registered to the head,
    and the kernel sampled in space. Here the prior is made from the head itself, where the voxels without
    signal around it are air; as bone is among them, the susceptibility of air is fitted to the
    field. The kernel is that of all other methods.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Field of all sources, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise; scaled to a mean of one where it is not zero,
        so that its unit does not matter. All ones if not given.
    magnitude : (nx, ny, nz) float32 array, optional
        Root of the sum of squares of the echoes; without it nothing is taken for air.
    weight
        Regularisation weight :math:`\lambda`, dimensionless; found in the field if not given.
    outside_spread
        How much more chi may differ from its prior outside the mask than inside (s, dimensionless).
    residual_tol
        Relative residual at which to stop.
    max_iter
        Iterations after which to stop regardless.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [poynton2015] Poynton et al., IEEE Trans Med Imaging 34:339-353 (2015).
       doi:10.1109/TMI.2014.2358552

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = qsip(sphere.total_field, sphere.mask, sphere.grid)
    >>> 0.2 < sphere.contrast(chi) < 0.3
    True

    """
    if weight is None:
        weight = note_weight(noise_ratio(spectra_behind(total_field, mask, grid)) ** 0.5)
    window = Window.around(mask, grid, padding)
    trust = window.data_weight(weight_map)
    unexplained = total_field - _field_of_air(total_field, magnitude, mask, grid, padding)
    rest, known = anharmonic_field(unexplained, None, trust > 0, 0, window)
    trust = trust**2 * known
    spread = np.where(window.cut_mask(), np.float32(1), np.float32(outside_spread))
    dipole = dipole_kernel(window.grid)
    right = spread * convolve(trust * rest, dipole)

    def operator(scaled: Volume) -> Volume:
        field = convolve(spread * scaled, dipole)
        field *= trust
        result = convolve(field, dipole)
        result *= spread
        result += np.float32(weight**2) * scaled
        return result

    scaled = conjugate_gradients(operator, right, tol=residual_tol, max_iter=max_iter, name='qsip')
    return window.restore(scaled)


def _field_of_air(
    total_field: Volume, magnitude: Volume | None, mask: Mask, grid: Grid, padding: float
) -> Volume:
    # the field of view and what lies around it are air, where they are not head
    if magnitude is None:
        return np.zeros(grid.shape, np.float32)
    head = (head_mask(magnitude[np.newaxis]) | mask).astype(np.float32)
    wide = grid.padded(padding)
    spectrum = fft.rfftn(-head, s=wide.shape)
    spectrum *= dipole_kernel(wide)
    nx, ny, nz = grid.shape
    expected = fft.irfftn(spectrum, s=wide.shape, overwrite_x=True)[:nx, :ny, :nz]
    within = expected[mask] - expected[mask].mean(dtype=float)
    size = float(np.sum(within.astype(float) ** 2))
    fit = float(np.sum(within * total_field[mask], dtype=float)) / size if size > 0 else 0.0
    return np.ascontiguousarray(expected * np.float32(fit))
