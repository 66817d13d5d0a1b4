"""Path-following phase unwrapping along a tree of the most reliable edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.unwrap.reliability import reliability
from bidsqsm.qsm.unwrap.template_echo import from_template
from bidsqsm.qsm.unwrap.unwrap_result import Unwrapped


def romeo(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    template: Annotated[int, Between(0, 100)] = 1,
) -> Unwrapped:
    r"""Path-following unwrapping, spatially exact on one echo and in time on the others.

    The template echo is unwrapped voxel by voxel along the spanning tree of the most reliable
    edges between neighbours [dymerska2021]_. The reliability of an edge is the product of
    :math:`0.1 + 0.9 w` over its phase coherence :math:`1 - |\Delta\phi| / \pi`, the agreement of
    its phase gradient with that of a second echo, the linearity of the phase along it, and its
    magnitude. Each connected component of the mask is unwrapped, and its free multiple of
    :math:`2\pi` chosen by the agreement between echoes. The other echoes follow from the field
    that the echoes before them give.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Wrapped phase in rad, free of a receive offset where there are several echoes.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Voxels to unwrap; others are zero in the result.
    echo_times
        Echo times in s, ascending.
    template
        Number of the echo to unwrap in space, counted from 1; the last one if there are fewer.

    Returns
    -------
    unwrapped
        Unwrapped phase (rad) of every echo, and the quality (0 to 1) of each voxel.

    References
    ----------
    .. [dymerska2021] Dymerska et al., Magn Reson Med 85:2294-2308 (2021). doi:10.1002/mrm.28563

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.units import ppm_to_rad
    >>> sphere = make_sphere(chi=0.5)
    >>> phase, magnitude, echo_times, frequency = sphere.echoes((0.004, 0.010, 0.016))
    >>> unwrapped, quality = romeo(phase, magnitude, sphere.mask, echo_times)
    >>> true = ppm_to_rad(sphere.total_field, frequency, echo_times[2])
    >>> wrong = abs(unwrapped[2] - true) > np.pi
    >>> int((abs(phase[2] - true) > np.pi).sum()), int(wrong[sphere.mask].sum())
    (112, 0)

    """
    return from_template(phase, magnitude, mask, echo_times, template, reliability, 'romeo')
