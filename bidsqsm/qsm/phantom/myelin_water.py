"""Phase of white matter by the hollow cylinders that its axons are."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume

#: Share of the volume that fibres take up, and inner over outer radius of their sheaths
_FIBRE_SHARE, _G_RATIO = 0.5, 0.8
#: Water of the sheath relative to that elsewhere, its R2* and that elsewhere (1/s), its offset (ppm)
_SHEATH_WATER, _SHEATH_R2STAR, _R2STAR, _SHEATH_OFFSET = 0.7, 100.0, 20.0, 0.02
_TABLE_SIZE = 65


def myelin_phase(
    size: float, sine2: Volume, white: Volume, turn: float, echo_time: float
) -> npt.NDArray[np.float32]:
    r"""Phase (rad) that the layers of the fibres add to the voxel's signal at an echo time.

    Water in the axon, in the sheath and around it has frequencies of its own, in the frame of the
    water around, and the sheath's decays first:

    .. math:: \omega_a = \tfrac{3}{4} \chi \ln\tfrac{1}{g} \sin^2\theta, \quad
       \omega_m = \tfrac{\chi}{2} \left(\tfrac{2}{3} - \sin^2\theta\right)
       + \tfrac{\chi}{2} \left(c \sin^2\theta - \tfrac{1}{3}\right) + E, \quad
       c = \tfrac{1}{4} - \tfrac{3}{2} \tfrac{g^2}{1 - g^2} \ln\tfrac{1}{g}

    Parameters
    ----------
    size
        How diamagnetic the sheath is, -chi, in ppm: its isotropic and its anisotropic part.
    sine2 : (nx, ny, nz) array
        Squared sine of the angle of fibre and field.
    white : (nx, ny, nz) array
        Share of white matter.
    turn
        Phase per ppm at the echo time, in rad.
    echo_time
        In s.

    References
    ----------
    .. [wharton2012] Wharton and Bowtell, Proc Natl Acad Sci USA 109:18559-18564 (2012).
       doi:10.1073/pnas.1211075109

    """
    angles = np.linspace(0, 1, _TABLE_SIZE)
    log = math.log(1 / _G_RATIO)
    squared = _G_RATIO**2
    chi = -size
    axon = 0.75 * chi * log * angles
    c = 0.25 - 1.5 * squared / (1 - squared) * log
    sheath = chi / 2 * (2 / 3 - angles) + chi / 2 * (c * angles - 1 / 3)
    sheath += _SHEATH_OFFSET * size / 0.1  # no sheath, no offset
    waters = (
        (_FIBRE_SHARE * squared, axon, _R2STAR),
        (_FIBRE_SHARE * (1 - squared) * _SHEATH_WATER, sheath, _SHEATH_R2STAR),
        (1 - _FIBRE_SHARE, np.zeros_like(angles), _R2STAR),
    )
    signal = sum(
        share * np.exp(-rate * echo_time + 1j * turn * shift) for share, shift, rate in waters
    )
    phase = np.interp(sine2, angles, np.angle(signal))
    return np.asarray(white * phase, np.float32)
