"""The table of veins: a row for each, with the oxygen in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.oxygenation.vein_measures import Vein

#: Columns with their meaning and unit.
_COLUMNS: Mapping[str, tuple[str, str]] = {
    'index': ('Value in the label image', ''),
    'name': ('Vein between two branches, the largest first', ''),
    'x': ('Centre, to the right, in the coordinates of the image', 'mm'),
    'y': ('Centre, to the front', 'mm'),
    'z': ('Centre, upwards', 'mm'),
    'n_voxels': ('Voxels of the vein', ''),
    'n_core': ('Voxels whose six neighbours are voxels of a vein: they hold blood alone', ''),
    'volume': ('Volume of its voxels', 'mm^3'),
    'length': ('Diagonal of the box around it', 'mm'),
    'chi_mean': ('Susceptibility: mean over all its voxels', 'ppm'),
    'chi_max': ('Susceptibility: maximum', 'ppm'),
    'chi_core': ('Susceptibility: mean over the core', 'ppm'),
    'chi_sd': ('Susceptibility: standard deviation over the core', 'ppm'),
    'chi_around': ('Susceptibility: median of the tissue around the vein', 'ppm'),
    'svo2': ('Venous oxygen saturation, from the core; n/a where that is too small', '1'),
    'oef': ('Oxygen extraction fraction', '1'),
}


def vein_table(veins: Sequence[Vein], affine: Volume) -> pd.DataFrame:
    """Lay out what was measured.

    Parameters
    ----------
    veins
        Of :func:`~bidsqsm.qsm.oxygenation.susceptometry.susceptometry`.
    affine : (4, 4) array
        Voxels to world mm.

    Returns
    -------
    table
        A row for each vein.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.grid import Grid
    >>> from bidsqsm.qsm.oxygenation.susceptometry import susceptometry
    >>> x, y, _ = np.ogrid[:24, :24, :32]
    >>> chi = (0.5 * ((x - 12) ** 2 + (y - 12) ** 2 < 9) * np.ones((24, 24, 32))).astype('f4')
    >>> found = susceptometry(chi, np.ones(chi.shape, bool), Grid(chi.shape, (0.8, 0.8, 0.8)))
    >>> table = vein_table(found.table, np.diag([0.8, 0.8, 0.8, 1.0]))
    >>> table['chi_core'].round(2).tolist(), table['svo2'].round(2).tolist()
    ([0.5], [0.63])

    """
    rows = []
    for vein in veins:
        place = np.asarray(affine)[:3, :3] @ np.asarray(vein.centre) + np.asarray(affine)[:3, 3]
        named = {'name': f'vein-{vein.index}', **dict(zip('xyz', place.tolist(), strict=True))}
        rows.append([named[key] if key in named else getattr(vein, key) for key in _COLUMNS])
    return pd.DataFrame(rows, columns=[*_COLUMNS])


def vein_columns() -> dict[str, Any]:
    """What the columns mean, for the JSON beside the table.

    Examples
    --------
    >>> vein_columns()['chi_core']
    {'Description': 'Susceptibility: mean over the core.', 'Units': 'ppm'}

    """
    return {
        key: {'Description': f'{text}.', **({'Units': units} if units else {})}
        for key, (text, units) in _COLUMNS.items()
    }
