"""Maps and labels as files hold them, the same for the app and for maps made elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsqsm.io.errors import DatasetError
from bidsqsm.io.nifti import load_volume
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.reference.csf import csf


def load_labels(path: Path | str, *, none: bool = False) -> npt.NDArray[np.int32]:
    """Read a label image.

    Parameters
    ----------
    path
        The image.
    none
        Whether it may have no label, as after a registration that failed.

    Returns
    -------
    labels : (nx, ny, nz) int32 array

    Raises
    ------
    DatasetError
        Where it is not one volume, its values are no whole numbers, or none is above zero
        and one is expected.

    """
    values, _ = load_volume(path)
    if values.ndim != 3:
        raise DatasetError(
            f'{path} has {values.ndim} axes, expected a label image of three: split the file'
        )
    labels = np.nan_to_num(values, posinf=0, neginf=0).round().astype(np.int32)
    if not np.array_equal(labels, np.nan_to_num(values)):
        raise DatasetError(
            f'{path} has values that are no whole numbers, expected labels: resample label images '
            'by nearest neighbour'
        )
    if not none and not (labels > 0).any():
        raise DatasetError(f'{path} has no label above 0, expected some: give another label image')
    return labels


def in_hz(ppm: Volume, imaging_frequency: float) -> Volume:
    """Turn a field from ppm into Hz in float32, to the bit as it is written to files."""
    values: Volume = ppm * np.float32(imaging_frequency)
    return values


def in_ppm(hz: Volume, imaging_frequency: float) -> Volume:
    """Turn a field of a file from Hz into ppm, in float64."""
    return np.asarray(hz.astype(np.float64) / imaging_frequency)


def csf_value(chi: Volume, mask: Mask, grid: Grid, r2star: Volume | None) -> float | None:
    """Mean susceptibility (ppm) of ventricular fluid, None where R2* shows none."""
    if r2star is None:
        return None
    known = mask & np.isfinite(chi) & np.isfinite(r2star)
    try:
        return csf(chi, known, grid, r2star).value
    except ValueError:
        return None


__all__ = ['csf_value', 'in_hz', 'in_ppm', 'load_labels']
