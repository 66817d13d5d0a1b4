"""Phase differences between neighbours, summed as phasors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD


def neighbour_phasors(
    phase: Volume, reference: Volume | None, ratio: float, weight: Volume, step: int = 1
) -> tuple[npt.NDArray[np.complexfloating], Volume]:
    r"""Sum the phasors of the steps between neighbours, along every axis.

    .. math:: p_a = \sum w_r w_{r+a} \exp i \left[ \Delta_a \phi(r)
        - \rho \, W(\Delta_a \psi(r)) \right]

    with W the wrapping into one turn. A reference that predicts the slope of the phase leaves
    the steps that it does not predict.

    Parameters
    ----------
    phase : (nx, ny, nz) float32 array
        Phase in rad.
    reference : (nx, ny, nz) float32 array or None
        Phase in rad whose steps, times ``ratio``, are taken off.
    ratio
        Share of the reference's steps.
    weight : (nx, ny, nz) float32 array
        Not negative; voxels of weight zero do not count.
    step
        Look at every so many lines only, in the first and second axis.

    Returns
    -------
    phasors : (3,) complex128 array
        Sum for each axis.
    total : (3,) float64 array
        Sum of the weights, so that ``abs(phasors) <= total``.

    """
    sums = np.zeros((phase.shape[0], 3, 3))
    if reference is None:
        reference, ratio = phase, 0.0
    _plane_sums(phase, reference, ratio, weight, step, sums)
    real, imaginary, total = np.moveaxis(sums.sum(axis=0), -1, 0)
    return real + 1j * imaginary, total


@kernel(parallel=False)
def _plane_sums(
    phase: Volume, reference: Volume, ratio: float, weight: Volume, step: int, sums: Volume
) -> None:
    nx, ny, nz = phase.shape
    turn, share = np.float32(TURN_RAD), np.float32(ratio)
    for i in range(nx):
        for j in range(ny):
            for a in range(3):
                # lines are thinned out across the axis only: pairs stay neighbours
                if (a != 0 and i % step != 0) or (a != 1 and j % step != 0):
                    continue
                u, v, ahead = i + (a == 0), j + (a == 1), int(a == 2)
                if u == nx or v == ny:
                    continue
                real = imaginary = total = 0.0
                for k in range(nz - ahead):
                    t = k + ahead
                    both = weight[i, j, k] * weight[u, v, t]
                    slope = reference[u, v, t] - reference[i, j, k]
                    slope -= turn * np.rint(slope / turn)
                    angle = phase[u, v, t] - phase[i, j, k] - share * slope
                    if both > 0:
                        real += both * np.cos(angle)
                        imaginary += both * np.sin(angle)
                        total += both
                sums[i, a, 0] += real
                sums[i, a, 1] += imaginary
                sums[i, a, 2] += total
