"""Venous oxygen saturation from the susceptibility of large veins."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np

from bidsqsm.qsm.bounds import Between, From, OneOf
from bidsqsm.qsm.grid import Box, Grid, Labels, Mask, Volume, bounding_box
from bidsqsm.qsm.oxygenation.blood import extraction, saturation
from bidsqsm.qsm.oxygenation.segments import number_segments
from bidsqsm.qsm.oxygenation.vein_detection import core_of, find_veins
from bidsqsm.qsm.oxygenation.vein_measures import Vein, measure_veins


class Oxygenation(NamedTuple):
    """Veins and the oxygen in them.

    Parameters
    ----------
    likeness : (nx, ny, nz) float32 array
        Vesselness, 0 to 1.
    veins, core : (nx, ny, nz) bool array
        Voxels of veins, and those of them that hold blood alone.
    labels : (nx, ny, nz) int32 array
        Number of the vein, 1 and on; zero outside.
    table
        What was measured in each.

    """

    likeness: Volume
    veins: Mask
    core: Mask
    labels: Labels
    table: tuple[Vein, ...] = ()


def susceptometry(
    chi: Volume,
    mask: Mask,
    grid: Grid,
    r2star: Volume | None = None,
    *,
    hematocrit: Annotated[float, Between(0, 1)] = 0.4,
    deoxygenation: Annotated[float, Between(0, 10)] = 3.39,
    oxygenated: Annotated[float, Between(-1, 1)] = 0.0,
    arterial: Annotated[float, Between(0, 1.000001)] = 0.98,
    zero: Annotated[str, OneOf(('around', 'map'))] = 'around',
    min_contrast: Annotated[float, Between(0, 1)] = 0.12,
    max_vein_radius: Annotated[float, Between(0, 20)] = 3.0,
    min_length: Annotated[float, From(0, 200)] = 10.0,
    min_core: Annotated[int, Between(0, 100000)] = 5,
) -> Oxygenation:
    r"""Saturation from the susceptibility of the core of large veins.

    Deoxygenated haemoglobin makes blood paramagnetic in proportion [haacke2010]_ [fan2014]_:

    .. math:: \Delta\chi = \chi_{oxy} + \chi_{do} Hct (1 - S_v O_2), \quad
       OEF = 1 - S_v O_2 / S_a O_2

    Veins are tubes [frangi1998]_ that stand out in susceptibility and R2*, numbered from branch to
    branch. Voxels at the rim of a vein are part tissue [ward2017]_: a saturation is told for wide
    veins only, from voxels whose neighbours are the vein's too.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where it is known; the results are zero elsewhere.
    grid
        Voxel size.
    r2star : (nx, ny, nz) float32 array, optional
        Effective transverse relaxation rate, in 1/s.
    hematocrit
        Share :math:`Hct` of red cells in venous blood.
    deoxygenation
        Difference :math:`\chi_{do}` between deoxygenated and oxygenated red cells, in ppm (SI): 3.39
        is 4 pi times 0.27 ppm in cgs [spees2001]_ [jain2012]_; 2.26, of 0.18 ppm, is a lower value
        that is in use as well.
    oxygenated
        Susceptibility :math:`\chi_{oxy}` of wholly oxygenated blood less that of tissue, in ppm (SI).
    arterial
        Oxygen saturation :math:`S_a O_2` of arterial blood.
    zero
        What :math:`\Delta\chi` is relative to: ``around``, the median of the tissue around each
        vein; ``map``, the reference region of the map.
    min_contrast
        Susceptibility above its surroundings that a vein has somewhere, in ppm.
    max_vein_radius
        Radius of the widest vein, in mm.
    min_length
        Length of the shortest vein, in mm.
    min_core
        Voxels of pure blood without which a vein has no saturation.

    Returns
    -------
    oxygenation : Oxygenation
        Vesselness, veins, their core, their numbers, and a row for each.

    References
    ----------
    .. [fan2014] Fan et al., Magn Reson Med 72:149-159 (2014). doi:10.1002/mrm.24918
    .. [frangi1998] Frangi et al., Lect Notes Comput Sci 1496:130-137 (1998). doi:10.1007/BFb0056195
    .. [haacke2010] Haacke et al., J Magn Reson Imaging 32:663-676 (2010). doi:10.1002/jmri.22276
    .. [jain2012] Jain et al., Magn Reson Med 68:863-867 (2012). doi:10.1002/mrm.23282
    .. [spees2001] Spees et al., Magn Reson Med 45:533-542 (2001). doi:10.1002/mrm.1072
    .. [ward2017] Ward et al., Front Neurosci 11:89 (2017). doi:10.3389/fnins.2017.00089

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.grid import Grid
    >>> x, y, _ = np.ogrid[:24, :24, :32]
    >>> chi = 0.5 * ((x - 12) ** 2 + (y - 12) ** 2 < 9) * np.ones((24, 24, 32))
    >>> mask, grid = np.ones(chi.shape, bool), Grid(chi.shape, (0.8, 0.8, 0.8))
    >>> (vein,) = susceptometry(chi.astype('f4'), mask, grid).table
    >>> round(vein.chi_core, 2), round(vein.svo2, 2)
    (0.5, 0.63)

    """
    box = bounding_box(mask)
    inside = np.ascontiguousarray(mask[box])
    inner = np.where(inside, chi[box], np.float32(0))
    decay = None if r2star is None else r2star[box]
    likeness, veins = find_veins(
        inner,
        inside,
        grid.voxel_size,
        decay,
        contrast=min_contrast,
        radius=max_vein_radius,
        length=min_length,
    )
    core = core_of(veins)
    labels = number_segments(veins, grid.voxel_size, min_length)

    def oxygen(excess: float) -> tuple[float, float]:
        venous = saturation(excess, hematocrit, deoxygenation, oxygenated)
        return venous, extraction(venous, arterial)

    table = measure_veins(
        inner,
        inside,
        labels,
        core,
        grid.voxel_size,
        oxygen,
        min_core=min_core,
        own_zero=zero == 'map',
    )
    whole = Oxygenation(
        *(_back(part, box, mask.shape) for part in (likeness, veins, core, labels))
    )
    return whole._replace(table=tuple(_moved(vein, box) for vein in table))


def _back(part: Any, box: Box, shape: tuple[int, ...]) -> Any:
    whole = np.zeros(shape, part.dtype)
    whole[box] = part
    return whole


def _moved(vein: Vein, box: Box) -> Vein:
    x, y, z = (float(c + part.start) for c, part in zip(vein.centre, box, strict=True))
    return replace(vein, centre=(x, y, z))
