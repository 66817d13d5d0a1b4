"""Mask from the quality of the phase alone."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import From
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.masking.brain import tissue_threshold
from bidsqsm.qsm.masking.mask_result import Masks
from bidsqsm.qsm.masking.morphology import close, dilate, fill_holes, largest_component, open_


def phase_quality(
    quality_map: Volume,
    grid: Grid,
    *,
    quality_threshold: Annotated[float, From(0, 1)] = 0.0,
    closing: Annotated[float, From(0, 100)] = 3.0,
) -> Masks:
    """Mask from the quality of the phase alone, whatever the object.

    Voxels whose phase is smooth in space and over the echoes [dymerska2021]_ are parted from the
    others by a threshold [otsu1979]_; gaps are closed, the largest part is kept and its holes are
    filled, as in [stewart2022]_. Nothing is assumed of the object, which may be a phantom, a
    sample or a brain without its skull; around a head, scalp and neck are taken in as well.

    Parameters
    ----------
    quality_map : (nx, ny, nz) float32 array
        Quality of the unwrapped phase, 0 to 1.
    grid
        Voxel size and field direction.
    quality_threshold
        Quality above which a voxel counts; 0 takes Otsu's threshold.
    closing
        Half-width of the gaps to close, in mm.

    Returns
    -------
    masks
        The object, which is also the QSM mask.

    References
    ----------
    .. [dymerska2021] Dymerska et al., Magn Reson Med 85:2294-2308 (2021). doi:10.1002/mrm.28563
    .. [otsu1979] Otsu, IEEE Trans Syst Man Cybern 9:62-66 (1979). doi:10.1109/TSMC.1979.4310076
    .. [stewart2022] Stewart et al., Magn Reson Med 87:1289-1300 (2022). doi:10.1002/mrm.29048

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> masks = phase_quality(0.1 + 0.8 * sphere.mask, sphere.grid)
    >>> int(masks.qsm.sum()) == int(sphere.mask.sum())
    True

    """
    good = quality_map > (quality_threshold or tissue_threshold(quality_map))
    # lone voxels of noise would be closed into a crust around the object
    solid = largest_component(open_(good, 1.01 * min(grid.voxel_size), grid.voxel_size))
    solid |= dilate(solid, 1.01 * max(grid.voxel_size), grid.voxel_size) & good
    whole = fill_holes(largest_component(close(solid, closing, grid.voxel_size)))
    return Masks(whole, whole.copy(), quality=good & whole)
