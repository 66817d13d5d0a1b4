"""Fat of the scalp apart from water, and fat in the marrow of the skull."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head import FAT_SHIFT, Head, gre_signal
from bidsqsm.qsm.phantom.tissue import TISSUES

Complex = npt.NDArray[np.complex64]
#: Distance of the marrow from the brain, from and to (mm), and its R2* between bone (1/s)
_MARROW_MM = (4.0, 8.0)
_MARROW_R2STAR = 60.0


def marrow_share(size: float, head: Head) -> Volume:
    """Share of each voxel that is fat of the marrow, (nx, ny, nz)."""
    voxel = head.grid.voxel_size
    distance = ndimage.distance_transform_edt(~head.mask, voxel)
    step = float(np.cbrt(np.prod(voxel)))
    near, far = _MARROW_MM
    within = np.minimum(distance - near, far - distance) / step + 0.5
    return np.asarray(size * np.clip(within, 0, 1), np.float32)


def marrow_signal(share: Volume, head: Head, turn: float, echo_time: float) -> Complex:
    """Signal of the marrow at an echo time; ``turn`` is the phase per ppm in rad."""
    size = share * np.float32(gre_signal(TISSUES['fat']) * np.exp(-_MARROW_R2STAR * echo_time))
    return np.asarray(size * np.exp(1j * turn * (head.total_field + FAT_SHIFT)), np.complex64)
