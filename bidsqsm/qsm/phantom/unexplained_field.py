"""A random field with the spectrum of the tissue: what is measured in people and not explained."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume

_SHELLS = 24


def unexplained_field(share: float, chi: Volume, mask: Mask, grid: Grid, seed: int) -> Volume:
    r"""Draw a field whose spectrum is a share of that of the susceptibility at every \|k\|, in ppm.

    On the magic-angle cone, where the field of the susceptibility is zero, local fields of people
    hold from a fifth to two fifths of the susceptibility's spectrum at all scales.

    Parameters
    ----------
    share
        Amplitude over that of the susceptibility.
    chi : (nx, ny, nz) array
        Susceptibility in ppm.
    mask
        The brain; the field is zero outside.
    grid
        Of the maps.
    seed
        The same seed, the same field.

    """
    k = np.sqrt(sum(q * q for q in grid.frequencies()))
    edges = np.geomspace(k[k > 0].min() * 0.999, k.max() * 1.001, _SHELLS + 1)
    inside = np.where(mask, chi - chi[mask].mean(dtype=float), 0).astype(np.float32)
    power = np.abs(fft.rfftn(inside)) ** 2 / max(int(mask.sum()), 1)
    shell = np.digitize(k.ravel(), edges)
    count = np.bincount(shell, minlength=_SHELLS + 2)[1:-1]
    total = np.bincount(shell, power.ravel(), minlength=_SHELLS + 2)[1:-1]
    known = count > 0
    middles = np.sqrt(edges[1:] * edges[:-1])[known]
    amplitude = np.sqrt(total[known] / count[known])
    shape = np.interp(np.log(np.maximum(k, middles[0])), np.log(middles), amplitude)
    noise = np.random.default_rng([seed, 17]).standard_normal(grid.shape, np.float32)
    field = fft.irfftn(fft.rfftn(noise) * shape.astype(np.float32), grid.shape)
    return np.where(mask, share * field, 0).astype(np.float32)
