"""A data term that trusts voxels less whose misfit is far beyond that of the others."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.admm.data_terms import Phasors
from bidsqsm.qsm.grid import Volume

#: Updates between one weighing and the next: the model should have followed the last
UPDATES_PER_WEIGHING = 10


class Reweighted(Phasors):
    r"""Phasors whose squared weight is divided by :math:`\max(1, r / c\sigma)^4`.

    r is the misfit of a voxel times the weight that was given, and sigma the root mean square of all
    of them. Model error reduction through iterative tuning (MERIT) divides the weights anew at each
    pass, and takes sigma with those that are left [liu2013]_; where the misfit is not that of noise,
    pass after pass then finds outliers among those that remain. Here it is the given weights that
    are divided, so that a voxel is trusted again when its misfit has shrunk.

    Parameters
    ----------
    field, weight, mu, scale
        See :class:`~bidsqsm.qsm.admm.data_terms.Phasors`.
    outlier
        c, in standard deviations.

    """

    def __init__(
        self, field: Volume, weight: Volume, mu: float, scale: float, outlier: float
    ) -> None:
        super().__init__(field, weight, mu, scale)
        self.outlier, self.updates = outlier, 0
        self.known = np.flatnonzero(weight)
        self.given = self.weight.ravel()[self.known]

    def update(self, model: Volume, relax: np.float32) -> None:
        """See :class:`~bidsqsm.qsm.admm.data_terms.Fidelity`."""
        self.updates += 1
        if self.updates % UPDATES_PER_WEIGHING == 0:
            self._weigh(model)
        super().update(model, relax)

    def _weigh(self, model: Volume) -> None:
        off = model.ravel()[self.known] - self.field.ravel()[self.known]
        # |e^{ikz} - e^{ikf}| / k: blind to whole turns, like the data term itself
        squared = (2 / self.scale * np.sin(self.scale / 2 * off)) ** 2
        squared *= self.given
        limit = self.outlier**2 * squared.mean(dtype=np.float64)
        # from the weights given, not the last ones: a voxel whose misfit falls is trusted again
        excess = np.maximum(squared / np.float32(max(limit, 1e-30)), 1)
        self.weight.ravel()[self.known] = self.given / excess**2
