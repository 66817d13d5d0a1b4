r"""Data terms of the ADMM iteration: how the split of the modelled field follows the data.

Each keeps z, the split of the modelled field, and its scaled multiplier v. In every voxel it solves

.. math:: \min_z \phi(z - f) + \tfrac{\mu}{2} (z - q)^2,

where q is the modelled field plus v, and gives back what both pull, z - v.
"""

from __future__ import annotations

from typing import Protocol

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD


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
    start : (nx, ny, nz) float32 array, optional
        Modelled field to begin with; that measured if not given.

    """

    def __init__(
        self, field: Volume, weight: Volume, mu: float, start: Volume | None = None
    ) -> None:
        self.field, self.mu = np.where(weight > 0, field, np.float32(0)), mu
        squared = weight**2
        self.share = squared / (squared + np.float32(mu))
        # z + v, from which both follow, with the v that is at rest for the z to begin with
        off = 0 if start is None else (start - self.field) * (1 + squared / np.float32(mu))
        self.total = self.field + off

    def begin(self) -> Volume:
        """See :class:`Fidelity`."""
        return self.total - 2 * self.share * (self.total - self.field)

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
        k, in rad/ppm; for plain distances, 0 stands for its limit, the field itself.
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
        match = match_distance if self.plain else match_phase
        match(
            model,
            self.total,
            self.multiplier,
            self.field,
            self.weight,
            np.float32(self.mu),
            np.float32(self.scale),
            relax,
        )


@kernel()
def match_data(
    model: Volume, split: Volume, field: Volume, share: Volume, relax: np.float32, pull: Volume
) -> None:
    """Update the split of the modelled field, z = D chi, and return what it pulls.

    With q = z + v and c = W^2 / (W^2 + mu): z = c f + (1 - c) q and v = c (q - f).
    split <- q = relax * D chi + (1 - relax) * z + v;  pull = z - v.
    """
    nx, ny, nz = model.shape
    rest = np.float32(1) - relax
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                c = share[i, j, k]
                f = field[i, j, k]
                off = c * (split[i, j, k] - f)
                q = relax * model[i, j, k] + rest * (split[i, j, k] - off) + off
                split[i, j, k] = q
                off = c * (q - f)
                pull[i, j, k] = q - off - off


@kernel()
def match_phase(
    model: Volume,
    total: Volume,
    multiplier: Volume,
    field: Volume,
    squared: Volume,
    mu: np.float32,
    scale: np.float32,
    relax: np.float32,
) -> None:
    """Update z + v and v for squared distances; ``model``, m, becomes z - v.

    The parabola W^2 (z - t)^2 / 2 about t = m - sin(k (m - f)) / k has the slope of the data term at
    m, and lies above it everywhere else: going down the one is going down the other. The term itself
    would do no better: where the model is off by more than a quarter of a turn it bends downwards, and
    the iteration would not come to rest.
    """
    one = np.float32(1)
    for i in nb.prange(model.shape[0]):
        for j in range(model.shape[1]):
            for k in range(model.shape[2]):
                m, v = model[i, j, k], multiplier[i, j, k]
                w = squared[i, j, k]
                q = relax * m + (one - relax) * (total[i, j, k] - v) + v
                v = np.float32(0)
                if w > 0:
                    target = m - np.sin(scale * (m - field[i, j, k])) / scale
                    v = w / (w + mu) * (q - target)
                total[i, j, k] = q
                multiplier[i, j, k] = v
                model[i, j, k] = q - v - v


@kernel()
def match_distance(
    model: Volume,
    total: Volume,
    multiplier: Volume,
    field: Volume,
    weight: Volume,
    mu: np.float32,
    scale: np.float32,
    relax: np.float32,
) -> None:
    """Update z + v and v for plain distances; ``model`` becomes z - v.

    With d = q - f, less whole turns, the misfit r = z - f is 0 if d is not above W / mu, else the
    root between 0 and d of W cos(k r / 2) + mu (r - d). That is concave: Newton's steps from 0 rise
    to the root and never pass it. The first of them is the answer for k = 0.
    """
    one, half = np.float32(1), np.float32(0.5) * scale
    turns = scale / np.float32(TURN_RAD)
    period = one / turns if turns > 0 else np.float32(0)
    for i in nb.prange(model.shape[0]):
        for j in range(model.shape[1]):
            for k in range(model.shape[2]):
                w, v = weight[i, j, k], multiplier[i, j, k]
                q = relax * model[i, j, k] + (one - relax) * (total[i, j, k] - v) + v
                d = q - field[i, j, k]
                d -= period * np.rint(d * turns)
                goal = abs(d)
                r = goal if w == 0 else max(goal - w / mu, np.float32(0))
                if w > 0 and r > 0:
                    for _ in range(8 if scale > 0 else 0):
                        step = mu * (goal - r) - w * np.cos(half * r)
                        if step < np.float32(1e-4) * w:
                            break
                        r = min(r + step / (mu - w * half * np.sin(half * r)), goal)
                v = np.copysign(goal - r, d)
                total[i, j, k] = q
                multiplier[i, j, k] = v
                model[i, j, k] = q - v - v
