"""Images made ready for registration: coarser, evenly bright, stripped."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Matrix, Volume
from bidsqsm.qsm.registration.itk import to_array, to_image
from bidsqsm.qsm.resampling import regrid

BIAS_STEP = 4.0  # mm: the bias of a receive coil needs no finer grid
CONTRAST_ROUNDS = (30, 20, 10)
BRIGHTEST_PERCENTILE = 99.0  # percentile that becomes 1


def without_bias(magnitude: Volume, mask: Mask, affine: Matrix) -> Volume:
    """Divide a magnitude by its bias, found within a mask by N4 [tustison2010]_.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array
        Any unit.
    mask : (nx, ny, nz) bool array
        Tissue.
    affine : (4, 4) array
        From voxels to RAS mm.

    Returns
    -------
    even : (nx, ny, nz) float32 array
        1 at the 99th percentile of the mask.

    References
    ----------
    .. [tustison2010] Tustison et al., IEEE Trans Med Imaging 29:1310-1320 (2010).
       doi:10.1109/TMI.2010.2046908

    """
    import SimpleITK

    shape, onto = coarser(magnitude.shape, affine, BIAS_STEP)
    thin = regrid(magnitude, affine, shape, onto)
    inside = regrid(mask.astype(np.float32), affine, shape, onto) > 0.5
    if not inside.any() or not (thin[inside] > 0).any():
        return normalised(magnitude, mask)
    find = SimpleITK.N4BiasFieldCorrectionImageFilter()
    find.SetNumberOfThreads(1)  # its sums depend on the threads
    find.SetMaximumNumberOfIterations(CONTRAST_ROUNDS)
    find.Execute(to_image(np.maximum(thin, 1e-6), onto), to_image(inside, onto))
    coarse = to_array(find.GetLogBiasFieldAsImage(to_image(inside, onto))).astype(np.float32)
    bias = regrid(coarse, onto, magnitude.shape, affine)
    return normalised(magnitude / np.exp(bias), mask)


def normalised(volume: Volume, mask: Mask) -> Volume:
    """Scale a volume so that the 99th percentile within a mask is 1; nothing below 0 or above 1.2."""
    inside = volume[mask]
    top = float(np.percentile(inside, BRIGHTEST_PERCENTILE)) if inside.size else 0.0
    scaled: Volume = np.clip(volume / max(top, 1e-12), 0, 1.2).astype(np.float32)
    return scaled


def coarser(
    shape: tuple[int, ...], affine: Matrix, size: float
) -> tuple[tuple[int, int, int], Matrix]:
    """Grid of (about) this voxel size in mm over the same box; axes with larger voxels stay."""
    old = np.linalg.norm(affine[:3, :3], axis=0)
    steps = np.maximum(size / old, 1.0)
    nx, ny, nz = (int(np.ceil(round(n / s, 3))) for n, s in zip(shape, steps, strict=False))
    onto = affine.copy()
    onto[:3, :3] = affine[:3, :3] * steps
    onto[:3, 3] = affine[:3, 3] + affine[:3, :3] @ ((steps - 1) / 2)
    return (nx, ny, nz), onto
