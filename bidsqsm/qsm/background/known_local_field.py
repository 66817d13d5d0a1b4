"""Background removal where part of the local field is known."""

from __future__ import annotations

from collections.abc import Callable

from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid, Mask, Volume


def remove_beside(
    remove: Callable[..., tuple[Volume, Mask]],
    total_field: Volume,
    mask: Mask,
    grid: Grid,
    chi: Volume | None,
    **data: Volume | None,
) -> tuple[Volume, Mask]:
    """Remove the background with the field of a known map set aside, and put back after.

    The method then errs on what is left of the local field only.

    Parameters
    ----------
    remove
        Method of background removal.
    total_field : (nx, ny, nz) float32 array
        In ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size and field direction.
    chi : (nx, ny, nz) float32 array, optional
        The map, in ppm; None where nothing is known.
    **data
        What the method takes besides, e.g. ``weight_map``.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        In ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        The mask that remains.

    """
    if chi is None:
        return remove(total_field, mask, grid, **data)
    known = field_of(chi, mask, grid)
    local_field, left = remove(total_field - known, mask, grid, **data)
    local_field[left] += known[left]
    return local_field, left
