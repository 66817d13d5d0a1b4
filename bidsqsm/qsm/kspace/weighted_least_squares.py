"""Least squares with weights, conditioned by a bounded inverse of the dipole kernel."""

from __future__ import annotations

from scipy import fft

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.kernels import convolve
from bidsqsm.qsm.krylov import least_squares
from bidsqsm.qsm.kspace.kspace_filter import floored


def fit(
    field: Volume, weight: Volume, dipole: Volume, threshold: float, steps: int, name: str
) -> Spectrum:
    r"""Some steps towards :math:`\min_\chi \|W (D\chi - f)\|_2^2`, from zero.

    With :math:`\chi = P z`, where P is 1 / D but for values of D below the threshold, which are
    raised to it, the singular values of W D P are those of W except in the cone of small values.
    So a few steps find what the field determines, and leave the cone mostly empty.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field in ppm, on a padded grid.
    weight : (nx, ny, nz) float32 array
        W, dimensionless, zero where the field is unknown.
    dipole : (nx, ny, nz // 2 + 1) float32 array
        The dipole kernel D.
    threshold
        Magnitude of D below which it counts as small.
    steps
        Number of iterations of conjugate gradients.
    name
        Under which name to log the end.

    Returns
    -------
    spectrum : (nx, ny, nz // 2 + 1) complex64 array
        Of chi, in ppm.

    """
    inverse = floored(dipole, threshold)
    # D P is one outside the cone: all that is measured well converges in the first steps
    flat = inverse * dipole

    def forward(x: Volume) -> Volume:
        image = convolve(x, flat)
        image *= weight
        return image

    def adjoint(misfit: Volume) -> Volume:
        return convolve(weight * misfit, flat)

    z = least_squares(forward, adjoint, weight * field, tol=None, max_iter=steps, name=name)
    spectrum: Spectrum = fft.rfftn(z)
    spectrum *= inverse
    return spectrum
