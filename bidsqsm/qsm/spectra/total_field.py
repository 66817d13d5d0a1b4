"""Spectra behind a total field, most of which comes from outside the mask."""

from __future__ import annotations

from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra, field_spectra


def spectra_behind(total_field: Volume, mask: Mask, grid: Grid) -> FieldSpectra:
    """Spectra of the noise and of the susceptibility in the mask, whatever lies outside.

    The background is removed by V-SHARP first, which takes next to no time; what it leaves of the
    background counts as noise.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Field of all sources, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is known.
    grid
        Voxel size and field direction.

    Returns
    -------
    spectra
        Those of the local field; see :func:`~bidsqsm.qsm.spectra.field_spectra.field_spectra`.

    """
    return field_spectra(*vsharp(total_field, mask, grid, min_radius=6.0 - 1e-3), grid)
