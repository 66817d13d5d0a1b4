"""Conjugate gradients, also for least squares, whose sums do not depend on the threads."""

from __future__ import annotations

from collections.abc import Callable

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.iteration import Convergence, ended
from bidsqsm.qsm.jit import kernel


@kernel()
def _plane_dots(a: Volume, b: Volume, sums: Volume) -> None:
    nx, ny, nz = a.shape
    for i in nb.prange(nx):
        plane = np.float64(0)
        for j in range(ny):
            row = np.float32(0)
            for k in range(nz):
                row += a[i, j, k] * b[i, j, k]
            plane += row
        sums[i] = plane


@kernel()
def _add_scaled(x: Volume, scale: np.float32, y: Volume) -> None:
    """Add scale times y to x."""
    for i in nb.prange(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(x.shape[2]):
                x[i, j, k] += scale * y[i, j, k]


@kernel()
def _scale_and_add(x: Volume, scale: np.float32, y: Volume) -> None:
    """Scale x, then add y to it."""
    for i in nb.prange(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(x.shape[2]):
                x[i, j, k] = scale * x[i, j, k] + y[i, j, k]


def dot(a: Volume, b: Volume) -> float:
    """Inner product of two float32 volumes, summed plane by plane in a fixed order.

    Examples
    --------
    >>> import numpy as np
    >>> dot(np.full((2, 2, 2), 3, 'f4'), np.full((2, 2, 2), 0.5, 'f4'))
    12.0

    """
    # a plane is summed by one thread, planes in order: the same bits with any number of threads
    sums = np.empty(a.shape[0])
    _plane_dots(a, b, sums)
    return float(sums.sum())


def conjugate_gradients(
    operator: Callable[[Volume], Volume],
    right: Volume,
    *,
    tol: float,
    max_iter: int,
    precondition: Callable[[Volume], Volume] | None = None,
    name: str = 'conjugate gradients',
) -> Volume:
    """Solve A x = b for a symmetric, positive semi-definite A, from x = 0.

    Parameters
    ----------
    operator
        Applies A to a float32 volume. May return the same buffer each time.
    right : (nx, ny, nz) float32 array
        The right-hand side b; left as it is.
    tol
        Stops when the residual, in the norm of the preconditioner, has fallen to this share of the
        right-hand side.
    max_iter
        Iterations after which to stop regardless.
    precondition
        Applies a symmetric, positive definite approximation of the inverse of A.
    name
        Under which name to log the end.

    Returns
    -------
    x : (nx, ny, nz) float32 array
        The solution.

    Examples
    --------
    >>> import numpy as np
    >>> right = np.arange(8, dtype='f4').reshape(2, 2, 2)
    >>> found = conjugate_gradients(lambda x: 4 * x, right, tol=1e-6, max_iter=10)
    >>> bool(np.allclose(4 * found, right))
    True

    """
    x = np.zeros_like(right)
    residual = right.copy()
    # x = 0, so r_0 = b; M^-1 r is what the preconditioner makes of the residual
    better = residual if precondition is None else precondition(residual)
    direction = better.copy()
    start = size = dot(residual, better)
    left: list[float] = []
    while size > tol**2 * start and len(left) < max_iter:
        image = operator(direction)
        curvature = dot(direction, image)
        if curvature <= 0:  # rounding has used up the direction
            break
        # alpha_k = r^T M^-1 r / p^T A p takes x to the minimum along p
        step = np.float32(size / curvature)
        _add_scaled(x, step, direction)
        _add_scaled(residual, -step, image)
        better = residual if precondition is None else precondition(residual)
        last, size = size, dot(residual, better)
        left.append(max(size / start, 0.0) ** 0.5)
        # beta_k keeps the next direction conjugate to all before it: p^T A p' = 0
        _scale_and_add(direction, np.float32(size / last), better)
    ended(Convergence(name, tuple(left) or (0.0,), tol))
    return x


def least_squares(
    forward: Callable[[Volume], Volume],
    adjoint: Callable[[Volume], Volume],
    data: Volume,
    *,
    tol: float | None,
    max_iter: int,
    name: str = 'least squares',
) -> Volume:
    """Minimise |A x - data|^2 from x = 0 by conjugate gradients.

    The residual is carried in the space of the data, which loses fewer digits than conjugate
    gradients on the normal equations.

    Parameters
    ----------
    forward, adjoint
        Apply A and its adjoint to float32 volumes; each returns a new volume.
    data : (nx, ny, nz) float32 array
        What A x should be; left as it is.
    tol
        Stops when the gradient has fallen to this share of its size at the start; None to make
        ``max_iter`` iterations by design.
    max_iter
        Iterations after which to stop regardless.
    name
        Under which name to log the end.

    Returns
    -------
    x : (nx, ny, nz) float32 array
        The solution.

    Examples
    --------
    >>> import numpy as np
    >>> data = np.arange(8, dtype='f4').reshape(2, 2, 2)
    >>> found = least_squares(lambda x: 2 * x, lambda y: 2 * y, data, tol=1e-6, max_iter=10)
    >>> bool(np.allclose(2 * found, data))
    True

    """
    residual = data.copy()
    # on A^T A x = A^T b without forming A^T A, whose condition is the square of that of A (CGLS)
    slope = adjoint(residual)
    x, direction = np.zeros_like(slope), slope.copy()
    start = size = dot(slope, slope)
    left: list[float] = []
    enough = 0.0 if tol is None else tol**2
    while size > enough * start and len(left) < max_iter:
        image = forward(direction)
        # |A p|^2 is p^T A^T A p, and never negative, whatever rounding does
        step = np.float32(size / dot(image, image))
        _add_scaled(x, step, direction)
        _add_scaled(residual, -step, image)
        # A^T (b - A x): minus the gradient, which is what must vanish; the misfit itself need not
        slope = adjoint(residual)
        last, size = size, dot(slope, slope)
        left.append((size / start) ** 0.5)
        _scale_and_add(direction, np.float32(size / last), slope)
    ended(Convergence(name, tuple(left) or (0.0,), tol))
    return x
