"""Weighted linear fit of the phase."""

from __future__ import annotations

from collections.abc import Sequence

from bidsqsm.qsm.fieldmap.combine import field_from_echoes
from bidsqsm.qsm.fieldmap.field_result import FieldFit
from bidsqsm.qsm.grid import Mask, Volume


def linear(
    unwrapped: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    imaging_frequency: float,
    *,
    free_offset: bool = False,
) -> FieldFit:
    r"""Weighted linear fit of the unwrapped phase over the echoes.

    .. math:: \min_{f, \phi_0} \sum_n m_n^2 (\phi_n - \phi_0 - 2\pi f T_n)^2

    With :math:`\phi_0 = 0` the weights of the single-echo fields are :math:`m_n^2 T_n^2`, those
    of least variance [robinson2017]_.

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

    Returns
    -------
    fit
        Total field (ppm), its noise (ppm), relative residual, offset (rad).

    References
    ----------
    .. [robinson2017] Robinson et al., NMR Biomed 30:e3601 (2017). doi:10.1002/nbm.3601

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.unwrap.romeo import romeo
    >>> sphere = make_sphere(chi=0.5)
    >>> phase, magnitude, echo_times, frequency = sphere.echoes((0.004, 0.010, 0.016))
    >>> unwrapped, _ = romeo(phase, magnitude, sphere.mask, echo_times)
    >>> fit = linear(unwrapped, magnitude, sphere.mask, echo_times, frequency)
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
        newton_steps=0,
    )
