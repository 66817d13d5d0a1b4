r"""Data terms of the alternating iteration: how the split of the modelled field follows the data.

Each keeps z, the split of the modelled field, and its scaled multiplier v. In every voxel it solves

.. math:: \min_z \phi(z - f) + \tfrac{\mu}{2} (z - q)^2,

where q is the modelled field plus v, and gives back what both pull, z - v.
"""

from __future__ import annotations

from typing import Protocol

import numba as nb
import numpy as np

from bidsqsm.qsm.dipole.splitting import match_data
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel


class Fidelity(Protocol):
    """What the iteration asks of a data term."""

    mu: float

    def begin(self) -> Volume:
        """What the split pulls before the first update."""

    def update(self, model: Volume, relax: np.float32) -> None:
        """Update the split; ``model``, the modelled field, becomes what it pulls."""


class LeastSquares:
    r"""The linear data term :math:`\tfrac12 W^2 (z - f)^2`.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Measured field in ppm.
    weight : (nx, ny, nz) float32 array
        W, dimensionless; 0 where the field is unknown.
    mu
        Penalty of the split (dimensionless).

    """

    def __init__(self, field: Volume, weight: Volume, mu: float) -> None:
        self.field, self.mu = np.where(weight > 0, field, np.float32(0)), mu
        squared = weight**2
        self.share = squared / (squared + np.float32(mu))
        self.total = self.field.copy()  # z + v, from which both follow

    def begin(self) -> Volume:
        """See :class:`Fidelity`."""
        return self.field

    def update(self, model: Volume, relax: np.float32) -> None:
        """See :class:`Fidelity`."""
        match_data(model, self.total, self.field, self.share, relax, model)


class Phasors:
    r"""A term in the distance of two phasors, :math:`r = |e^{i k z} - e^{i k f}| / k`.

    Whole turns in the data cost nothing. For errors of much less than a turn, r is that of the
    field itself.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Measured field in ppm.
    weight : (nx, ny, nz) float32 array
        W, dimensionless; 0 where the field is unknown.
    mu
        Penalty of the split: dimensionless, or in 1/ppm for ``plain`` distances.
    scale
        k, in rad/ppm; 0 for its limit, the field itself.
    plain
        Take the distance, W r, in which outliers have little say, rather than its square,
        :math:`W^2 r^2 / 2`.

    """

    def __init__(
        self, field: Volume, weight: Volume, mu: float, scale: float, *, plain: bool = False
    ) -> None:
        self.field = np.where(weight > 0, field, np.float32(0))  # unknown is no start
        self.weight = weight if plain else weight**2
        self.mu, self.scale, self.plain = mu, scale, plain
        self.total, self.multiplier = self.field.copy(), np.zeros_like(field)

    def begin(self) -> Volume:
        """See :class:`Fidelity`."""
        return self.field

    def update(self, model: Volume, relax: np.float32) -> None:
        """See :class:`Fidelity`."""
        match_phase(
            model,
            self.total,
            self.multiplier,
            self.field,
            self.weight,
            np.float32(self.mu),
            np.float32(self.scale),
            self.plain,
            relax,
        )


@kernel()
def match_phase(
    model: Volume,
    total: Volume,
    multiplier: Volume,
    field: Volume,
    weight: Volume,
    mu: np.float32,
    scale: np.float32,
    plain: bool,
    relax: np.float32,
) -> None:
    """Update z + v and v for :class:`Phasors`; ``model`` becomes z - v.

    With d = q - f, less whole turns, the misfit r = z - f is the root between 0 and d of
    W^2 sin(k r) / k + mu (r - d), or of W cos(k r / 2) + mu (r - d) for plain distances, where it is
    0 if d is not above W / mu. Both are concave there: Newton's steps from 0 rise to the root and
    never pass it. The first of them is the answer for k = 0.
    """
    one, rest = np.float32(1), np.float32(1) - relax
    half = np.float32(0.5) * scale
    turns = scale / np.float32(2 * np.pi)
    period = one / turns if turns > 0 else np.float32(0)
    for i in nb.prange(model.shape[0]):
        for j in range(model.shape[1]):
            for k in range(model.shape[2]):
                v = multiplier[i, j, k]
                q = relax * model[i, j, k] + rest * (total[i, j, k] - v) + v
                w = weight[i, j, k]
                d = q - field[i, j, k]
                d -= period * np.rint(d * turns)
                goal = abs(d)
                r = np.float32(0)
                if w == 0:
                    r = goal
                elif plain and mu * goal > w:
                    r = goal - w / mu
                    for _ in range(8 if scale > 0 else 0):
                        step = mu * (goal - r) - w * np.cos(half * r)
                        if step < np.float32(1e-4) * w:
                            break
                        r = min(r + step / (mu - w * half * np.sin(half * r)), goal)
                elif not plain:
                    r = mu * goal / (w + mu)
                    for _ in range(8 if scale > 0 else 0):
                        step = mu * (goal - r) - w * np.sin(scale * r) / scale
                        if step < np.float32(1e-4) * mu * goal:
                            break
                        r = min(r + step / (mu + w * np.cos(scale * r)), goal)
                v = np.copysign(goal - r, d)
                total[i, j, k] = q
                multiplier[i, j, k] = v
                model[i, j, k] = q - v - v
