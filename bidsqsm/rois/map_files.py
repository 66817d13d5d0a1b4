"""Maps as files hold them, the same for the app and for maps made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bidsqsm.errors import DatasetError
from bidsqsm.files.headers import check_grids, read_header
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.reference.csf import csf


def one_grid(paths: Iterable[Path]) -> Grid:
    """The grid on which all images lie, one volume in each; DatasetError where they do not.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     grid = one_grid([save_volume(sphere.chi, affine, Path(name) / 'chi.nii.gz')])
    >>> grid.shape, grid.voxel_size
    ((24, 24, 24), (2.0, 2.0, 2.0))

    """
    headers = [read_header(path) for path in paths]
    for header in headers:
        if header.extra:
            raise DatasetError(
                f'{header.path} has axes {header.extra} beyond the third, expected one volume: '
                'split the file'
            )
    check_grids(headers)
    return Grid.from_affine(headers[0].shape, headers[0].affine)


def in_hz(ppm: Volume, imaging_frequency: float) -> Volume:
    """Turn a field from ppm into Hz in float32, to the bit as it is written to files.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(in_hz(np.float32([0.1]), 127.74)[0]), 2)
    12.77

    """
    values: Volume = ppm * np.float32(imaging_frequency)
    return values


def in_ppm(hz: Volume, imaging_frequency: float) -> Volume:
    """Turn a field of a file from Hz into ppm, in float64.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(in_ppm(np.float32([12.774]), 127.74)[0]), 3)
    0.1

    """
    return np.asarray(hz.astype(np.float64) / imaging_frequency)


def csf_value(chi: Volume | None, mask: Mask, grid: Grid, r2star: Volume | None) -> float | None:
    """Mean susceptibility (ppm) of ventricular fluid, None without either map or where R2* shows none.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=-0.02)
    >>> r2star = np.where(sphere.inside, 2.0, 20.0)  # fluid decays slowly
    >>> round(csf_value(sphere.chi, sphere.mask, sphere.grid, r2star), 3)
    -0.02

    """
    if chi is None or r2star is None:
        return None
    known = mask & np.isfinite(chi) & np.isfinite(r2star)
    try:
        return csf(chi, known, grid, r2star).value
    except ValueError:
        return None
