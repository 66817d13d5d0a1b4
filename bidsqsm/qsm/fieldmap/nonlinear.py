"""Nonlinear fit of the complex signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.fieldmap.combine import field_from_echoes
from bidsqsm.qsm.fieldmap.field_result import FieldFit
from bidsqsm.qsm.grid import Mask, Volume


def nonlinear(
    unwrapped: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    imaging_frequency: float,
    *,
    free_offset: bool = False,
    max_iter: Annotated[int, Between(0, 100)] = 5,
) -> FieldFit:
    r"""Nonlinear fit of the complex signal over the echoes.

    .. math:: \min_{f, \phi_0} \sum_n m_n^2
              \left| e^{i\phi_n} - e^{i(\phi_0 + 2\pi f T_n)} \right|^2

    by Gauss-Newton steps from the weighted linear solution [liu2013]_. Where the noise is large
    or a wrap was missed, it does not bend the field as the linear fit does.

    Parameters
    ----------
    unwrapped : (n_echoes, nx, ny, nz) float32 array
        Unwrapped phase in rad.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Voxels to fit; others are zero in the result.
    echo_times
        Echo times in s.
    imaging_frequency
        Frequency of the scanner in MHz, so that Hz over MHz is ppm.
    free_offset
        Fit the phase at echo time zero too (from three echoes on), instead of taking it as
        removed.
    max_iter
        Iterations after which to stop regardless: Gauss-Newton steps, all of which are made.

    Returns
    -------
    fit
        Total field (ppm), its noise (ppm), relative residual, offset (rad).

    References
    ----------
    .. [liu2013] Liu et al., Magn Reson Med 69:467-476 (2013). doi:10.1002/mrm.24272

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.unwrap.romeo import romeo
    >>> sphere = make_sphere(chi=0.5)
    >>> phase, magnitude, echo_times, frequency = sphere.echoes((0.004, 0.010, 0.016))
    >>> unwrapped, _ = romeo(phase, magnitude, sphere.mask, echo_times)
    >>> fit = nonlinear(unwrapped, magnitude, sphere.mask, echo_times, frequency)
    >>> bool(abs(fit.total_field - sphere.total_field).max() < 1e-3)
    True

    """
    return field_from_echoes(
        unwrapped,
        magnitude,
        mask,
        echo_times,
        imaging_frequency,
        free_offset=free_offset,
        newton_steps=max_iter,
    )
