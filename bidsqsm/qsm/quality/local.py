"""Quality of the local field: what the background left in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.quality.field import PPB
from bidsqsm.qsm.quality.maps import Maps, ratio

_DEGREE = 6
_SAMPLE_DISTANCE_MM = 3.0  # mm between the voxels that are looked at: harmonics are smooth
_LOCAL_FIELD_RIM_MM = 4.0


def local_field_sd(maps: Maps) -> dict[str, float]:
    """Standard deviation of the local field in the mask, in ppb."""
    assert maps.local_field is not None
    return {'local_field_sd': PPB * float(np.std(maps.local_field[maps.qsm_mask], dtype=float))}


def background_leakage(maps: Maps) -> dict[str, float]:
    """Share of the variance of the local field that harmonic functions explain, in percent.

    Without sources in the mask a field obeys Laplace's equation there: it is a sum of solid
    harmonics. The field of sources inside is next to orthogonal to these [liu2011]_.

    References
    ----------
    .. [liu2011] Liu et al., NMR Biomed 24:1129-1136 (2011). doi:10.1002/nbm.1670

    """
    assert maps.local_field is not None
    assert maps.qsm_mask is not None
    steps = tuple(
        slice(None, None, max(1, round(_SAMPLE_DISTANCE_MM / d))) for d in maps.grid.voxel_size
    )
    inside = maps.qsm_mask[steps]
    if np.count_nonzero(inside) < 4 * (_DEGREE + 1) ** 2:
        return {'background_leakage': float('nan')}
    spacing = [d * step.step for d, step in zip(maps.grid.voxel_size, steps, strict=True)]
    places = np.argwhere(inside) * spacing
    places -= places.mean(axis=0)
    basis = np.stack([*solid_harmonics(places / np.abs(places).max(), _DEGREE)])
    values = maps.local_field[steps][inside].astype(float)
    values -= values.mean()
    basis -= basis.mean(axis=1, keepdims=True)
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    weights = np.linalg.lstsq(basis @ basis.T, basis @ values, rcond=1e-10)[0]
    explained = float(np.sum((weights @ basis) ** 2))
    return {'background_leakage': 100 * ratio(explained, float(np.sum(values**2)))}


def solid_harmonics(places: Volume, degree: int) -> Iterator[Volume]:
    """Real solid harmonics of degrees 1 to ``degree`` at places (n, 3), by recurrence, not normalised."""
    x, y, z = places.T
    r2 = x**2 + y**2 + z**2
    around = x + 1j * y
    for order in range(degree + 1):
        before, here = np.zeros_like(around), around**order
        for level in range(max(order, 0), degree + 1):
            if level > 0:
                yield here.real
            if order:
                yield here.imag
            after = ((2 * level + 1) * z * here - (level + order) * r2 * before) / (
                level + 1 - order
            )
            before, here = here, after


def edge_excess(maps: Maps) -> dict[str, float]:
    """Root mean square of the local field near the rim of the mask over that further inside."""
    assert maps.local_field is not None
    assert maps.qsm_mask is not None
    rim = maps.qsm_mask & (maps.qsm_depth <= _LOCAL_FIELD_RIM_MM)
    core = maps.qsm_depth > _LOCAL_FIELD_RIM_MM
    if not (rim.any() and core.any()):
        return {'edge_excess': float('nan')}
    near, deep = (
        float(np.sqrt(np.mean(maps.local_field[part].astype(float) ** 2))) for part in (rim, core)
    )
    return {'edge_excess': ratio(near, deep)}
