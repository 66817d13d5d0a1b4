"""Nonlinear dipole inversion."""

from __future__ import annotations

from typing import Annotated

import numba as nb
import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import iterate
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.krylov import dot
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import noise_ratio, note_weight
from bidsqsm.qsm.window import Window


def ndi(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, From(0, 10)] = None,
    outside: Annotated[float, Between(0, 1e6)] = 10.0,
    phase_scale: Annotated[float, Between(1e-3, 1000)] = 15.0,
    gradient_tol: Annotated[float, From(0, 1)] = 1e-3,
    max_iter: Annotated[int, Between(1, 10000)] = 100,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Nonlinear dipole inversion (NDI).

    .. math:: \min_\chi \tfrac{1}{2 k^2} \|W (e^{i k D\chi} - e^{i k f})\|_2^2
        + \tfrac{\lambda}{2} \|\chi / s\|_2^2

    by descent from zero [polak2020]_, along conjugate directions, which come to the same map in far
    fewer steps than those of steepest descent. The least map of all that explain the field has
    less contrast than the truth. Where sources outside the mask are as cheap as those inside,
    s = 1 everywhere as in the paper (``outside=1``), they explain much of the field of what lies
    inside, and a ball in a mask of 2.4 times its radius keeps 0.6 of its contrast, however small
    the weight; here they are dearer, :math:`s^{-2}` = ``outside`` there, and it keeps 0.75.

    Converges by default. Stops early by design with ``weight=0,gradient_tol=0,max_iter=20``, as in
    the paper: then the number of steps is the only regularisation.

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
    weight
        Regularisation weight :math:`\lambda`, dimensionless.
        Found in the field if not given.
    outside
        Regularisation weight outside the mask, as a share of that inside. A small one lets sources
        there take up what is harmonic inside the mask, with some of the contrast.
    phase_scale
        Phase k of the signal per field, in rad/ppm: 15 is that at 3 T after 19 ms. Whole turns of
        it, 0.42 ppm, do not count.
    gradient_tol
        Share of its first size to which the gradient of the cost must fall; 0 makes ``max_iter``
        steps.
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
    .. [polak2020] Polak et al., NMR Biomed 33:e4271 (2020). doi:10.1002/nbm.4271

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = ndi(sphere.local_field, sphere.mask, sphere.grid, weight=2e-3)
    >>> round(sphere.contrast(chi), 2)
    0.38

    """
    window = Window.around(mask, grid, padding)
    squared = window.data_weight(weight_map) ** 2
    spread = np.where(window.cut_mask(), np.float32(1), np.float32(outside**-0.5))
    inner = window.cut(field)
    if weight is None:
        found = windowed_spectra(inner, window.cut_mask(), window)
        weight = note_weight(noise_ratio(found))
    descent = Descent(inner, squared, window.grid, weight, spread, phase_scale)
    iterate(descent.step, name='ndi', tol=gradient_tol or None, max_iter=max_iter)
    return window.restore(descent.scaled)


class Descent:
    """Conjugate directions (Polak and Ribiere) for the cost of :func:`ndi`, chi in units of ``spread``.

    The length of a step comes from a bound on the curvature, that of the linear data term: it never
    climbs, and is the best one for small misfits.
    """

    def __init__(
        self,
        field: Volume,
        squared: Volume,
        grid: Grid,
        weight: float,
        spread: Volume,
        scale: float,
    ) -> None:
        self.field, self.squared, self.scale = field, squared, np.float32(scale)
        self.weight, self.spread = np.float32(weight), spread
        self.dipole = dipole_kernel(grid)
        self.scaled, self.model = np.zeros_like(field), np.zeros_like(field)
        self.pull = np.empty_like(field)
        self.down = self._down()
        self.direction = self.down.copy()
        self.first = self.size = dot(self.down, self.down)

    def step(self) -> float:
        """Go down once; returns the slope as a share of its size at the start."""
        if self.size == 0:
            return 0.0
        image = convolve(self.spread * self.direction, self.dipole)
        # p^T H p where the phase is matched (sine = its argument): a step needs no line search
        curvature = dot(image, self.squared * image)
        curvature += float(self.weight) * dot(self.direction, self.direction)
        length = np.float32(dot(self.down, self.direction) / curvature)
        self.scaled += length * self.direction
        self.model += length * image
        last, self.down = self.down, self._down()
        size = dot(self.down, self.down)
        # Polak and Ribiere's beta; below zero the directions are no longer conjugate: start anew
        turn = max((size - dot(self.down, last)) / self.size, 0.0)
        self.direction = self.down + np.float32(turn) * self.direction
        self.size = size
        return float((size / self.first) ** 0.5)

    def _down(self) -> Volume:
        # minus the gradient of the cost for x = chi / s: s D W^2 sin(k (f - D s x)) / k - weight x
        pull_phase(self.field, self.model, self.squared, self.scale, self.pull)
        down = convolve(self.pull, self.dipole)
        down *= self.spread
        down -= self.weight * self.scaled
        return down


@kernel()
def pull_phase(
    field: Volume, model: Volume, squared: Volume, scale: np.float32, out: Volume
) -> None:
    """W^2 sin(k (f - z)) / k."""
    for i in nb.prange(field.shape[0]):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                off = scale * (field[i, j, k] - model[i, j, k])
                out[i, j, k] = squared[i, j, k] * np.sin(off) / scale
